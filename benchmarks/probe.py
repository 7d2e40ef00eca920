"""What is a code good for? Classes read from the codes of models that were trained without labels, with few labels and with many.

    python benchmarks/probe.py [--presets deep denoising vae rbm …] [--data mnist] [--transfer fashion-mnist] [--epochs N] [--seeds N] [--json FILE]

Each preset is trained on all training images, without their labels, by its own recipe, in as many epochs as the others; then its
encoder stays as it is and makes codes without noise. From 10, 100, 1,000 and all labels a linear function and the nearest neighbours
(`scratchae.uses.probing`) tell the classes of the test images; beside them PCA and the pixels. Then a classifier that begins with the
encoder, and of which every layer learns, against the same network from random weights. Everything is done again for each seed, which
decides the weights, the order and which images have labels; the table has means and standard deviations over the seeds.

--transfer: the same codes on the images of another dataset, which the models have never seen, beside PCA of the first dataset.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from commandline import exit_code, positive

from scratchae import PCA
from scratchae.bench import machine
from scratchae.bench.harness import note, save
from scratchae.data import NAMES
from scratchae.models import Model
from scratchae.presets import Examples, Preset, find_preset
from scratchae.runs.probes import COUNTS, MOST, draws, table
from scratchae.runs.run import Recipe
from scratchae.uses import encode
from scratchae.uses.probing import PROBES, few, fine_tuned

DEFAULT_PRESETS = ("deep", "denoising", "vae", "rbm")
DIRECTIONS = 32  # of PCA
TUNED = 2000  # test images for the classifiers
Found = dict[str, dict[int, list[float]]]  # accuracies, by what was measured and the number of labels


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    return exit_code("probe", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="probe.py", description="Test accuracy from codes, by the number of labels."
    )
    command.add_argument("--presets", nargs="+", default=DEFAULT_PRESETS, metavar="PRESET")
    command.add_argument("--data", choices=NAMES, default="mnist", help="default: mnist")
    command.add_argument("--transfer", choices=NAMES, help="other data, for codes that were not trained on them")
    command.add_argument("--data-dir", metavar="D", help="where the files of the data are")
    command.add_argument("--epochs", type=positive, default=10, metavar="N", help="of each training (default: 10)")
    command.add_argument(
        "--seeds", type=positive, default=3, metavar="N", help="trainings and draws of labels (default: 3)"
    )
    command.add_argument(
        "--json", type=Path, metavar="FILE", help="where to write it (default: bench/probe-DATE.json)"
    )
    return command


def run(options: argparse.Namespace) -> None:
    """Train, probe, print the tables, write everything to a file."""
    presets = [find_preset(name) for name in options.presets]
    found: dict[str, Found] = {options.data: {}} | ({options.transfer: {}} if options.transfer else {})
    for seed in range(options.seeds):
        for preset in presets:
            note(f"seed {seed}: training {preset.name}")
            examples = preset.examples(options.data, options.data_dir)
            model = trained(preset, examples, seed, options.epochs)
            for data, each in found.items():
                there = examples if data == options.data else preset.examples(data, options.data_dir)
                note(f"seed {seed}: {preset.name}, probed on {data}")
                probed(each, preset.name, {part: encode(model, getattr(there, part)) for part in PARTS}, there, seed)
                classified(each, preset, model, there, seed)
        plain = find_preset("deep")
        pca = PCA(DIRECTIONS).fit(plain.examples(options.data, options.data_dir).train[:MOST])
        for data, each in found.items():
            there = plain.examples(data, options.data_dir)
            note(f"seed {seed}: PCA and pixels, probed on {data}")
            probed(each, f"PCA-{DIRECTIONS}", {part: pca.encode(getattr(there, part)) for part in PARTS}, there, seed)
            probed(each, "pixels", {part: getattr(there, part) for part in PARTS}, there, seed)
    note("")
    for data, each in found.items():
        counts = sorted({count for row in each.values() for count in row})
        print(f"{data}{'' if data == options.data else f', by models of {options.data}'}\n{table(each, counts)}\n")
    settings = {name: value for name, value in vars(options).items() if name not in ("json", "data_dir")}
    record = machine.record("probe", **settings) | {
        "test_accuracy_by_labels": found,
    }
    print(f"written to {save(record, options.json)}")


PARTS = ("train", "test")


def trained(preset: Preset, examples: Examples, seed: int, epochs: int) -> Model:
    """A model of a preset, trained without labels."""
    recipe = Recipe(preset, epochs, preset.batch_size, preset.lr, seed, "cpu", preset.form(examples))
    model = recipe.build(preset.build)
    if preset.pretrain is not None:
        preset.pretrain(model, examples.train, seed=seed, device="cpu")
    if recipe.fit(model, examples.train, progress=False).interrupted:
        raise KeyboardInterrupt  # `fit` ends a training in good order; here nothing is to be kept
    return model


def probed(found: Found, name: str, codes: dict[str, np.ndarray], examples: Examples, seed: int) -> None:
    """Add what the probes reach with labels that are drawn by the seed."""
    labels = examples.train_labels
    for kind, measure in PROBES.items():
        row = found.setdefault(f"{name}, {kind}", {})
        for count in (*(count for count in COUNTS if count < len(labels)), len(labels)):
            if count < len(labels):
                chosen = few(labels, count, np.random.default_rng(seed))
            else:
                chosen = draws(labels, count, 1, MOST if kind == "neighbours" else count)[0]
            given = codes["train"][chosen], labels[chosen], codes["test"], examples.test_labels
            row.setdefault(count, []).append(measure(*given))


def classified(found: Found, preset: Preset, model: Model, examples: Examples, seed: int) -> None:
    """Add what a classifier reaches that begins with the encoder, and one of the same layers that begins from random weights."""
    labels, test = examples.train_labels, (examples.test[:TUNED], examples.test_labels[:TUNED])
    fresh = preset.build(np.random.default_rng([seed, 11]), preset.form(examples))
    for count in (count for count in COUNTS if count < len(labels)):
        chosen = few(labels, count, np.random.default_rng(seed))
        for name, start in (("pretrained", model), ("from scratch", fresh)):
            accuracy = fine_tuned(start, examples.train[chosen], labels[chosen], *test, seed=seed)
            found.setdefault(f"{preset.name}, {name}", {}).setdefault(count, []).append(accuracy)


if __name__ == "__main__":
    sys.exit(main())
