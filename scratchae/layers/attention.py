"""Attention: a mean of the steps of a sequence, with weights that depend on what the steps hold."""

from __future__ import annotations

import math

import numpy as np

from ..arguments import number, whole
from ..backend import Array, array_module, generator, require_floats
from ..errors import DataError
from .initial import draw_weights, normal
from .layer import Layer
from .stepping import flat, real_steps


class Attention(Layer):
    """One head of attention: each of so many learned queries reads all steps of a sequence (Vaswani et al. 2017, eq. 1).

        k = x K,  v = x V        of every step a key, by which it is found, and a value, which is read
        a = q kᵀ,  q = Q / √width how well each key answers each query
        p = softmax(a)           over the steps: p ≥ 0, Σₜ p = 1
        y = p v

    x (N, T, features) -> y (N, queries, outputs), for any T; Q (queries, width), K (features, width), V (features, outputs). The weights p
    (N, queries, T) are kept: they are the map of what was read. In a decoder query t asks for what step t needs, so that it reads the
    code as a memory of several vectors; in an encoder a few queries make such a code of all states.

    The queries are the same for every example. Where they are to depend on it, as in a translation, they are computed as keys are.

    padding: a step of x that holds this number only is none, as in `RNN`, and is never read.

    Raises ShapeError if x is not (N, T, features), and DataError for sequences without a step.
    """

    examples_apart = True
    parameter_names = ("Q", "K", "V")
    symbol = "c"
    symbols = {"a": "s", "never": "−∞"}
    never = -1e30  # the score of a step that is none, whose weight so becomes exactly 0

    @property
    def formulas(self) -> dict[str, str]:
        """The formulas, with what `padding` makes of them."""
        a = "q @ k.T"
        return {
            "q": "Q / sqrt(width)  # The queries are learned. They are divided by a root, so that their products have the same size whatever the width is. ([Chapter 16](16_sequences.py))",
            "k": "x @ K  # Each step gets a key, which says what it has to offer.",
            "v": "x @ V  # Each step gets a value, which is what it gives.",
            "a": (a if self.padding is None else f"where(real.T, {a}, never)")
            + "  # The more a query and a key agree, the larger is their product.",
            "e": "exp(a - max(a, axis=2, keepdims=True))  # The largest score is taken away first, which changes no share and keeps the exponential from overflowing.",
            "p": "e / sum(e, axis=2, keepdims=True)  # [Softmax](glossary.md#softmax) makes shares that add up to 1: how much a query attends to each step.",
            "y": "p @ v  # Each query gets the mean of the values, weighted by its shares: this is [attention](glossary.md#attention).",
            "dp": "dy @ v.T  # A share multiplies a value, so it gets that value times what is asked.",
            "da": "p * (dp - sum(dp * p, axis=2, keepdims=True))  # The shares add up to 1, so a score that grows takes from all the others: their mean is taken away.",
            "dk": "da.T @ q  # A key multiplies the queries in the scores, so it gets the queries, times what is asked of the scores.",
            "dv": "p.T @ dy  # A value goes into every query's mean, so what is asked of these adds up by the shares.",
            "dq": "sum(da @ k, axis=0)  # The queries are the same for all examples, so what is asked of all of them adds up.",
            "dQ": "dq / sqrt(width)  # q is Q divided by a root, and so is its gradient.",
            "dK": "rows(x).T @ rows(dk)  # All steps share K, so what each of them asks for adds up.",
            "dV": "rows(x).T @ rows(dv)  # All steps share V, so what each of them asks for adds up.",
            "dx": "dk @ K.T + dv @ V.T  # A step goes into its key and into its value, so what both ask of it adds up.",
        }

    def __init__(
        self,
        queries: int,
        features: int,
        outputs: int,
        *,
        width: int = 16,
        padding: float | None = None,
        rng: int | np.random.Generator | None = None,
    ):
        self.queries, self.features = whole(self, "queries", queries), whole(self, "features", features)
        self.outputs, self.width = whole(self, "outputs", outputs), whole(self, "width", width)
        self.padding = None if padding is None else number(self, "padding", padding, " or None")
        rng = generator(rng)
        self.Q = normal(self, (self.queries, self.width), 1, rng)
        self.K = draw_weights((self.features, self.width), self.features, self.width, "glorot", rng, self)
        self.V = draw_weights((self.features, self.outputs), self.features, self.outputs, "glorot", rng, self)
        self.dQ, self.dK, self.dV = map(np.zeros_like, (self.Q, self.K, self.V))

    def products(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        N, T, _ = x_shape
        return N * T * (self.K.size + self.V.size + self.queries * (self.width + self.outputs))

    @property
    def flops(self) -> tuple[float, float, float]:
        """Of each weight the softmax, a - max, exp, Σ, /, and its derivative, p (dp - Σ dp p); and dk Kᵀ + dv Vᵀ. For the last x."""
        weights = self.p.shape[2] / self.outputs if hasattr(self, "p") else 1 / self.outputs
        return 5 * weights, 4 * weights, weights * self.features / self.queries

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        xp = require_floats(x, self.K)
        if x.ndim != 3 or x.shape[2] != self.features:
            self.refuse(x, f"(N, T, {self.features})", "N sequences of T steps each, such as all states of a GRU")
        if not x.shape[1]:
            raise DataError(f"{self.label()} got x of shape {tuple(x.shape)}: a sequence needs at least one step")
        self.x = flat(x)
        self.k, self.v = (
            xp.matmul(self.x, W).reshape(*x.shape[:2], W.shape[1]) for W in (self.K, self.V)
        )  # (N, T, width), …
        self.q = self.Q / math.sqrt(self.width)
        a = xp.matmul(self.q, self.k.swapaxes(1, 2))  # (N, queries, T)
        if self.padding is not None:
            self.real = real_steps(x, self.padding, self.label())
            a = xp.where(self.real.swapaxes(1, 2), a, a.dtype.type(self.never))
        a -= xp.max(a, axis=2, keepdims=True)  # so that the largest exponential is 1
        e = xp.exp(a, out=a)
        self.p = e / xp.sum(e, axis=2, keepdims=True)
        return xp.matmul(self.p, self.v)  # y

    def backward(self, dy: Array) -> Array:
        self.backward_parameters(dy)
        xp = array_module(dy)
        # k = x K, v = x V: x goes into both
        dx = xp.matmul(flat(self.dk), self.K.T)
        dx += xp.matmul(flat(self.dv), self.V.T)  # ∂L/∂x = dk Kᵀ + dv Vᵀ
        return dx.reshape(*self.k.shape[:2], self.features)

    def backward_parameters(self, dy: Array) -> None:
        xp = array_module(dy)
        # y = p v
        dp = xp.matmul(dy, self.v.swapaxes(1, 2))  # ∂L/∂p = dy vᵀ
        self.dv = xp.matmul(self.p.swapaxes(1, 2), dy)  # ∂L/∂v = pᵀ dy
        # p = softmax(a): ∂pₜ/∂aᵤ = pₜ ([t = u] − pᵤ)
        da = self.p * (dp - xp.sum(dp * self.p, axis=2, keepdims=True))
        # a = q kᵀ, q = Q / √width, the same for all examples
        self.dk = xp.matmul(da.swapaxes(1, 2), self.q)  # ∂L/∂k = daᵀ q
        dq = xp.sum(xp.matmul(da, self.k), axis=0)
        xp.multiply(dq, 1 / math.sqrt(self.width), out=self.dQ)
        # k = x K, v = x V
        xp.matmul(self.x.T, flat(self.dk), out=self.dK)
        xp.matmul(self.x.T, flat(self.dv), out=self.dV)
