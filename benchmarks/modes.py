"""How many of eight clouds a GAN finds, and how many of its points lie in one: by momentum, the discriminator's learning rate, and
noise, over several seeds.

python benchmarks/modes.py [--seeds N] [--epochs N] [--json FILE]
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
from scratchae.tutorial.ring import found, players, points

# Momentum, the discriminator's learning rate as a multiple of the generator's, and noise on what it sees
WAYS = {
    "β₁ = 0.9": (0.9, 1, 0.0),
    "β₁ = 0.5": (0.5, 1, 0.0),
    "β₁ = 0.5, noise 0.1": (0.5, 1, 0.1),
    "β₁ = 0.5, D × 5": (0.5, 5, 0.0),
    "β₁ = 0.5, D × 5, noise 0.1": (0.5, 5, 0.1),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 for an error, 130 after Ctrl-C."""
    command = argparse.ArgumentParser(prog="modes.py", description="What a GAN finds of eight clouds.")
    command.add_argument("--seeds", type=positive, default=5, metavar="N", help="default: 5")
    command.add_argument("--epochs", type=positive, default=100, metavar="N", help="default: 100")
    command.add_argument("--json", type=Path, metavar="FILE", help=f"default: {RESULTS}/modes-DATE.json")
    options = command.parse_args(arguments)
    return exit_code("modes", lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Train every way with every seed, print a line for each, write everything to a file."""
    record = machine.record("modes", seeds=options.seeds, epochs=options.epochs) | {"ways": {}}
    print(f"{'':27} clouds found        points in a cloud")
    for name, way in WAYS.items():
        runs = [trained(seed, *way, options.epochs) for seed in range(options.seeds)]
        clouds, shares = np.array(runs).T
        print(f"{name:27} {spread(clouds):19} {spread(100 * shares)} %", flush=True)
        record["ways"][name] = {"clouds": clouds.tolist(), "shares": shares.tolist()}
    print(f"\nwritten to {save(record, options.json)}")


def trained(seed: int, momentum: float, faster: float, noise: float, epochs: int) -> tuple[int, float]:
    """How many clouds are found, and the share of points in one, after a training."""
    rng = np.random.default_rng(seed)
    x, model = points(4000, rng), players(rng, noise)
    optimizer = s.Parts(generator=s.Adam(1e-3, beta1=momentum), discriminator=s.Adam(faster * 1e-3, beta1=momentum))
    s.fit(model, x, epochs=epochs, batch_size=100, optimizer=optimizer, seed=seed, progress=False)
    return found(model.sample(2000, 0))


def spread(values: np.ndarray) -> str:
    return f"{values.mean():.1f} ± {values.std(ddof=min(1, len(values) - 1)):.1f}"


if __name__ == "__main__":
    sys.exit(main())
