"""Layers that change the shape and nothing else."""

from __future__ import annotations

import math

import numpy as np

from ..backend import Array, array_module
from ..errors import ShapeError
from .layer import Layer


class Reshape(Layer):
    """Each example takes a new shape: x (N, …) -> y (N, *shape). Raises ShapeError if the sizes differ."""

    examples_apart = True
    symbol = "r"
    flops = 0, 0, 0
    formulas = {"y": "reshape(x, y_shape)", "dx": "reshape(dy, x_shape)"}

    def __init__(self, shape: tuple[int, ...]):
        self.shape = tuple(shape)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        array_module(x)  # raises if x is no array
        if math.prod(x.shape[1:]) != math.prod(self.shape):
            raise ShapeError(
                f"{self.label()} expects {math.prod(self.shape)} values an example, got x of shape {tuple(x.shape)}, "
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
    formulas = {"y": "reshape(x, y_shape)", "dx": "reshape(dy, x_shape)"}

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        array_module(x)  # raises if x is no array
        self.x_shape = x.shape
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self.x_shape)
