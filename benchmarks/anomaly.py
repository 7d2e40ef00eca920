"""Reconstruction error as an anomaly score on images of digits: one digit is normal, the nine others are not.

    python benchmarks/anomaly.py [--presets deep conv vae] [--data mnist] [--data-dir D] [--epochs N] [--seeds N] [--json FILE]

For each digit a model of each preset learns the training images of that digit alone. The test images of all digits are
scored by `scratchae.uses.score`, their squared reconstruction error, and the AUC says how well the scores tell that digit from the
others: the share of pairs, a normal image and another, in which the other has the larger error. Beside them PCA with as many directions
as the first preset's code has numbers, and what was published. A VAE is scored in the same way, by the reconstruction from the
mean of its code, not by its evidence bound.

Then what fails: the pairs of a normal digit and another that the first preset tells apart worst, and a picture, beside the JSON file, of
images that are not normal and are rebuilt well.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from commandline import exit_code, positive

from scratchae import PCA, fit, load_data
from scratchae.bench import machine
from scratchae.bench.harness import BenchmarkError, note, save
from scratchae.data import NAMES, Dataset, pixels
from scratchae.models import Model
from scratchae.plots import image_rows
from scratchae.presets import PRESETS, Preset
from scratchae.uses import in_batches, rebuild, roc, score

SHOWN, HARDEST = 10, 8  # images in a row of the picture; pairs that are named
DEFAULT_PRESETS = ("deep", "conv", "vae")
# MNIST, one class against the rest, means over ten seeds: Ruff et al. 2018, "Deep One-Class Classification", table 1
PUBLISHED = {"DCAE (Ruff et al. 2018)": 0.897, "Deep SVDD (Ruff et al. 2018)": 0.948}


@dataclass(frozen=True)
class OneClass:
    """A digit as the normal class: its training images, the test images of all digits, and which of those are not it."""

    digit: int
    train: np.ndarray
    test: np.ndarray
    abnormal: np.ndarray


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    return exit_code("anomaly", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="anomaly.py",
        description="Reconstruction error as an anomaly score: AUC for each digit as the normal class.",
    )
    command.add_argument(
        "--presets", nargs="+", default=DEFAULT_PRESETS, metavar="PRESET", help="default: deep conv vae"
    )
    command.add_argument("--data", choices=NAMES, default="mnist", help="default: mnist")
    command.add_argument("--data-dir", metavar="D", help="where the files of the data are")
    command.add_argument(
        "--epochs", type=positive, metavar="N", help="epochs of each training (default: the preset's)"
    )
    command.add_argument(
        "--seeds", type=positive, default=1, metavar="N", help="trainings of each, averaged (default: 1)"
    )
    command.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="where to write everything (default: bench/anomaly-DATE.json)",
    )
    return command


def run(options: argparse.Namespace) -> None:
    """Train, score, print the table, write everything to a file."""
    presets, skipped = chosen(options.presets)
    for name, reason in skipped.items():
        print(f"skipped {name}: {reason}")
    data = load_data(options.data, options.data_dir)
    digits = sorted(set(data.test_labels.tolist()) | set(data.train_labels.tolist()))
    for digit in digits:
        one_class(data, digit)  # an empty class is told before hours of training
    code = presets[0].code
    aucs: dict[str, list[list[float]]] = {preset.name: [] for preset in presets} | {
        f"PCA-{code}": []
    }  # by digit, then by seed
    pairs, missed = {}, {}
    for digit in digits:
        task = one_class(data, digit)
        others = data.test_labels
        for preset in presets:
            aucs[preset.name].append([])
            for seed in range(options.seeds):
                note(f"digit {digit}: {preset.name}, training {seed + 1} of {options.seeds}")
                model, test = trained(preset, task, seed, options.epochs)
                scores = score(model, test).values
                aucs[preset.name][-1].append(auc(scores, task.abnormal))
                if preset is presets[0] and seed == 0:
                    pairs |= {
                        f"{digit}, {other}": auc(scores[kept], others[kept] == other)
                        for other in digits
                        if other != digit and (kept := (others == digit) | (others == other)).any()
                    }
                    low = np.flatnonzero(task.abnormal)[np.argsort(scores[task.abnormal], kind="stable")[:SHOWN]]
                    missed[digit] = test[low], rebuild(model, test[low]), [str(label) for label in others[low]]
        pca = PCA(code).fit(task.train)
        error = in_batches(lambda x, pca=pca: ((pca.reconstruct(x) - x) ** 2).sum(axis=1), task.test)
        aucs[f"PCA-{code}"].append([auc(error, task.abnormal)])  # nothing is drawn for PCA
    note("")
    print(table(digits, aucs))
    hardest = sorted(pairs, key=pairs.get)[:HARDEST]
    print(f"\n{presets[0].name} tells these pairs apart worst, the normal digit first: ")
    print("; ".join(f"{pair}: {pairs[pair]:.3f}" for pair in hardest))
    record = machine.record("anomaly", data=options.data, epochs=options.epochs, seeds=options.seeds) | {
        "score": "squared reconstruction error of an image",
        "models": {preset.name: repr(preset.build(np.random.default_rng(0))) for preset in presets},
        "skipped": skipped,
        "digits": digits,
        "auc": aucs,
        "mean_auc": {name: float(np.mean(values)) for name, values in aucs.items()},
        "auc_of_pairs": pairs,
        "published_mean_auc_mnist": PUBLISHED,
    }
    path = save(record, options.json)
    draw(
        missed,
        {digit: np.mean(seeds) for digit, seeds in zip(digits, aucs[presets[0].name], strict=True)},
        path.with_suffix(".png"),
    )
    print(f"\nwritten to {path}, and a picture beside it")


def chosen(names: Sequence[str]) -> tuple[list[Preset], dict[str, str]]:
    """The presets of these names, and why others are left out. Raises BenchmarkError if none is left."""
    skipped = {}
    for name in names:
        if name not in PRESETS:
            skipped[name] = "there is no such preset"
        elif PRESETS[name].synthetic is not None or getattr(PRESETS[name], "labels", 0):
            skipped[name] = "it is no model of images alone"
    presets = [PRESETS[name] for name in dict.fromkeys(names) if name not in skipped]
    if not presets:
        raise BenchmarkError(
            f"--presets {' '.join(names)}: " + "; ".join(f"{name}: {why}" for name, why in skipped.items())
        )
    return presets, skipped


def one_class(data: Dataset, digit: int) -> OneClass:
    """The task with this digit as the normal class. Raises BenchmarkError if it or its opposite has no images."""
    abnormal = data.test_labels != digit
    counts = {
        f"training images of {digit}": np.sum(data.train_labels == digit),
        f"test images of {digit}": np.sum(~abnormal),
        f"test images of anything but {digit}": np.sum(abnormal),
    }
    for what, count in counts.items():
        if count == 0:
            raise BenchmarkError(
                f"{digit} as the normal class: the data have no {what}; take data that have all digits"
            )
    images = pixels(data.train_images[data.train_labels == digit])
    return OneClass(digit, images, pixels(data.test_images), abnormal)


def trained(preset: Preset, task: OneClass, seed: int, epochs: int | None) -> tuple[Model, np.ndarray]:
    """A model of the preset, trained by its recipe on the normal images, and the test images as it takes them."""
    train, test = (x.reshape(-1, *preset.shape) for x in (task.train, task.test))
    epochs = epochs or preset.epochs
    model = preset.build(np.random.default_rng(seed))
    optimizer = preset.optimizer(preset.lr, epochs * math.ceil(len(train) / preset.batch_size))
    recipe = {"epochs": epochs, "batch_size": preset.batch_size, "optimizer": optimizer, "seed": seed}
    if fit(model, train, progress=False, **recipe).interrupted:
        raise KeyboardInterrupt  # `fit` ends a training in good order; here nothing is to be kept
    return model, test


def auc(scores: np.ndarray, abnormal: np.ndarray) -> float:
    """P(the score of an abnormal example > that of a normal one) + ½ P(they are equal), over all pairs of the two."""
    return float(roc(scores, abnormal)["auc"])


def draw(missed: dict[int, tuple[np.ndarray, np.ndarray, list[str]]], means: dict[int, float], path: Path) -> None:
    """For the normal digits with the lowest AUC, the others with the lowest scores, above what the model makes of them."""
    rows, below = {}, {}
    for digit in sorted(missed, key=means.get)[:3]:
        images, rebuilt, labels = missed[digit]
        rows[f"normal: {digit}"] = images.reshape(-1, 28, 28)
        rows[f"rebuilt by {digit}'s model"] = np.clip(rebuilt.reshape(-1, 28, 28), 0, 1)
        below[f"rebuilt by {digit}'s model"] = labels
    caption = "Of the images that are not normal those with the lowest scores: what looks like the normal digit, or is a part of it, is rebuilt well."
    image_rows(rows, path, below=below, caption=caption)


def table(digits: Sequence[int], aucs: dict[str, list[list[float]]]) -> str:
    """AUC by digit, mean over seeds, and the mean over the digits; below, what was published."""
    width = max(map(len, [*aucs, *PUBLISHED]))
    lines = [f"{'AUC, normal digit':<{width}}" + "".join(f"{digit:>7}" for digit in digits) + f"{'mean':>8}"]
    for name, values in aucs.items():
        means = [float(np.mean(seeds)) for seeds in values]
        lines.append(f"{name:<{width}}" + "".join(f"{mean:>7.3f}" for mean in means) + f"{np.mean(means):>8.3f}")
    gap = 7 * len(digits)
    lines += [f"{name:<{width}}{'published, on MNIST':>{gap}}{mean:>8.3f}" for name, mean in PUBLISHED.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
