"""The estimators for scikit-learn beside its own and PyOD's, on the same rows: time of `fit`, and what came of it.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/estimators.py [rebuild codes outliers] [--seeds N] [--epochs N] [--json FILE]

rebuild: squared error of new rows after a code of 10 numbers; AutoencoderTransformer, MLPRegressor(X, X) of the same sizes, batch and epochs, PCA.
codes: what a logistic regression makes of 256 hidden units, on test rows; RBMTransformer, BernoulliRBM with the same batch, rate and epochs.
outliers: one class is usual, and a row in twenty is of another; the AUC of the scores of these rows; OutlierDetector, PyOD's AutoEncoder and
IsolationForest as they come, and the error of PCA.

The tables are those of scikit-learn that `anomaly_tables.py` has, and 3,000 `strokes` of 784 pixels; images lie in [0, 1], all others are standardised for all.
Each estimator has a process of its own; one works at a time, on each table with each seed in turn. All X are float32.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from anomaly_tables import tables
from commandline import exit_code, positive

from scratchae import load_data
from scratchae.arguments import choice
from scratchae.bench import machine
from scratchae.bench.comparison import start
from scratchae.bench.harness import PAUSE, RESULTS, Worker, note, save, serve
from scratchae.presets.dense import code_of_table
from scratchae.training.progress import since
from scratchae.uses import roc

HERE = Path(__file__)
CODE, HIDDEN, USUAL = 10, 256, 19  # numbers of a code; hidden units of an RBM; usual rows for each that is not
MODULES = {"scikit-learn": "sklearn"}


@functools.cache
def table(name: str) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """The rows of a table, scaled; their classes; and the classes that are usual in turn."""
    if name == "strokes":
        data = load_data("strokes")
        return data.train_images[:3000].reshape(-1, 784).astype(np.float32) / 255, data.train_labels[:3000], [0]
    x, y, usual = next((x, y, usual) for found, x, y, usual in tables() if found == name)
    if name == "digits":
        return x / 16, y, usual
    return (x - x.mean(axis=0)) / x.std(axis=0), y, usual


def halves(name: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and test rows, and the classes of both."""
    x, y, _ = table(name)
    order = np.random.default_rng([seed, 5]).permutation(len(x))
    learned, new = order[: 3 * len(x) // 4], order[3 * len(x) // 4 :]
    return x[learned], x[new], y[learned], y[new]


def fitted(estimator: Any, *given: np.ndarray) -> tuple[Any, float]:
    """It, fitted, and the seconds."""
    begun = time.perf_counter()
    estimator.fit(*given)
    return estimator, since(begun)


# The estimators of each job, by name: ours first. Each is made from a seed and a number of epochs; epochs of 0 leave what its author chose


def own(kind: str, *sizes: int) -> Callable[[int, int], Any]:
    def make(seed: int, epochs: int) -> Any:
        from scratchae import estimators

        return getattr(estimators, kind)(*sizes, random_state=seed, **({"epochs": epochs} if epochs else {}))

    return make


def perceptron(seed: int, epochs: int) -> Any:
    from sklearn.neural_network import MLPRegressor

    through = {"max_iter": epochs, "n_iter_no_change": epochs, "tol": 0}  # no early end
    return MLPRegressor(hidden_layer_sizes=(128, CODE, 128), batch_size=16, random_state=seed, **through)


def pca(seed: int, epochs: int) -> Any:
    from sklearn.decomposition import PCA

    return PCA(CODE, random_state=seed)


def machine_of_bits(seed: int, epochs: int) -> Any:
    from sklearn.neural_network import BernoulliRBM

    return BernoulliRBM(HIDDEN, learning_rate=0.1, batch_size=16, n_iter=epochs, random_state=seed)


def forest(seed: int, epochs: int) -> Any:
    from sklearn.ensemble import IsolationForest

    return IsolationForest(random_state=seed)


class PyOD:
    """PyOD's AutoEncoder as it comes; of fewer rows than a batch of 32 it would learn nothing."""

    def __init__(self, seed: int, epochs: int):
        from pyod.models.auto_encoder import AutoEncoder

        self.kind, self.seed = AutoEncoder, seed

    def fit(self, x: np.ndarray) -> None:
        self.model = self.kind(batch_size=min(32, len(x)), random_state=self.seed, verbose=0).fit(x)

    def score_samples(self, x: np.ndarray) -> np.ndarray:
        return -self.model.decision_function(x)


class ErrorOfPCA:
    """The squared error that as many directions leave as OutlierDetector has numbers in its code, of standardised columns."""

    def __init__(self, seed: int, epochs: int):
        from sklearn.decomposition import PCA
        from sklearn.preprocessing import StandardScaler

        self.scale, self.kind = StandardScaler(), PCA

    def fit(self, x: np.ndarray) -> None:
        self.model = self.kind(code_of_table(x.shape[1])).fit(self.scale.fit_transform(x))

    def score_samples(self, x: np.ndarray) -> np.ndarray:
        z = self.scale.transform(x)
        return -((self.model.inverse_transform(self.model.transform(z)) - z) ** 2).sum(axis=1)


# What each job measures: the seconds of `fit`, and a figure


def rebuild(make: Callable[[int, int], Any], name: str, seed: int, epochs: int) -> tuple[float, float]:
    x, new, *_ = halves(name, seed)
    coder = make(seed, epochs)
    if hasattr(coder, "predict"):
        coder, seconds = fitted(coder, x, x)
        made = coder.predict(new)
    else:
        coder, seconds = fitted(coder, x)
        made = coder.inverse_transform(coder.transform(new))
    return seconds, float(((made - new) ** 2).sum(axis=1).mean())


def codes(make: Callable[[int, int], Any], name: str, seed: int, epochs: int) -> tuple[float, float]:
    from sklearn.linear_model import LogisticRegression

    x, new, y, new_y = halves(name, seed)
    coder, seconds = fitted(make(seed, epochs), x)
    judge = LogisticRegression(max_iter=3000).fit(coder.transform(x), y)
    return seconds, 100 * float(judge.score(coder.transform(new), new_y))


def outliers(make: Callable[[int, int], Any], name: str, seed: int, epochs: int) -> tuple[float, float]:
    x, y, usual = table(name)
    total, found = 0.0, []
    for one in usual:
        rng = np.random.default_rng([seed, 6, one])
        inside, others = np.flatnonzero(y == one), rng.permutation(np.flatnonzero(y != one))
        rows = rng.permutation(np.append(inside, others[: max(len(inside) // USUAL, 1)]))
        judge, seconds = fitted(make(seed, epochs), x[rows])
        total += seconds
        found.append(float(roc(-judge.score_samples(x[rows]), y[rows] != one)["auc"]))
    return total, float(np.mean(found))


@dataclass(frozen=True)
class Job:
    """what: the figure, in words. epochs: of all that have any."""

    measure: Callable[..., tuple[float, float]]
    what: str
    tables: tuple[str, ...]
    peers: dict[str, Callable[[int, int], Any]]
    epochs: int = 0


JOBS = {
    "rebuild": Job(
        rebuild,
        "squared error of new rows",
        ("breast cancer", "digits", "strokes"),
        {"AutoencoderTransformer": own("AutoencoderTransformer", CODE), "MLPRegressor(X, X)": perceptron, "PCA": pca},
        epochs=100,
    ),
    "codes": Job(
        codes,
        "accuracy on test rows, %",
        ("digits", "strokes"),
        {"RBMTransformer": own("RBMTransformer", HIDDEN), "BernoulliRBM": machine_of_bits},
        epochs=30,
    ),
    "outliers": Job(
        outliers,
        "AUC",
        ("breast cancer", "wine", "digits"),
        {
            "OutlierDetector": own("OutlierDetector"),
            "PyOD AutoEncoder": PyOD,
            "IsolationForest": forest,
            "PCA error": ErrorOfPCA,
        },
    ),
}


class Estimator:
    """What a worker does for one estimator of a job; the methods are the actions of `harness.serve`."""

    def __init__(self, job: str, peer: str):
        self.job, self.make = JOBS[job], JOBS[job].peers[peer]

    def actions(self) -> dict[str, Any]:
        return {"prepare": self.prepare, "measure": self.measure}

    def prepare(self) -> None:
        """Import what is needed, and fit once, on a few rows."""
        x = np.random.default_rng(0).random((40, 12), dtype=np.float32)
        estimator = self.make(0, 1)
        estimator.fit(x, x) if hasattr(estimator, "predict") and self.job.measure is rebuild else estimator.fit(x)

    def measure(self, table: str, seed: int, epochs: int) -> tuple[float, float]:
        return self.job.measure(self.make, table, seed, epochs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0, 1 for an error, 130 after Ctrl-C."""
    command = argparse.ArgumentParser(
        prog="estimators.py", description="scikit-learn's and PyOD's estimators beside ours."
    )
    command.add_argument("jobs", nargs="*", metavar="JOB", help=f"{', '.join(JOBS)} (default: all)")
    command.add_argument(
        "--seeds", type=positive, default=3, metavar="N", help="splits and fits of each (default: 3)"
    )
    command.add_argument(
        "--epochs", type=positive, metavar="N", help="epochs of those that have any (default: each job's own)"
    )
    command.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help=f"where to write everything (default: {RESULTS}/estimators-DATE.json)",
    )
    # what the command starts for each estimator: its job, its name, and "cpu"
    command.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = command.parse_args(arguments)
    if options.worker:
        serve(Estimator(*options.worker[:2]).actions())
        return 0
    return exit_code("estimators", lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Measure, print the tables, write everything to a file."""
    chosen = {name: JOBS[choice("estimators.py", "JOB", name, JOBS)] for name in options.jobs or JOBS}
    found, skipped = {}, {}
    for name, job in chosen.items():
        with contextlib.ExitStack() as stack:
            workers, _, left_out = start(job.peers, (sys.executable, str(HERE), "--worker", name), stack)
            skipped |= left_out
            found[name] = {table: measured(job, workers, table, options) for table in job.tables}
        note("")
        print(printed(job, found[name]), end="\n\n")
    for peer, why in skipped.items():
        print(f"skipped {peer}: {why}")
    record = machine.record("estimators", seeds=options.seeds, epochs=options.epochs) | {
        "packages": {
            name: version(name) for name in ("scikit-learn", "pyod", "torch") if find_spec(MODULES.get(name, name))
        },
        "jobs": {
            name: {"what": job.what, "epochs": options.epochs or job.epochs, "tables": found[name]}
            for name, job in chosen.items()
        },
        "skipped": skipped,
    }
    print(f"written to {save(record, options.json)}")


def measured(job: Job, workers: dict[str, Worker], table: str, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds and figures of each estimator on a table, by seed; in each round another one begins."""
    seconds, figures = ({name: [] for name in workers} for _ in range(2))
    names = list(workers)
    for seed in range(options.seeds):
        for name in names[seed % len(names) :] + names[: seed % len(names)]:
            note(f"{table}, seed {seed}: {name}")
            time.sleep(PAUSE)
            taken, figure = workers[name].ask("measure", table=table, seed=seed, epochs=options.epochs or job.epochs)
            seconds[name].append(taken)
            figures[name].append(figure)
    ours = np.array(seconds[names[0]])
    return {
        name: {
            "seconds": float(np.median(seconds[name])),
            "ratio": float(np.median(np.array(seconds[name]) / ours)),
            "figure": float(np.mean(figures[name])),
            "spread": float(np.std(figures[name])),
            "by_seed": {"seconds": seconds[name], "figures": figures[name]},
        }
        for name in names
    }


def printed(job: Job, found: dict[str, dict[str, Any]]) -> str:
    """As a table of Markdown: the figure, and the time of `fit` in units of ours."""
    lines = [f"| {job.what}; time of fit | {' | '.join(found)} |", f"| --- |{' ---: |' * len(found)}"]
    for peer in next(iter(found.values())):
        cells = []
        for each in (found[table][peer] for table in found):
            time = f"{each['seconds']:.2f} s" if peer == next(iter(job.peers)) else f"{each['ratio']:.2f} ×"
            cells.append(f"{each['figure']:.4g} ± {each['spread']:.1g}; {time}")
        lines.append(f"| {peer} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
