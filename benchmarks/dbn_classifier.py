"""A deep belief network with labels: pretrained layer by layer without them, then fine-tuned as a classifier.

    python benchmarks/dbn_classifier.py [--data mnist] [--data-dir D] [--sizes 500 500 2000] [--pretraining N] [--epochs N] [--json FILE]

`--pretraining 0` leaves out the pretraining, so that what it does can be seen. The test images serve the last line alone; one training image
in sixty is kept for validation. Published: 1.34 % test error, 1000-1000-1000 (Theano tutorial); 1.2 %, 500-500-2000 (Hinton
and Salakhutdinov 2006).
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from commandline import exit_code, positive

from scratchae import DBN, Adam, Cosine, __version__, evaluate, fit, load_data, pretrain
from scratchae.bench import machine
from scratchae.bench.harness import save
from scratchae.data import NAMES, pixels
from scratchae.models.classifier import with_labels
from scratchae.presets import split

BATCH, LR, DECAY = 128, 1e-3, 0.05


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    return exit_code("dbn_classifier", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="dbn_classifier.py", description="Pretrain a deep belief network, fine-tune it on labels, and test it."
    )
    command.add_argument("--data", choices=NAMES, default="mnist", help="default: mnist")
    command.add_argument("--data-dir", metavar="D", help="where the files of the data are")
    command.add_argument(
        "--sizes", type=positive, nargs="+", default=[500, 500, 2000], help="of the layers (default: 500 500 2000)"
    )
    command.add_argument(
        "--pretraining", type=int, default=10, metavar="N", help="epochs for each layer (default: 10)"
    )
    command.add_argument("--epochs", type=positive, default=40, metavar="N", help="of fine-tuning (default: 40)")
    command.add_argument("--json", type=Path, metavar="FILE", help="where to write the record")
    return command


def run(options: argparse.Namespace) -> None:
    """Train, print the errors, write them to a file."""
    data = load_data(options.data, options.data_dir)
    labels, test_labels = data.train_labels, data.test_labels
    images = split(pixels(data.train_images), pixels(data.test_images))
    train = with_labels(images.train, labels[: len(images.train)], 10)
    validation = with_labels(images.validation, labels[len(images.train) :], 10, every_class=False)
    began = time.perf_counter()
    network = DBN((784, *options.sizes), top="bernoulli", rng=0)
    if options.pretraining > 0:
        pretrain(network, images.train, epochs=options.pretraining)
    pretrained = time.perf_counter()
    model = network.classifier(10, rng=0)
    schedule = Cosine(LR, options.epochs * math.ceil(len(train) / BATCH), warmup=200)
    optimizer = Adam(schedule, weight_decay=DECAY)
    fit(model, train, epochs=options.epochs, batch_size=BATCH, optimizer=optimizer, validation=validation)
    record = {
        "benchmark": "dbn_classifier",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.facts(),
        "versions": {"scratchae": __version__, "numpy": np.__version__},
        "data": options.data,
        "sizes": [784, *options.sizes, 10],
        "epochs": {"pretraining, each layer": options.pretraining, "fine-tuning": options.epochs},
        "seconds": {"pretraining": pretrained - began, "fine-tuning": time.perf_counter() - pretrained},
        "train_error": evaluate(model, train)["error"],
        "validation_error": evaluate(model, validation)["error"],
        "test_error": float(np.mean(model.predict(images.test) != test_labels)),
    }
    pretraining, tuning = record["seconds"].values()
    print(
        f"{'-'.join(map(str, record['sizes']))}, pretrained {pretraining:.0f} s, fine-tuned {tuning:.0f} s: error "
        f"{record['train_error']:.2%} on training, {record['validation_error']:.2%} on validation, "
        f"{record['test_error']:.2%} on test images"
    )
    print(f"written to {save(record, options.json)}")


if __name__ == "__main__":
    sys.exit(main())
