"""What a step draws, the same numbers for every library, so that their steps can be compared."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from ...models import VAE, Autoencoder, Model, parallel


def code_noise(model: VAE, x: np.ndarray, rng: np.random.Generator, device: str) -> tuple[np.ndarray]:
    """ε for a batch as scratchae draws it from rng: where it takes the batch in parts, each has a generator of its own."""
    parts = parallel.count_parts(model, x, rng) if device == "cpu" else 1
    rngs = [rng] if parts == 1 else rng.spawn(parts)
    rows = [len(part) for part in np.array_split(x, parts)]
    each = [rng.standard_normal((n, model.code_size), dtype=x.dtype) for rng, n in zip(rngs, rows, strict=True)]
    return (np.concatenate(each),)


MODELS = {  # which of them have peers, and what a step draws
    Autoencoder: (lambda model: model.penalty is None and not model.tied, lambda model, x, rng, device: ()),
    VAE: (lambda model: not model.binarise, code_noise),
}


def noise(model: Model, x: np.ndarray, seed: int | None, device: str = "cpu") -> Callable[[], tuple[np.ndarray, ...]]:
    """A function that gives what scratchae draws in one step after the other; without a seed, nothing."""
    if seed is None:
        return tuple
    _, draw = MODELS[type(model)]
    return functools.partial(draw, model, x, np.random.default_rng(seed), device=device)
