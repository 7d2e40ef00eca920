"""Eight clouds on a ring, and two small players: what chapter 15 and `benchmarks/modes.py` measure a GAN by."""

from __future__ import annotations

import numpy as np

from ..layers import Dense, GaussianNoise, LeakyReLU, ReLU, Sequential
from ..models import GAN

WIDTH = 0.05  # of a cloud: its standard deviation
NEAR = 4 * WIDTH  # a point that is nearer than this to the middle of a cloud lies in it
CENTRES = 2 * np.stack([f(2 * np.pi * np.arange(8) / 8) for f in (np.cos, np.sin)], axis=1)


def points(n: int, rng: np.random.Generator) -> np.ndarray:
    """n points of the eight clouds, (n, 2)."""
    return (CENTRES[rng.integers(0, 8, n)] + WIDTH * rng.standard_normal((n, 2))).astype(np.float32)


def players(rng: np.random.Generator, noise: float = 0.0, width: int = 64) -> GAN:
    """A generator of points and a discriminator, both with two hidden layers; noise: on what the discriminator sees."""
    make = [Dense(2, width, init="he", rng=rng), ReLU(), Dense(width, width, init="he", rng=rng), ReLU()]
    judge = [
        Dense(2, width, init="he", rng=rng),
        LeakyReLU(0.2),
        Dense(width, width, init="he", rng=rng),
        LeakyReLU(0.2),
    ]
    blur = [GaussianNoise(noise)] if noise else []
    return GAN(Sequential(*make, Dense(width, 2, rng=rng)), Sequential(*blur, *judge, Dense(width, 1, rng=rng)))


def found(x: np.ndarray) -> tuple[int, float]:
    """How many clouds hold at least a hundredth of the points x (N, 2), and the share of all points that lie in a cloud."""
    distances = np.linalg.norm(x[:, None] - CENTRES, axis=2)
    near = distances.min(axis=1) < NEAR
    counts = np.bincount(distances.argmin(axis=1)[near], minlength=8)
    return int((counts >= len(x) / 100).sum()), float(near.mean())
