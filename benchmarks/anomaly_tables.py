"""Anomaly scores of tables: one class is normal, all others are not; beside the usual detectors.

    python benchmarks/anomaly_tables.py [--seeds N] [--json FILE]

The tables are real ones that scikit-learn brings: breast cancer (normal: benign), wine (each class in turn) and digits (each in turn, as rows
of 64 pixels). Of the normal examples half are learned from; the others and all abnormal ones are scored. The preset `table`, PCA with a
code as large, IsolationForest, LocalOutlierFactor and, where it is installed, PyOD's autoencoder get the same rows, standardised
by those that are learned from.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from commandline import exit_code, positive

from scratchae import PCA, fit
from scratchae.bench import machine
from scratchae.bench.harness import note, save
from scratchae.presets import PRESETS, Form
from scratchae.uses import roc, score


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0, 1 for an error, 130 after Ctrl-C."""
    command = argparse.ArgumentParser(
        prog="anomaly_tables.py", description="AUC of anomaly scores on scikit-learn's tables."
    )
    command.add_argument(
        "--seeds", type=positive, default=5, metavar="N", help="splits and trainings of each (default: 5)"
    )
    command.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="where to write everything (default: bench/anomaly-tables-DATE.json)",
    )
    options = command.parse_args(arguments)
    return exit_code("anomaly_tables", lambda: run(options))


def tables() -> Iterator[tuple[str, np.ndarray, np.ndarray, list[int]]]:
    """Name, rows, classes, and the classes that are normal in turn."""
    from sklearn.datasets import load_breast_cancer, load_digits, load_wine

    for name, load, normal in (
        ("breast cancer", load_breast_cancer, [1]),
        ("wine", load_wine, [0, 1, 2]),
        ("digits", load_digits, list(range(10))),
    ):
        x, y = load(return_X_y=True)
        yield name, x.astype(np.float32), y, normal


def network(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    preset = PRESETS["table"]
    model = preset.build(np.random.default_rng(seed), Form(train.shape[1:], unit=False))
    optimizer = preset.optimizer(preset.lr, preset.epochs * math.ceil(len(train) / preset.batch_size))
    fit(
        model,
        train,
        epochs=preset.epochs,
        batch_size=preset.batch_size,
        optimizer=optimizer,
        seed=seed,
        progress=False,
    )
    return score(model, test).values


def pca(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    model = PCA(min(16, max(train.shape[1] // 3, 1), len(train) - 1)).fit(train)
    return ((model.reconstruct(test) - test) ** 2).sum(axis=1)


def isolation_forest(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.ensemble import IsolationForest

    return -IsolationForest(random_state=seed).fit(train).score_samples(test)


def local_outlier_factor(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.neighbors import LocalOutlierFactor

    return -LocalOutlierFactor(novelty=True, n_neighbors=min(20, len(train) - 1)).fit(train).score_samples(test)


def pyod(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    from pyod.models.auto_encoder import AutoEncoder

    # it leaves out the last batch if that is shorter, and of fewer rows than a batch it learns nothing
    return (
        AutoEncoder(batch_size=min(32, len(train)), random_state=seed, verbose=0).fit(train).decision_function(test)
    )


JUDGES: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {
    "scratchae, table": network,
    "PCA, same code": pca,
    "IsolationForest": isolation_forest,
    "LocalOutlierFactor": local_outlier_factor,
}


def run(options: argparse.Namespace) -> None:
    """Score, print the table, write everything to a file."""
    judges = JUDGES | ({"PyOD AutoEncoder": pyod} if importlib.util.find_spec("pyod") else {})
    found: dict[str, dict[str, list[float]]] = {name: {} for name in judges}
    for table, x, y, normal in tables():
        for seed in range(options.seeds):
            means: dict[str, list[float]] = {name: [] for name in judges}
            for one in normal:
                train, test, unusual = split(x, y, one, seed)
                for name, judge in judges.items():
                    note(f"{table}, class {one}, seed {seed}: {name}")
                    means[name].append(float(roc(np.asarray(judge(train, test, seed)), unusual)["auc"]))
            for name, each in means.items():
                found[name].setdefault(table, []).append(float(np.mean(each)))
    note("")
    print(printed(found))
    record = machine.record("anomaly_tables", seeds=options.seeds) | {
        "auc": found,
    }
    print(f"\nwritten to {save(record, options.json)}")


def split(x: np.ndarray, y: np.ndarray, normal: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Half of the normal rows to learn from, all others to score, and which of these are not normal."""
    usual = np.random.default_rng([seed, 3]).permutation(np.flatnonzero(y == normal))
    learned, judged = usual[: len(usual) // 2], np.append(usual[len(usual) // 2 :], np.flatnonzero(y != normal))
    mean, deviation = x[learned].mean(axis=0), x[learned].std(axis=0)
    deviation = np.where(deviation > 1e-6, deviation, 1)
    return (x[learned] - mean) / deviation, (x[judged] - mean) / deviation, y[judged] != normal


def printed(found: dict[str, dict[str, list[float]]]) -> str:
    """Mean AUC and its spread over the seeds."""
    names = list(next(iter(found.values())))
    width = max(map(len, found))
    lines = [f"{'AUC':<{width}}" + "".join(f"{name:>18}" for name in names)]
    for judge, row in found.items():
        lines.append(
            f"{judge:<{width}}" + "".join(f"{np.mean(row[name]):>10.3f} ± {np.std(row[name]):.3f}" for name in names)
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
