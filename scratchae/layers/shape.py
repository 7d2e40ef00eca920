"""Layers that change only the shape."""

from __future__ import annotations

import math

import numpy as np

from ..arguments import sizes
from ..backend import Array
from ..errors import ShapeError
from .layer import Layer


class Reshape(Layer):
    """Each example takes a new shape: x (N, …) -> y (N, *shape), the shape as several numbers or as a tuple.

    Raises ShapeError if the sizes differ.
    """

    examples_apart = True
    symbol = "r"
    flops = 0, 0, 0
    formulas = {
        "y": "reshape(x, y_shape)  # The numbers stay, and only their order in rows changes.",
        "dx": "reshape(dy, x_shape)  # The numbers stay, so what is asked of each goes back to its place.",
    }

    def __init__(self, *shape: int | tuple[int, ...]):
        self.shape = sizes(
            self, "shape", shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
        )

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        if math.prod(x.shape[1:]) != math.prod(self.shape):
            raise ShapeError(
                f"{self.label()} expects {math.prod(self.shape)} values for each example, got x of shape {tuple(x.shape)}, "
                f"which has {math.prod(x.shape[1:])}"
            )
        self.x_shape = x.shape
        return x.reshape(len(x), *self.shape)

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self.x_shape)


class Flatten(Layer):
    """Each example becomes one row: x (N, …) -> y (N, D)."""

    examples_apart = True
    symbol = "f"
    flops = 0, 0, 0
    formulas = {
        "y": "reshape(x, y_shape)  # The numbers stay, and only their order in rows changes.",
        "dx": "reshape(dy, x_shape)  # The numbers stay, so what is asked of each goes back to its place.",
    }

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.x_shape = x.shape
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self.x_shape)
