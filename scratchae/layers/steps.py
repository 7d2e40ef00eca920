"""Layers that do the same at every step of a sequence (N, T, …)."""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from .dense import Dense


class StepDense(Dense):
    """The same fully connected layer at every step, y = x W + b: x (N, T, inputs) -> y (N, T, outputs).

    W (inputs, outputs), b (outputs,). All steps of all sequences are rows of one matrix product.

    Raises ShapeError if x is not (N, T, inputs).
    """

    examples_apart = True
    formulas = {
        "y": "x @ W + b  # It is the same weighted sum for each step of the sequence, because all steps share W and b. ([Chapter 16](16_sequences.py))",
        "dW": "rows(x).T @ rows(dy)  # All steps of all examples share the weight, so the product with xᵀ adds up what each of them asks for.",
        "db": "sum(rows(dy), axis=0)  # The same b is added at every step of every example, so what is asked of all of them adds up.",
        "dx": "dy @ W.T  # An input goes into every output of its step, so what is asked of each comes back to it, weighted as on the way there.",
    }

    def products(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        return x_shape[0] * x_shape[1] * self.W.size  # each number of W with every step

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        if x.ndim != 3 or x.shape[2] != self.inputs:
            self.refuse(
                x, f"(N, T, {self.inputs})", "N sequences of T steps each; for examples of one row take Dense"
            )
        self.x = rows(x)
        y = array_module(x).matmul(self.x, self.W)
        y += self.b
        return y.reshape(*x.shape[:2], self.outputs)

    def backward(self, dy: Array) -> Array:
        self.backward_parameters(dy)
        # y = x W + b
        dx = array_module(dy).matmul(rows(dy), self.W.T)  # ∂L/∂x = dy Wᵀ
        return dx.reshape(*dy.shape[:2], self.inputs)

    def backward_parameters(self, dy: Array) -> None:
        xp = array_module(dy)
        # y = x W + b
        xp.matmul(self.x.T, rows(dy), out=self.dW)  # ∂L/∂W = xᵀ dy, over all steps
        xp.sum(rows(dy), axis=0, out=self.db)


def rows(x: Array) -> Array:
    """All steps of all sequences, (N T, features)."""
    return x.reshape(-1, x.shape[-1])
