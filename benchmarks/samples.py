"""Samples of generative models on MNIST, judged in one table.

    python benchmarks/samples.py [MODEL …] [--runs DIR] [--samples N] [--seed N] [--json FILE] [--table]

A convolutional classifier is trained here on 49,000 images. It looks at 10,000 samples of each model:

    classes       the entropy of the shares of the ten classes, log 10 = 2.303 if they are equal, and half the sum of the shares'
                  distances from 1/10, which is 0 if they are equal and 0.9 if all samples are of one class
    sure          the mean entropy of its answers, in nats: low if each sample looks like one digit and no other
    Fréchet       the distance of samples and test images in the 64 numbers before its last layer (Heusel et al. 2017, with this
                  network in place of one for photographs, so only figures of this table can be compared)
    window        the log-likelihood of the test images if each sample is the middle of a Gaussian, as wide as suits the validation images
                  best (Parzen; Goodfellow et al. 2014, Makhzani et al. 2016). It is a poor judge: see Theis et al. 2016

Beside them are 10,000 real images that the classifier was not trained on, the floor of the Fréchet distance; images whose pixels are drawn
one by one; and images drawn from one Gaussian over all pixels. A run that lies in the folder, such as quality.py leaves there, is
opened; what is missing is trained by `scratchae train`, a process with one BLAS thread each. What is finished is kept in the JSON file
at once, and is not judged again. --table judges nothing and prints the table of what is there.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from commandline import exit_code, positive

from scratchae import Adam, Conv2d, Cosine, Dense, Flatten, ReLU, Reshape, Sequential, fit, load
from scratchae.bench import machine
from scratchae.bench.harness import RESULTS, BenchmarkError, note, save
from scratchae.models import Classifier, CodePrior, with_labels
from scratchae.presets import Examples, find_preset
from scratchae.runs import RECORD, Run, open_run
from scratchae.runs.adversarial import frechet
from scratchae.training import save as save_model
from scratchae.uses import in_batches

# What is judged, and how it is trained
MODELS: dict[str, tuple[str, ...]] = {
    "gan": ("gan",),
    "gan-conv": ("gan-conv",),
    "vae-400": ("vae-400",),
    "aae": ("aae",),
    "aae-8": ("aae", "--code", "8"),  # as many numbers as in the figures of Makhzani et al. 2016
    "diffusion": ("diffusion",),
    "vqvae": ("vqvae",),
    "rbm": ("rbm",),
}
GIBBS = 200  # steps of an RBM from random pixels
AT_ONCE = 500  # samples, so that a convolution's patches fit into memory
JUDGE_EPOCHS = 8
HELD_OUT = 10_000  # training images that the classifier does not see
PIXELS = 784
WIDTHS = np.geomspace(0.08, 0.5, 19)  # of a window


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    return exit_code("samples", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="samples.py", description="Samples of generative models, judged in one table."
    )
    command.add_argument("models", nargs="*", metavar="MODEL", help=f"default: {', '.join(MODELS)}")
    command.add_argument("--data-dir", metavar="D", help="where the files of MNIST are")
    command.add_argument(
        "--runs", type=Path, default=Path("runs/quality"), metavar="DIR", help="their folder (default: runs/quality)"
    )
    command.add_argument("--samples", type=positive, default=10_000, metavar="N", help="of each (default: 10,000)")
    command.add_argument("--seed", type=int, default=0, metavar="S", help="of trainings and samples (default: 0)")
    command.add_argument("--json", type=Path, metavar="FILE", help="what is finished (default: bench/samples.json)")
    command.add_argument("--table", action="store_true", help="judge nothing: print what is there")
    return command


def run(options: argparse.Namespace) -> None:
    """Judge what is missing, keep each result, print the table. Raises BenchmarkError if a model is unknown or its training fails."""
    names = options.models or list(MODELS)
    for name in names:
        if name not in MODELS:
            raise BenchmarkError(f"{name}: expected one of {', '.join(MODELS)}")
    file = options.json or RESULTS / "samples.json"
    settings = {"samples": options.samples, "seed": options.seed, "gibbs_steps": GIBBS}
    record = json.loads(file.read_text(encoding="utf-8")) if file.exists() else machine.record("samples", **settings)
    for part in ("trained", "rows"):
        record.setdefault(part, {})
    if not options.table:
        if any(record["settings"][name] != value for name, value in settings.items()):
            raise BenchmarkError(f"{file} has other settings, {record['settings']}: choose another --json")
        judge_all(names, options, record, lambda: save(record, file))
    print(table(record))


def judge_all(
    names: Sequence[str], options: argparse.Namespace, record: dict[str, Any], keep: Callable[[], Any]
) -> None:
    """Judge every model that has no row in the record, and what stands beside them."""
    data = find_preset("gan").examples("mnist", options.data_dir)
    judge = Judge(trained_judge(data, options), data)
    record["judge"] = {"net": repr(judge.model.net), "epochs": JUDGE_EPOCHS, "test_error": judge.test_error}
    rng = np.random.default_rng([options.seed, 5])
    beside: dict[str, Callable[[], np.ndarray]] = {
        "real images": lambda: held_out(data)[: options.samples],
        "pixels one by one": lambda: pixel_by_pixel(data, options.samples, rng),
        "one Gaussian": lambda: one_gaussian(data, options.samples, rng),
    }
    makers = beside | {name: lambda name=name: model_samples(name, data, options, record) for name in names}
    for name, make in makers.items():
        if name not in record["rows"]:
            note(f"{name}: samples")
            try:
                x = make().reshape(-1, PIXELS)
            finally:
                keep()  # also how long a training took that was stopped
            note(f"{name}: judging")
            record["rows"][name] = judge.figures(x)
            keep()
    note("")


# What is judged


def model_samples(name: str, data: Examples, options: argparse.Namespace, record: dict[str, Any]) -> np.ndarray:
    """New images of a model, whose run is opened, or made."""
    folder = options.runs / f"{name}-mnist-{options.seed}"
    about = record["trained"].setdefault(name, {})
    if not finished(folder):
        note(f"{name}: training")
        began, about["machine"] = cpu_seconds(), machine.processor()
        try:
            train(name, folder, options)
        finally:
            about["cpu_seconds"] = round(about.get("cpu_seconds", 0) + cpu_seconds() - began, 1)
    run = open_run(folder)
    about |= {key: run.record[key] for key in ("epochs", "parameters", "training_seconds")}
    return samples(run, data, options.samples, np.random.default_rng(options.seed))


def finished(folder: Path) -> bool:
    file = folder / RECORD
    return file.exists() and json.loads(file.read_text(encoding="utf-8"))["status"] == "done"


def cpu_seconds() -> float:
    """Of all processes that this one has started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def train(name: str, folder: Path, options: argparse.Namespace) -> None:
    """Train, measure and draw a run as a person would. Raises BenchmarkError."""
    command = [
        sys.executable,
        "-m",
        "scratchae",
        "train",
        *MODELS[name],
        "--data",
        "mnist",
        "--seed",
        str(options.seed),
    ]
    command += ["--out", str(folder), "--resume", *(["--data-dir", options.data_dir] if options.data_dir else [])]
    done = subprocess.run(
        command, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"}, capture_output=True, encoding="utf-8"
    )
    if done.returncode:
        raise BenchmarkError(f"{name}: {done.stderr.strip()[-500:] or f'exit code {done.returncode}'}")


def samples(run: Run, data: Examples, n: int, rng: np.random.Generator) -> np.ndarray:
    """n new images of a run's model, as it draws them in its own pictures."""
    model: Any = run.model
    draw: Callable[[int], np.ndarray] = lambda some: model.sample(some, rng=rng)  # noqa: E731
    if run.preset.name == "vqvae":
        train = data.train.reshape(-1, *data.shape)
        prior = CodePrior(model.codebook.codes).fit(in_batches(model.codes, train))
        draw = lambda some: model.decode(model.codebook.vectors(prior.sample(some, rng)))  # noqa: E731
    if run.preset.name == "rbm":
        draw = lambda some: model.sample(some, steps=GIBBS, rng=rng)  # noqa: E731
    return np.concatenate([draw(min(AT_ONCE, n - start)) for start in range(0, n, AT_ONCE)])


def held_out(data: Examples) -> np.ndarray:
    """Training images that the classifier does not see; the models' own training does."""
    return data.train[-HELD_OUT:]


def pixel_by_pixel(data: Examples, n: int, rng: np.random.Generator) -> np.ndarray:
    """Each pixel from an image of its own: right one by one, and wrong together."""
    x = data.train
    return np.stack([x[rng.integers(0, len(x), n), i] for i in range(x.shape[1])], axis=1)


def one_gaussian(data: Examples, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draws from the normal distribution with the mean and the covariance of the training images, cut to [0, 1]."""
    mean, (values, vectors) = data.train.mean(axis=0), np.linalg.eigh(np.cov(data.train, rowvar=False))
    root = vectors * np.sqrt(values.clip(0))
    made = mean + rng.standard_normal((n, len(mean))) @ root.T
    return made.clip(0, 1).astype(np.float32)


# Who judges


def trained_judge(data: Examples, options: argparse.Namespace) -> Classifier:
    """The classifier, from its file or trained."""
    file = options.runs / f"judge-{options.seed}.safetensors"
    if file.exists():
        return load(file)
    note("training the classifier")
    rng = np.random.default_rng(options.seed)
    down = {"stride": 2, "padding": 1, "init": "he", "rng": rng}
    net = Sequential(
        *(Reshape(28, 28, 1), Conv2d(1, 16, 3, **down), ReLU()),  # (N, 14, 14, 16)
        *(Conv2d(16, 32, 3, **down), ReLU(), Flatten()),  # (N, 1568)
        *(Dense(1568, 64, init="he", rng=rng), ReLU(), Dense(64, 10, rng=rng)),
    )
    model = Classifier(net, 10)
    x = with_labels(data.train[:-HELD_OUT], data.train_labels[:-HELD_OUT], 10)
    optimizer = Adam(Cosine(2e-3, JUDGE_EPOCHS * math.ceil(len(x) / 128)))
    fit(model, x, epochs=JUDGE_EPOCHS, batch_size=128, optimizer=optimizer, seed=options.seed, progress=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_model(model, file)
    return model


class Judge:
    """A classifier, with what it finds in the test images."""

    def __init__(self, model: Classifier, data: Examples):
        self.model, self.data = model, data
        self.features = Sequential(*model.net.layers[:-1])
        self.real = in_batches(self.features.forward, data.test)
        self.test_error = float((in_batches(model.predict, data.test) != data.test_labels).mean())

    def figures(self, x: np.ndarray) -> dict[str, Any]:
        """What the table says of samples x (N, 784)."""
        P = np.float64(in_batches(self.model.probabilities, x))
        shares = np.bincount(P.argmax(axis=1), minlength=10) / len(P)
        squares = squared_distances(x, self.data.validation)
        validation, width = max((float(window(squares, width).mean()), width) for width in WIDTHS)
        found = in_batches(lambda some: window(squared_distances(x, some), width), self.data.test)
        return {
            "shares": shares.tolist(),
            "class_entropy": float(entropy(shares)),
            "from_uniform": float(np.abs(shares - 0.1).sum() / 2),
            "answer_entropy": float(entropy(P).mean()),
            "frechet": frechet(in_batches(self.features.forward, x), self.real),
            "window": {
                "width": float(width),
                "validation": validation,
                "test": float(found.mean()),
                "standard_error": float(found.std() / np.sqrt(len(found))),
            },
        }


def entropy(p: np.ndarray) -> np.ndarray:
    """-Σ p log p over the last axis, in nats."""
    return -(p * np.log(np.where(p > 0, p, 1))).sum(axis=-1)


def window(squares: np.ndarray, width: float) -> np.ndarray:
    """log (1/n) Σᵢ N(x; centreᵢ, width²) of 784 pixels, (N,), in nats, by the squared distances (N, n) of x from the n centres."""
    norm = np.log(squares.shape[1]) + PIXELS / 2 * np.log(2 * np.pi * width**2)
    return log_sum_exp(squares / (-2 * width**2)) - norm


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """|bₙ - aᵢ|², (N, n)."""
    return ((b**2).sum(axis=1)[:, None] - 2 * b @ a.T + (a**2).sum(axis=1)).clip(0)


def log_sum_exp(x: np.ndarray) -> np.ndarray:
    """log Σ exp(x) over the last axis."""
    largest = x.max(axis=1, keepdims=True)
    return (largest + np.log(np.exp(x - largest).sum(axis=1, keepdims=True)))[:, 0]


def table(record: dict[str, Any]) -> str:
    """Markdown: a line for each row of the record."""
    lines = [
        "| samples of | epochs | CPU time | classes: entropy | from uniform | sure: entropy | Fréchet | window |",
        "| --- |" + " ---: |" * 7,
    ]
    for name, row in record["rows"].items():
        about = record["trained"].get(name, {})
        seconds = about.get("cpu_seconds")
        cells = (
            f"`{name}`" if name in MODELS else name,
            about.get("epochs", "–"),
            "–" if seconds is None else f"{seconds / 60:.1f} min",
            *(f"{row[key]:.3f}" for key in ("class_entropy", "from_uniform", "answer_entropy")),
            f"{row['frechet']:.2f}",
            f"{row['window']['test']:.0f} ± {row['window']['standard_error']:.0f}",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    if "judge" in record:
        lines.append(
            f"\nThe classifier takes {record['judge']['test_error']:.2%} of the test images for another digit."
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
