"""SGD, momentum, Adam, in order of increasing complexity."""

from __future__ import annotations

import math

from ..arguments import number
from ..backend import Array, array_module, one_kernel
from .optimizer import Optimizer
from .schedules import Schedule


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum μ: v ← μ v + g; θ ← θ - lr · v. Without momentum v is g.

    `weight_decay` λ is decoupled: θ ← (1 - lr λ) θ first. `clip_norm` bounds the norm of the whole gradient.
    """

    symbols = Optimizer.symbols | {"momentum": "μ"}

    def __init__(
        self,
        lr: float | Schedule,
        momentum: float = 0.0,
        *,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ):
        super().__init__(lr, weight_decay, clip_norm)
        self.momentum = number(self, "0 <= momentum < 1", momentum)
        self.state_names = ("v",) if momentum else ()

    @property
    def work(self) -> tuple[int, int]:
        """θ - lr g; with momentum also v = μ v + g."""
        return (4, 5) if self.momentum else (2, 3)

    @property
    def own_formulas(self) -> dict[str, str]:
        """With momentum and without."""
        if self.momentum:
            return {
                "v": "momentum * v + g  # v remembers the gradients before, each the less the longer ago it was: this is [momentum](glossary.md#momentum). ([Chapter 04](04_optimizers.py))",
                "theta": "theta - lr * v  # The parameter goes against the remembered gradient, by the rate η.",
            }
        return {
            "theta": "theta - lr * g  # The gradient points to where L grows, so the parameter goes the other way, by the [rate](glossary.md#learning-rate) η. ([Chapter 04](04_optimizers.py))"
        }

    def coefficients(self, t: int) -> tuple[float, ...]:
        lr = self.learning_rate(t)
        return 1 - lr * self.weight_decay, lr

    def formula(self, coefficients, θ, g, v=None):
        lr = coefficients[1]
        if self.weight_decay:
            θ *= coefficients[0]
        if v is not None:
            v *= self.momentum
            v += g  # v = μ v + g
            g = v
        θ -= lr * g


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1), t = 1, 2, …:

    m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²,  m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ),
    θ ← θ - lr · m̂ / (√v̂ + ε).

    `weight_decay` λ is decoupled: θ ← (1 - lr λ) θ first (AdamW). `clip_norm` bounds the norm of the whole
    gradient.
    """

    state_names = ("m", "v")
    kernel = "adam"
    work = 12, 7  # as in `adam`, with two bias corrections in two numbers; θ, g, m, v read, θ, m, v written
    symbols = Optimizer.symbols | {"beta1": "β₁", "beta2": "β₂", "t": "t", "eps": "ε"}
    own_formulas = {
        "m": "beta1 * m + (1 - beta1) * g  # m is a running mean of the gradients, so that what points both ways in turn cancels. ([Chapter 04](04_optimizers.py))",
        "v": "beta2 * v + (1 - beta2) * g ** 2  # v is a running mean of their squares: it remembers how large the gradient of this parameter is.",
        "theta": "theta - lr * (m / (1 - beta1 ** t)) / (sqrt(v / (1 - beta2 ** t)) + eps)  # Divided by the root of v, all parameters move by about η, however large their gradients are; both means began at 0, which 1 − βᵗ makes good. This is [Adam](glossary.md#adam).",
    }

    def __init__(
        self,
        lr: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        *,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ):
        super().__init__(lr, weight_decay, clip_norm)
        self.beta1, self.beta2 = number(self, "0 <= beta1 < 1", beta1), number(self, "0 <= beta2 < 1", beta2)
        self.eps = number(self, "0 < eps", eps)

    def coefficients(self, t: int) -> tuple[float, ...]:
        # lr · m̂ / (√v̂ + ε) = step · m / (√v + ε̂), with the two bias corrections taken into two numbers (the paper, end of section 2)
        lr, t = self.learning_rate(t), t + 1
        correction = math.sqrt(1 - self.beta2**t)
        return 1 - lr * self.weight_decay, lr * correction / (1 - self.beta1**t), self.eps * correction

    def formula(self, coefficients, θ, g, m, v):
        adam(θ, g, m, v, coefficients, self.beta1, self.beta2, self.weight_decay > 0)


@one_kernel
def adam(
    θ: Array,
    g: Array,
    m: Array,
    v: Array,
    coefficients: tuple[float, ...] | Array,
    beta1: float,
    beta2: float,
    decays: bool = False,
) -> None:
    """Adam's update, in place; coefficients: those of `Adam.coefficients`, of which the first is 1 where nothing decays."""
    xp = array_module(θ)
    keep, step, eps = coefficients
    if decays:
        θ *= keep
    m *= beta1
    change = g * (1 - beta1)  # the one temporary, used again below
    m += change  # m = β₁ m + (1 - β₁) g
    v *= beta2
    xp.multiply(g, g, out=change)
    change *= 1 - beta2
    v += change  # v = β₂ v + (1 - β₂) g²
    xp.sqrt(v, out=change)
    change += eps
    xp.divide(m, change, out=change)
    change *= step
    θ -= change  # θ = θ - step · m / (√v + ε̂)
