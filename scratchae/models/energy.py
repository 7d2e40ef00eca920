"""The parts of an RBM: the free energy of its visible units, and the sum over all of their states."""

from __future__ import annotations

import copy
import math

import numpy as np

from ..arguments import affordable, whole
from ..backend import Array, array_module, generator, require_examples, require_floats
from ..errors import DataError, OptionError, ShapeError
from ..layers import Layer
from ..layers.activations import sigmoid, softplus
from ..layers.initial import normal

ENUMERABLE = 20  # units: summing 2²⁰ states takes seconds


class FreeEnergy(Layer):
    """F(v) = -log Σ_h e^-E(v, h): the energy of the visible units when the hidden units are summed out. P(v) = e^-F(v) / Z.

    v (N, visible) -> F (N,); W (visible, hidden), a (visible,), b (hidden,). With c = v W + b:
    hidden_units="bernoulli": E = -v·a - h·b - v W h,  h in {0, 1};  F = -v·a - Σⱼ log(1 + e^cⱼ);  P(hⱼ=1|v) = σ(cⱼ);
    hidden_units="gaussian": E = -v·a + ½ |h - b|² - v W h,  h real;  F = -v·a - ½ Σⱼ (cⱼ² - bⱼ² + log 2π);  P(h|v) = N(c, 1).
    visible_units="gaussian": v real, with ½ |v - a|² in place of -v·a, and P(v|h) = N(h Wᵀ + a, 1).

    `chain` holds the hidden units of `chains` persistent Gibbs chains, if there are any. W is drawn from N(0, 0.01²); a and b
    start at 0 (Hinton 2010, section 8).
    """

    parameter_names = ("W", "a", "b")
    examples_apart = True
    symbols = {"chain": "C"}

    @property
    def formulas(self) -> dict[str, str]:
        """x is v; c = v W + b."""
        gradients = {"dW": "-(x.T @ (h * expand(dy, 1)))", "da": "-(dy @ x)"}
        alone, dx = "-(x @ a)", "-(h @ W.T + a)"
        if self.visible_units == "gaussian":
            alone, dx = "sum((x - a) ** 2, axis=1) / 2", "(x - a - h @ W.T)"
            gradients["da"] = "a * sum(dy) - dy @ x"
        if self.hidden_units == "bernoulli":
            energy = {"h": "sigmoid(c)", "y": f"{alone} - sum(softplus(c), axis=1)"}
            gradients["db"] = "-(dy @ h)"
        else:
            energy = {"h": "c", "y": f"{alone} - sum(c ** 2 - b ** 2 + log(6.283185307179586), axis=1) / 2"}
            gradients["db"] = "b * sum(dy) - dy @ h"
        return {"c": "x @ W + b", **energy, **gradients, "dx": f"{dx} * expand(dy, 1)"}

    def __init__(
        self,
        visible: int,
        hidden: int,
        *,
        hidden_units: str = "bernoulli",
        visible_units: str = "bernoulli",
        chains: int = 0,
        rng: int | np.random.Generator | None = None,
    ):
        self.visible, self.hidden, self.chains = visible, hidden, chains
        self.hidden_units, self.visible_units = hidden_units, visible_units
        self.W = normal(self, (visible, hidden), 0.01, rng)
        self.a, self.b = np.zeros(visible, np.float32), np.zeros(hidden, np.float32)
        self.dW, self.da, self.db = (np.zeros_like(parameter) for parameter in (self.W, self.a, self.b))
        if chains:
            self.buffer_names = ("chain",)
            self.chain = np.zeros(affordable(self, chains, hidden), np.float32)

    def up(self, v: Array) -> Array:
        """c = v W + b, (N, hidden)."""
        xp = require_floats(v, self.W)
        if v.shape[1:] != (self.visible,):
            self.refuse(v, f"(N, {self.visible})", "flatten images with x.reshape(len(x), -1)")
        c = xp.matmul(v, self.W)
        c += self.b
        return c

    def down(self, h: Array) -> Array:
        """h Wᵀ + a, (N, visible): the logits of binary visible units, the mean of Gaussian ones."""
        xp = require_floats(h, self.W, name="h")
        if h.shape[1:] != (self.hidden,):
            raise ShapeError(f"{self.label()} expects h of shape (N, {self.hidden}), got {tuple(h.shape)}")
        logits = xp.matmul(h, self.W.T)
        logits += self.a
        return logits

    def expected(self, c: Array) -> Array:
        """E[h | v]; it is -∂F/∂c, where F's term in b alone is left out for Gaussian units."""
        return sigmoid(c) if self.hidden_units == "bernoulli" else c

    def expected_visible(self, logits: Array) -> Array:
        """E[v | h], of what `down` gives."""
        return sigmoid(logits) if self.visible_units == "bernoulli" else logits

    def alone(self, v: Array) -> Array:
        """The part of E in which v stands alone, (N,)."""
        xp = array_module(v)
        if self.visible_units == "bernoulli":
            return -xp.matmul(v, self.a)
        return 0.5 * xp.sum((v - self.a) ** 2, axis=1)

    def log_sum(self, c: Array) -> Array:
        """log Σ_h e^-E without the part of v alone, (N,). For Gaussian units the sum is an integral."""
        xp = array_module(c)
        if self.hidden_units == "bernoulli":
            return xp.sum(softplus(c), axis=1)
        return 0.5 * xp.sum(c * c - self.b * self.b + math.log(2 * math.pi), axis=1)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.v = x
        c = self.up(x)
        self.h = self.expected(c)
        return self.alone(x) - self.log_sum(c)

    def backward(self, dy: Array) -> Array:
        self.backward_parameters(dy)
        dv = -self.down(self.h)  # ∂F/∂v = -(a + h Wᵀ)
        if self.visible_units == "gaussian":
            dv += self.v  # ∂/∂v ½ |v - a|² = v - a
        return dv * dy[:, None]

    def backward_parameters(self, dy: Array) -> None:
        xp = array_module(dy)
        # F = -v·a - Σⱼ log(1 + exp(cⱼ)), c = v W + b
        minus = -dy
        xp.matmul(self.v.T, self.h * minus[:, None], out=self.dW)  # ∂F/∂W = -vᵀ h
        xp.matmul(minus, self.v, out=self.da)  # ∂F/∂a = -v
        xp.matmul(minus, self.h, out=self.db)  # ∂F/∂b = -h
        if self.visible_units == "gaussian":
            self.da += self.a * dy.sum()  # F = … + ½ aᵢ²
        if self.hidden_units == "gaussian":
            self.db += self.b * dy.sum()  # F = … + ½ bⱼ²

    def backward_contrast(self, n: int) -> None:
        """∂/∂θ [mean F(v₀) - mean F(v_k)]: of the first n rows of `v`, the data, and the others, the model's reply, held fixed."""
        xp, m = array_module(self.v), len(self.v) - n
        dF = xp.concatenate([xp.full(count, share, dtype=self.v.dtype) for count, share in ((n, 1 / n), (m, -1 / m))])
        self.y_shape = dF.shape  # as if forward had seen both
        self.backward_parameters(dF)  # dW, da, db


# The partition function


def log_partition_function(energy: FreeEnergy) -> float:
    """log Z, summed over all states of the smaller layer: see `RBM.log_partition_function`."""
    energy = copy.deepcopy(energy).to(dtype=np.float64)
    fewer = energy.hidden < energy.visible or energy.visible_units == "gaussian"  # real units are integrated out
    if energy.hidden_units == "bernoulli" and fewer:  # v and h play the same role in E
        energy.visible, energy.hidden = energy.hidden, energy.visible
        energy.visible_units, energy.hidden_units = energy.hidden_units, energy.visible_units
        energy.W, energy.a, energy.b = energy.W.T, energy.b, energy.a
    n = energy.visible
    if n > ENUMERABLE:
        raise OptionError(
            f"log_partition_function would have to sum 2^{n} states, more than 2^{ENUMERABLE}: estimate it with ais(…)"
        )
    xp, total = array_module(energy.W), -math.inf
    bits = xp.arange(n)
    for start in range(0, 2**n, 2**12):
        numbers = xp.arange(start, min(start + 2**12, 2**n))
        states = (numbers[:, None] >> bits & 1).astype(np.float64)
        total = float(np.logaddexp(total, log_sum_exp(-energy.forward(states))))
    return total


def ais(
    energy: FreeEnergy, chains: int, temperatures: int, rng: int | np.random.Generator | None, x: Array | None
) -> tuple[float, float]:
    """An estimate of log Z and its standard error: see `RBM.ais`."""
    if "gaussian" in (energy.hidden_units, energy.visible_units):
        raise OptionError("ais works for binary units only, visible and hidden: use units='bernoulli' for both")
    chains, temperatures = whole("ais", "chains", chains, least=2), whole("ais", "temperatures", temperatures)
    affordable("ais", chains, max(energy.visible, energy.hidden))
    energy = copy.deepcopy(energy).to(dtype=np.float64)
    xp = array_module(energy.W)
    rng = generator(rng, energy.W)
    a0 = energy.a
    if x is not None:
        require_pixels(x)
        energy.up(x[:1].astype(np.float64))  # raises an error if x does not fit
        # a pixel that is off in all of x still gets a small probability
        mean = xp.clip(xp.mean(x.astype(np.float64), axis=0), 0.01, 0.99)
        a0 = xp.log(mean / (1 - mean))
    v = bernoulli(sigmoid(a0 + xp.zeros((chains, 1))), rng)
    gained = xp.zeros(chains)  # the logarithm of the weights
    c, tilt = energy.up(v), xp.matmul(v, energy.a - a0)
    for step in range(temperatures):
        before, beta = step / temperatures, (step + 1) / temperatures
        gained += (beta - before) * tilt + energy.log_sum(beta * c) - energy.log_sum(before * c)
        h = bernoulli(sigmoid(beta * c), rng)  # one step of Gibbs sampling from p_β
        logits = beta * xp.matmul(h, energy.W.T) + (beta * energy.a + (1 - beta) * a0)
        v = bernoulli(sigmoid(logits), rng)
        c, tilt = energy.up(v), xp.matmul(v, energy.a - a0)
    log_Z0 = energy.hidden * math.log(2) + float(xp.sum(softplus(a0)))
    log_mean = log_sum_exp(gained) - math.log(chains)
    weights = xp.exp(gained - log_mean)  # the weights, divided by their mean
    error = math.sqrt(float(xp.sum((weights - 1) ** 2)) / (chains - 1) / chains)
    return log_Z0 + log_mean, error


def log_sum_exp(terms: Array) -> float:
    """log Σ e^term, computed so that nothing overflows."""
    xp = array_module(terms)
    top = float(terms.max())
    return top + math.log(float(xp.sum(xp.exp(terms - top))))


# Random units


def bernoulli(p: Array, rng: int | np.random.Generator | None = None) -> Array:
    """Zeros and ones, drawn with probabilities p."""
    return (generator(rng, p).random(p.shape, dtype=p.dtype) < p).astype(p.dtype)


def drawn(mean: Array, units: str, rng: int | np.random.Generator | None = None) -> Array:
    """Units drawn, given their mean: "bernoulli", zeros and ones, or "gaussian", with unit variance."""
    if units == "bernoulli":
        return bernoulli(mean, rng)
    found = generator(rng, mean).standard_normal(mean.shape, dtype=mean.dtype)
    found += mean
    return found


def binary(x: Array) -> Array:
    """x rounded to 0 and 1. Raises DataError for data outside [0, 1]."""
    require_pixels(x)
    return (x >= 0.5).astype(x.dtype)


def require_pixels(x: Array) -> None:
    """Raise DataError unless x holds numbers in [0, 1]."""
    require_examples(x)
    low, high = float(x.min()), float(x.max())
    if not (low >= 0 and high <= 1):
        scale = "divide by 255" if high > 2 else "scale the data to [0, 1]"
        hint = "repair or remove what is NaN" if math.isnan(low) else scale
        raise DataError(
            f"an RBM's visible units are binary: expected data in [0, 1], got min {low:g}, max {high:g}: {hint}, or take real "
            "ones, RBM(…, visible_units='gaussian')"
        )
