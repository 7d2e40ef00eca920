"""The deep belief network as a model: what it says of data, whichever way it was trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import arguments
from ..backend import Array, array_module, generator
from ..layers import Dense
from ..layers.activations import sigmoid
from ..losses import BCEWithLogits
from .energy import bernoulli, binary
from .likelihood import log_probability
from .model import Model
from .rbm import RBM


class BeliefNet(Model):
    """P(v, h¹, …, hᴸ) = P(v|h¹) P(h¹|h²) … P(hᴸ⁻¹, hᴸ): the top pair is an RBM, `prior`, all below is directed downwards.

    Each P(hⁱ|hⁱ⁺¹) has independent binary units, of logits `descend(i, h)`. The posterior P(h¹|v) has no formula, since the units of h¹
    explain v together. A guess stands for it, Q(hⁱ⁺¹|hⁱ), independent as well, of logits `ascend(i, v)`. i counts from the data, at 0.
    Subclasses say where both logits come from.
    """

    prior: RBM

    def __init__(self, sizes: Sequence[int], top: str, count: int):
        self.sizes = arguments.sizes(self, "sizes", sizes, count=count)
        self.top = arguments.choice(self, "top", top, ("bernoulli", "gaussian"))

    def ascend(self, i: int, v: Array) -> Array:
        """The logits of Q(hⁱ⁺¹=1 | hⁱ), (N, sizes[i + 1])."""
        raise NotImplementedError

    def descend(self, i: int, h: Array) -> Array:
        """The logits of P(hⁱ=1 | hⁱ⁺¹), (N, sizes[i])."""
        raise NotImplementedError

    def layer(self, i: int) -> int:
        """i, if there is such a directed layer. Raises OptionError."""
        return arguments.whole(self, "i", i, 0, ": the directed layers count from the data", len(self.sizes) - 3)

    @property
    def directed(self) -> range:
        """The layers below the prior, from the data up."""
        return range(len(self.sizes) - 2)

    def to(self, device: str | None = None, dtype: object = None) -> BeliefNet:
        for _, layer in self.leaves():
            layer.to(device, dtype)
        self.gather()
        return self

    def encode(self, x: Array) -> Array:
        """The code of x: the means of the layers, one after the other, from the data to the top."""
        for i in self.directed:
            x = sigmoid(self.ascend(i, x))
        return self.prior.propup(x)

    def decode(self, z: Array) -> Array:
        """The data that a code represents, as probabilities: the means of the layers, from the top to the data."""
        z = self.prior.propdown(z)
        for i in reversed(self.directed):
            z = sigmoid(self.descend(i, z))
        return z

    def reconstruct(self, x: Array) -> Array:
        """decode(encode(x))."""
        return self.decode(self.encode(x))

    def sample(self, n: int, *, steps: int = 1000, rng: int | np.random.Generator | None = None) -> Array:
        """n examples, as probabilities: `steps` steps of Gibbs sampling in the prior, then a draw of each layer below; the data
        stay probabilities.
        """
        rng = generator(rng, self.prior.energy.W)
        h = self.prior.sample(n, steps=steps, rng=rng)
        for i in reversed(self.directed):
            h = sigmoid(self.descend(i, bernoulli(h, rng)))
        return h

    def bound(self, x: Array, log_Z: float, rng: int | np.random.Generator | None = None) -> Array:
        """A draw of log P(v, h) - log Q(h|v) with h ~ Q, in nats, (N,). Grey x is rounded to 0 and 1 first.

        Its mean is at most log P(v): E_Q[log P(h) + log P(v|h)] + H(Q) = log P(v) - KL(Q(h|v) ‖ P(h|v)), where h stands for the
        layers below the top one. log Z is the prior's: `prior.log_partition_function()`, or `prior.ais()`.
        """
        h, rng, loss = binary(x), generator(rng, x), BCEWithLogits()  # whose predictions are logits
        total = -arguments.number("bound", "log_Z", log_Z)
        for i in self.directed:
            v, guess = h, self.ascend(i, h)
            h = bernoulli(sigmoid(guess), rng)
            total = total + log_probability(loss, self.descend(i, h), v) - log_probability(loss, guess, h)
        return total - self.prior.free_energy(h)


def dense(W: Array, b: Array) -> Dense:
    """A Dense layer with copies of these weights."""
    layer = Dense(*W.shape)
    layer.W, layer.b = W.copy(), b.copy()
    xp = array_module(W)
    layer.dW, layer.db = xp.zeros_like(layer.W), xp.zeros_like(layer.b)
    return layer
