"""How many numbers of its code a linear VAE uses, and what each costs, beside what the eigenvalues of the data predict.

    python benchmarks/linear_vae.py [--data NAME] [--betas B …] [--code K] [--epochs N] [--json FILE]

`MSE()` is the likelihood of a decoder with noise of the variance s² = ½. Chapter 11 proves: at the optimum, number i is used if and
only if λᵢ > β s², and its KL is ½ log(λᵢ / (β s²)), with λᵢ the i-th eigenvalue of the covariance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from commandline import exit_code, positive

import scratchae as s
from scratchae.bench import machine
from scratchae.bench.harness import RESULTS, save
from scratchae.data import pixels
from scratchae.presets.preset import warm_cosine

VARIANCE = 0.5  # s², of MSE()
USED = 0.01  # nats: a number of the code with a mean KL above this is used


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 for an error, 130 after Ctrl-C."""
    command = argparse.ArgumentParser(prog="linear_vae.py", description="When a correct VAE collapses.")
    command.add_argument("--data", default="strokes", metavar="NAME", help="default: strokes")
    command.add_argument(
        "--betas", type=float, nargs="+", default=[1.0, 4.0, 8.0], metavar="B", help="default: 1 4 8"
    )
    command.add_argument("--code", type=positive, default=40, metavar="K", help="default: 40")
    command.add_argument("--epochs", type=positive, default=20, metavar="N", help="default: 20")
    command.add_argument("--json", type=Path, metavar="FILE", help=f"default: {RESULTS}/linear_vae-DATE.json")
    options = command.parse_args(arguments)
    if min(options.betas) <= 0:
        command.error(f"--betas {min(options.betas):g}: expected numbers above 0")
    return exit_code("linear_vae", lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Train one for each β, print a line for each, write everything to a file."""
    x = pixels(s.load_data(options.data).train_images)
    eigenvalues = np.linalg.eigvalsh(np.cov(x.T, ddof=0).astype(np.float64))[::-1]
    record = machine.record("linear_vae", **{name: getattr(options, name) for name in ("data", "code", "epochs")})
    record |= {"eigenvalues": eigenvalues[: options.code].tolist(), "betas": {}}
    print(f"{len(x):,} images, largest eigenvalues {np.round(eigenvalues[:4], 2)}")
    print("β         used: predicted, found    KL, nats: predicted, found    largest difference of one number")
    for beta in options.betas:
        predicted = predicted_kl(eigenvalues[: options.code], beta)
        found = np.sort(trained(x, options.code, beta, options.epochs).unit_kl(x))[::-1]
        used = [int((kl > USED).sum()) for kl in (predicted, found)]
        worst = float(np.abs(found - predicted).max())
        print(
            f"{beta:<9g} {used[0]:15} {used[1]:8} {predicted.sum():19.2f} {found.sum():7.2f} {worst:24.3f}",
            flush=True,
        )
        record["betas"][str(beta)] = {"predicted": predicted.tolist(), "found": found.tolist()}
    print(f"\nwritten to {save(record, options.json)}")


def predicted_kl(eigenvalues: np.ndarray, beta: float) -> np.ndarray:
    """½ log(λᵢ / (β s²)) where λᵢ > β s², else 0."""
    return 0.5 * np.log(np.maximum(eigenvalues / (beta * VARIANCE), 1))


def trained(x: np.ndarray, code: int, beta: float, epochs: int) -> s.VAE:
    """A VAE without a hidden layer: both heads and the decoder are linear."""
    rng, features = np.random.default_rng(0), x.shape[1]
    heads = s.Dense(features, code, rng=rng), s.Dense(features, code, rng=rng)
    model = s.VAE(s.Identity(), *heads, s.Dense(code, features, rng=rng), loss=s.MSE(), beta=beta)
    optimizer = warm_cosine()(3e-3, epochs * (len(x) // 100))
    s.fit(model, x, epochs=epochs, batch_size=100, optimizer=optimizer, progress=False)
    return model


if __name__ == "__main__":
    sys.exit(main())
