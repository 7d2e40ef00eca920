"""What the checks of several chapters use."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from scratchae.tutorial.answers import AnswerError, equal, gradients


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.05, 0.95, shape)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def several(what: str, found: object, count: int) -> tuple:
    """A tuple of so many things, as a function should return it."""
    if not isinstance(found, tuple) or len(found) != count:
        kind = f"{len(found)} things" if isinstance(found, tuple) else type(found).__name__
        raise AnswerError(f"{what} should return {count} things, and returns {kind}")
    return found


def activation(name: str, function) -> object:
    def check(module: ModuleType) -> list[str]:
        layer, x = getattr(module, name), normal(5, 4)
        return [
            equal("forward", layer().forward(x.copy()), function(x)),
            gradients(layer(), x),
        ]

    return check


def unchanged(what: str, given: object, before: object) -> None:
    """Raise AnswerError if a function has changed the arrays that it was given."""
    if any((now != then).any() for now, then in zip(given, before, strict=True)):
        raise AnswerError(f"{what} changes the arrays that it is given: work on copies")
