"""The fully connected layer."""

from __future__ import annotations

import math

import numpy as np

from ..arguments import whole
from ..backend import Array, array_module
from .initial import draw_weights
from .layer import Layer


class Dense(Layer):
    """Fully connected layer, y = x W + b.

    x (N, inputs) -> y (N, outputs); W (inputs, outputs), b (outputs,).

    W is drawn so that signals neither grow nor fade from layer to layer; b starts at zero. The right variance
    depends on the activation that follows:
    `init="he"` before ReLU and its relatives, which pass half the variance: W ~ N(0, 2 / inputs) (He et al. 2015, eq. 10);
    `init="glorot"` before sigmoid, tanh or no activation: W ~ N(0, 2 / (inputs + outputs)) (Glorot and Bengio 2010, eq. 12).

    `rng` is a `numpy.random.Generator`, a seed, or None to draw other numbers each time. Give the layers of a model one
    generator, since the same seed draws the same numbers. NumPy draws the numbers on the host, so that every device starts
    from the same weights.

    Raises ShapeError if x is not (N, inputs).
    """

    examples_apart = True
    parameter_names = ("W", "b")
    symbol = "a"
    flops = 1, 1, 0  # + b; Σ dy
    formulas = {
        "y": "x @ W + b  # Each output is a weighted sum of all inputs, and b shifts it: a matrix product does this for all examples at once. ([Chapter 02](02_backpropagation.py))",
        "dW": "x.T @ dy  # A weight multiplies one input, so its gradient is that input times what is asked of its output; all examples share the weight, so the product with xᵀ adds them up. ([Chapter 02](02_backpropagation.py))",
        "db": "sum(dy, axis=0)  # The same b is added for every example, with slope 1, so what is asked of all examples adds up. ([Chapter 02](02_backpropagation.py))",
        "dx": "dy @ W.T  # An input goes into every output, so what is asked of each comes back to it, weighted as on the way there: hence Wᵀ. This is the [chain rule](glossary.md#backpropagation).",
    }

    def __init__(
        self, inputs: int, outputs: int, *, init: str = "glorot", rng: int | np.random.Generator | None = None
    ):
        self.inputs, self.outputs = whole(self, "inputs", inputs), whole(self, "outputs", outputs)
        self.init = init
        self.W = draw_weights((self.inputs, self.outputs), self.inputs, self.outputs, init, rng, self)
        self.b = np.zeros(self.outputs, np.float32)
        self.dW = np.zeros_like(self.W)
        self.db = np.zeros_like(self.b)

    def products(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        return x_shape[0] * self.W.size  # each number of W with every example

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        xp = array_module(x)
        if x.shape[1:] != (self.inputs,):
            self.refuse(x, f"(N, {self.inputs})", way_to_rows(x.shape, self.inputs))
        self.x = x
        y = xp.matmul(x, self.W)  # (N, outputs)
        y += self.b
        return y

    def backward(self, dy: Array) -> Array:
        self.backward_parameters(dy)
        # y = x W + b
        return array_module(dy).matmul(dy, self.W.T)  # ∂L/∂x = dy Wᵀ

    def backward_parameters(self, dy: Array) -> None:
        xp = array_module(dy)
        # y = x W + b
        xp.matmul(self.x.T, dy, out=self.dW)  # ∂L/∂W = xᵀ dy
        xp.sum(dy, axis=0, out=self.db)  # ∂L/∂b = Σₙ dyₙ


def way_to_rows(shape: tuple[int, ...], inputs: int) -> str:
    """What to do about an array that holds no rows of so many numbers."""
    if shape == (inputs,):
        return "x[None] makes it a batch of one example"
    if len(shape) < 2:
        return "the first axis counts the examples"
    size = math.prod(shape[1:])
    if size == inputs:
        return "flatten examples with x.reshape(len(x), -1), or begin with Flatten()"
    if len(shape) == 2:
        return f"its examples have {size} numbers each: give x the {inputs} columns that this layer was made for, or make it Dense({size}, …)"
    return f"Flatten() before it makes rows of {size} numbers of such examples, for Dense({size}, …); RNN and GRU take sequences step by step"
