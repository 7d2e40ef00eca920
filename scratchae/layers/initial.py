"""Initial weights, and how many there may be."""

from __future__ import annotations

import contextlib
import contextvars
import math
from collections.abc import Iterator

import numpy as np

from ..arguments import affordable, choice
from ..backend import generator
from ..errors import OptionError

# how many weights may still be made, while a model is built for those of a file; None: any number
left: contextvars.ContextVar[list[int] | None] = contextvars.ContextVar("left", default=None)


def draw_weights(
    shape: tuple[int, ...],
    fan_in: float,
    fan_out: float,
    init: str,
    rng: int | np.random.Generator | None,
    owner: object = "draw_weights",
) -> np.ndarray:
    """Normal numbers in float32, with a variance that lets signals neither grow nor fade from layer to layer.

    The right variance depends on the activation that follows: "he" before ReLU and its relatives, which pass half of it:
    W ~ N(0, 2 / fan_in) (He et al. 2015, eq. 10); "glorot" before sigmoid, tanh or no activation:
    W ~ N(0, 2 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 12). `fan_in` is the number of inputs that
    each output sums, `fan_out` the number of outputs that each input goes into. `owner` is the layer, for the error. Raises
    OptionError for another `init`.

    NumPy draws the numbers on the host, so that every device starts from the same weights.
    """
    variances = {"he": 2 / fan_in, "glorot": 2 / (fan_in + fan_out)}
    variance = variances[choice(owner, "init", init, variances)]
    return normal(owner, shape, math.sqrt(variance), rng)


def normal(owner: object, shape: tuple[int, ...], std: float, rng: int | np.random.Generator | None) -> np.ndarray:
    """Normal numbers in float32; zeros where the weights of a file will take their place."""
    if left.get() is not None:
        return np.zeros(within_room(*shape), np.float32)
    return generator(rng).standard_normal(affordable(owner, *shape), dtype=np.float32) * std


@contextlib.contextmanager
def room_for(numbers: int) -> Iterator[None]:
    """While the block runs, layers are made only for so many weights in all, and those are not drawn.

    So a file cannot ask for more memory than it brings weights.
    """
    token = left.set([numbers])
    try:
        yield
    finally:
        left.reset(token)


def within_room(*shape: int) -> tuple[int, ...]:
    """The shape of an array of weights. Raises OptionError if there is no room for it."""
    if (room := left.get()) is not None:
        room[0] -= math.prod(shape)
        if room[0] < 0:
            raise OptionError(f"weights of shape {shape}: these are more than the file holds")
    return shape
