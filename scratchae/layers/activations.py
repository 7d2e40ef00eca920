"""Activations: one function of each element, with its derivative. Shapes are kept.

Each keeps the array that its derivative is easiest to write in: the output y if that is enough, otherwise the input x.
For any finite x, all results are finite and there is no warning.
"""

from __future__ import annotations

import numpy as np

from ..arguments import number
from ..backend import Array, array_module, one_kernel
from .layer import Layer


@one_kernel
def sigmoid(x: Array) -> Array:
    """σ(x) = 1 / (1 + e⁻ˣ), in (0, 1)."""
    xp = array_module(x)
    y = xp.negative(x)
    with np.errstate(over="ignore"):  # e⁸⁹ overflows float32: it becomes infinity, and its reciprocal 0 is right
        xp.exp(y, out=y)
    y += 1
    return xp.reciprocal(y, out=y)


@one_kernel
def sigmoid_backward(y: Array, dy: Array) -> Array:
    """∂L/∂x for y = σ(x), from y and ∂L/∂y."""
    # y = 1 / (1 + exp(-x))
    dx = 1 - y
    dx *= y
    dx *= dy  # ∂L/∂x = dy · y (1 − y)
    return dx


@one_kernel
def relu(x: Array) -> Array:
    """max(x, 0)."""
    xp = array_module(x)
    return xp.maximum(x, xp.zeros(x.shape, dtype=x.dtype))  # NumPy takes twice as long with the number 0


@one_kernel
def relu_backward(y: Array, dy: Array) -> Array:
    """∂L/∂x for y = max(x, 0), from y and ∂L/∂y."""
    # y = max(x, 0)
    return dy * (y > 0)  # ∂L/∂x = dy where x > 0, otherwise 0


@one_kernel
def softplus(x: Array) -> Array:
    """log(1 + eˣ), computed as max(x, 0) + log(1 + e^-|x|), which cannot overflow."""
    # log1p would tell values below 6e-8 from 0 too, but without AVX-512 NumPy computes it number by number, in three times the time
    xp = array_module(x)
    y = xp.abs(x)
    xp.negative(y, out=y)
    xp.exp(y, out=y)
    y += 1
    xp.log(y, out=y)
    y += relu(x)
    return y


class Sigmoid(Layer):
    """y = σ(x) = 1 / (1 + e⁻ˣ)."""

    examples_apart = True
    symbol = "y"
    flops = 4, 0, 3  # 1 / (1 + exp(-x)); dy y (1 - y)
    formulas = {
        "y": "sigmoid(x)  # Without a function that bends, all layers together would be one matrix; the [sigmoid](glossary.md#sigmoid) puts every number between 0 and 1. ([Chapter 02](02_backpropagation.py))",
        "dx": "dy * y * (1 - y)  # By the [chain rule](glossary.md#backpropagation) what is asked of y is multiplied by the slope of the function at each number, which is y (1 − y), computed from y alone.",
    }

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.y = sigmoid(x)
        return self.y

    def backward(self, dy: Array) -> Array:
        return sigmoid_backward(self.y, dy)  # dy · y (1 − y)


class ReLU(Layer):
    """y = max(x, 0). The derivative at 0 is taken as 0."""

    examples_apart = True
    symbol = "y"
    flops = 1, 0, 2  # max(x, 0); y > 0, times dy
    formulas = {
        "y": "maximum(x, 0)  # Without a function that bends, all layers together would be one matrix; [ReLU](glossary.md#relu) lets what is above 0 pass and makes the rest 0. ([Chapter 05](05_going_deep.py))",
        "dx": "dy * (y > 0)  # By the [chain rule](glossary.md#backpropagation) what is asked of y is multiplied by the slope of the function at each number, which is 1 where y is above 0 and 0 elsewhere: a unit that is off learns nothing from this example.",
    }

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.y = relu(x)
        return self.y

    def backward(self, dy: Array) -> Array:
        return relu_backward(self.y, dy)  # dy where x > 0, otherwise 0


class LeakyReLU(Layer):
    """y = x where x > 0, otherwise slope · x. The derivative at 0 is taken as the slope."""

    examples_apart = True
    symbol = "y"
    flops = 2, 0, 2  # max(x, slope x); x > 0, slope dy
    formulas = {
        "y": "maximum(x, slope * x)  # It is ReLU, but below 0 a small slope stays, so that no unit is cut off for good. ([Chapter 05](05_going_deep.py))",
        "dx": "where(x > 0, dy, slope * dy)  # By the [chain rule](glossary.md#backpropagation) what is asked of y is multiplied by the slope of the function at each number, which is 1 above 0 and small below.",
    }

    def __init__(self, slope: float = 0.01):
        self.slope = number(self, "0 <= slope < 1", slope)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.x = x
        return array_module(x).maximum(x, self.slope * x)

    def backward(self, dy: Array) -> Array:
        # y = max(x, slope x), as slope < 1
        return array_module(dy).where(self.x > 0, dy, self.slope * dy)


class Tanh(Layer):
    """y = tanh(x), in (-1, 1)."""

    examples_apart = True
    symbol = "y"
    flops = 1, 0, 3  # tanh; dy (1 - y y)
    formulas = {
        "y": "tanh(x)  # Without a function that bends, all layers together would be one matrix; tanh puts every number between −1 and 1.",
        "dx": "dy * (1 - y ** 2)  # By the [chain rule](glossary.md#backpropagation) what is asked of y is multiplied by the slope of the function at each number, which is 1 − y², computed from y alone.",
    }

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.y = array_module(x).tanh(x)
        return self.y

    def backward(self, dy: Array) -> Array:
        # y = tanh(x)
        return dy * (1 - self.y * self.y)  # ∂L/∂x = dy (1 − y²)


class Softplus(Layer):
    """y = log(1 + eˣ), a smooth ReLU; its derivative is the sigmoid."""

    examples_apart = True
    symbol = "y"
    flops = 6, 0, 5  # max(x, 0) + log(1 + exp(-|x|)); dy σ(x)
    formulas = {
        "y": "softplus(x)  # [Softplus](glossary.md#softplus), log(1 + eˣ), is a smooth ReLU: it is positive everywhere and has no corner.",
        "dx": "dy * sigmoid(x)  # By the [chain rule](glossary.md#backpropagation) what is asked of y is multiplied by the slope of the function at each number, which is σ(x).",
    }

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.x = x
        return softplus(x)

    def backward(self, dy: Array) -> Array:
        # y = log(1 + exp(x))
        dx = sigmoid(self.x)
        dx *= dy  # ∂L/∂x = dy σ(x)
        return dx


class Identity(Layer):
    """y = x."""

    examples_apart = True
    symbol = "y"
    flops = 0, 0, 0
    formulas = {
        "y": "x  # It changes nothing: it stands where a layer is expected.",
        "dx": "dy  # The slope of y = x is 1, so what is asked of y is asked of x.",
    }

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        return x

    def backward(self, dy: Array) -> Array:
        return dy
