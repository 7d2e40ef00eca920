"""What is a code good for? A linear classifier on the codes of autoencoders that were trained without labels, at equal cost.

    python benchmarks/probe.py [--presets masked denoising …] [--data mnist] [--data-dir D] [--epochs N] [--seed N] [--json FILE]

Each preset is trained for as many epochs, on the same images, by its own recipe. Then its encoder, which is left as it is, makes
codes of 10,000 training images and of all test images, without noise and with nothing hidden. A linear classifier (scikit-learn's
logistic regression, on codes of standard deviation 1) learns the labels of 100, 1,000 and 10,000 of these, and the error is the share of the
test images that it takes for another digit. Its penalty is chosen on 1,000 further training images. Beside them the pixels, and PCA.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from commandline import exit_code, positive

from scratchae import PCA, __version__, load_data
from scratchae.bench import machine
from scratchae.bench.harness import note, save
from scratchae.data import NAMES
from scratchae.presets import find_preset
from scratchae.runs.run import Recipe

DEFAULT_PRESETS = ("masked", "denoising-masking", "denoising", "simple")
LABELLED = (100, 1_000, 10_000)
CHOOSING = 1_000  # images on which the penalty is chosen
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)  # scikit-learn's C: the smaller, the stronger the penalty


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    return exit_code("probe", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="probe.py", description="A linear classifier on codes: test error by the number of labels."
    )
    command.add_argument("--presets", nargs="+", default=DEFAULT_PRESETS, metavar="PRESET")
    command.add_argument("--data", choices=NAMES, default="mnist", help="default: mnist")
    command.add_argument("--data-dir", metavar="D", help="where the files of the data are")
    command.add_argument("--epochs", type=positive, default=10, metavar="N", help="of each training (default: 10)")
    command.add_argument("--seed", type=int, default=0, metavar="S", help="of weights and training (default: 0)")
    command.add_argument(
        "--json", type=Path, metavar="FILE", help="where to write it (default: bench/probe-DATE.json)"
    )
    return command


def run(options: argparse.Namespace) -> None:
    """Train, probe, print the table, write everything to a file."""
    presets = [find_preset(name) for name in options.presets]
    data = load_data(options.data, options.data_dir)
    errors, seconds = {}, {}
    for preset in presets:
        note(f"training {preset.name}")
        examples = preset.examples(options.data, options.data_dir)
        recipe = Recipe(
            preset, options.epochs, preset.batch_size, preset.lr, options.seed, "cpu", preset.form(examples)
        )
        model = recipe.build(preset.build)
        seconds[preset.name] = sum(recipe.fit(model, examples.train, progress=False)["seconds"])
        errors[preset.name] = probed(model.encode, examples.train, data.train_labels, examples.test, data.test_labels)
    x, test = examples.train, examples.test
    size = PCA(presets[0].code).fit(x)
    errors["pixels"] = probed(lambda x: x, x, data.train_labels, test, data.test_labels)
    errors[f"PCA-{presets[0].code}"] = probed(size.encode, x, data.train_labels, test, data.test_labels)
    note("")
    print(table(errors, seconds))
    record = {
        "benchmark": "probe",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.facts(),
        "versions": {"scratchae": __version__, "numpy": np.__version__},
        "settings": {"data": options.data, "epochs": options.epochs, "seed": options.seed},
        "labels": LABELLED,
        "errors": errors,
        "training_seconds": seconds,
    }
    print(f"\nwritten to {save(record, options.json)}")


def probed(
    encode: Callable[[np.ndarray], np.ndarray],
    train: np.ndarray,
    train_labels: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
) -> list[float]:
    """The test error of a linear classifier on codes, for each number of labels."""
    from sklearn.linear_model import LogisticRegression

    most = min(max(LABELLED), len(train) - CHOOSING)
    codes, chosen_on, judged = (rows(encode, x) for x in (train[:most], train[-CHOOSING:], test))
    choosing_labels = train_labels[len(train) - CHOOSING : len(train)]
    mean, spread = codes.mean(axis=0), codes.std(axis=0) + 1e-6
    codes, chosen_on, judged = ((z - mean) / spread for z in (codes, chosen_on, judged))
    errors = []
    for n in (min(n, most) for n in LABELLED):
        fitted = [LogisticRegression(C=C, max_iter=200).fit(codes[:n], train_labels[:n]) for C in PENALTIES]
        best = max(fitted, key=lambda one: one.score(chosen_on, choosing_labels))
        errors.append(float(1 - best.score(judged, test_labels)))
    return errors


def rows(encode: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """Codes as rows, made of 250 examples at a time."""
    return np.concatenate([encode(x[i : i + 250]).reshape(len(x[i : i + 250]), -1) for i in range(0, len(x), 250)])


def table(errors: dict[str, list[float]], seconds: dict[str, float]) -> str:
    """Markdown: the test error in per cent, by the number of labels."""
    lines = [
        "| code of | " + " | ".join(f"{n:,} labels" for n in LABELLED) + " | training |",
        "| --- |" + " ---: |" * 4,
    ]
    for name, found in errors.items():
        took = f"{seconds[name]:.0f} s" if name in seconds else "–"
        lines.append(f"| {name} | " + " | ".join(f"{error:.2%}" for error in found) + f" | {took} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
