"""The deep belief network: RBMs on top of each other, trained one by one, as a good start for backpropagation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from .. import arguments
from ..backend import Array, array_module, generator
from ..errors import OptionError
from ..layers import Dense, Layer, Sequential, Sigmoid
from ..losses import BCEWithLogits
from .autoencoder import Autoencoder
from .classifier import Classifier
from .energy import bernoulli
from .model import Model
from .rbm import RBM


class DBN(Model):
    """Deep belief network of RBMs: the hidden units of each RBM are the visible units of the next (Hinton et al. 2006).

    sizes, such as (784, 1000, 500, 250, 30), start at the data. top="gaussian" makes the last hidden units real numbers with
    unit variance, a code for an autoencoder. "bernoulli" makes them binary, as the layers below, which is better for classes
    and for generation.

    `scratchae.pretrain` trains it, not `fit`: each RBM models the output of the RBMs below it. Then `unroll` and `classifier`
    give new models that start from copies of its weights; fine-tune them by `fit`.
    """

    def __init__(self, sizes: Sequence[int], *, top: str = "gaussian", rng: int | np.random.Generator | None = None):
        self.sizes = arguments.sizes(self, "sizes", sizes, count=2)
        self.top = arguments.choice(self, "top", top, ("bernoulli", "gaussian"))
        rng = generator(rng)
        kinds = ["bernoulli"] * (len(sizes) - 2) + [top]
        self.rbms = [
            RBM(visible, hidden, hidden_units=kind, rng=rng)
            for (visible, hidden), kind in zip(itertools.pairwise(sizes), kinds, strict=True)
        ]
        self.gather()

    def leaves(self) -> Iterator[tuple[str, Layer]]:
        for i, rbm in enumerate(self.rbms):
            yield f"rbms.{i}", rbm.energy

    def to(self, device: str | None = None, dtype: object = None) -> DBN:
        for rbm in self.rbms:
            rbm.energy.to(device, dtype)
        self.gather()
        return self

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        """None of its own: raises OptionError, as `check_data` does."""
        raise OptionError(
            "a DBN is trained layer by layer: pretrain(model, x), then fit the model that unroll() or classifier() returns"
        )

    def check_data(self, x: Array) -> None:
        self.objective(x)

    # Using it

    def encode(self, x: Array) -> Array:
        """The code of x: the means of the layers, one after the other, from the data to the top."""
        for rbm in self.rbms:
            x = rbm.propup(x)
        return x

    def decode(self, z: Array) -> Array:
        """The data that a code represents, as probabilities: the means of the layers, from the top to the data."""
        for rbm in reversed(self.rbms):
            z = rbm.propdown(z)
        return z

    def reconstruct(self, x: Array) -> Array:
        """decode(encode(x))."""
        return self.decode(self.encode(x))

    def sample(self, n: int, *, steps: int = 1000, rng: int | np.random.Generator | None = None) -> Array:
        """n examples, as probabilities: `steps` steps of Gibbs sampling in the top RBM, then a draw of each layer
        below; the data stay probabilities.

        The top RBM is the model's prior; the connections below it are directed downwards (Hinton et al. 2006).
        """
        rng = generator(rng, self.rbms[-1].energy.W)
        v = self.rbms[-1].sample(n, steps=steps, rng=rng)
        for rbm in reversed(self.rbms[:-1]):
            v = rbm.propdown(bernoulli(v, rng))
        return v

    # Models that start from its weights

    def upward(self) -> list[Layer]:
        """Dense and Sigmoid layers that compute `encode`, with copies of the weights. Gaussian units get no Sigmoid."""
        layers: list[Layer] = []
        for rbm in self.rbms:
            layers.append(dense(rbm.energy.W, rbm.energy.b))
            if rbm.hidden_units == "bernoulli":
                layers.append(Sigmoid())
        return layers

    def unroll(self) -> Autoencoder:
        """An autoencoder that computes the same as `reconstruct`, to be fine-tuned by backpropagation (Hinton and
        Salakhutdinov 2006). The encoder has W, the decoder Wᵀ, as separate copies; its loss is the cross-entropy of the data.
        """
        layers: list[Layer] = []
        for rbm in reversed(self.rbms):
            layers += [dense(rbm.energy.W.T, rbm.energy.a), Sigmoid()]
        # without the last Sigmoid, so that the decoder gives logits
        return Autoencoder(Sequential(*self.upward()), Sequential(*layers[:-1]), loss=BCEWithLogits())

    def classifier(self, classes: int, *, rng: int | np.random.Generator | None = None) -> Classifier:
        """A classifier: the layers of `encode` and a new Dense layer that gives the classes, to be fine-tuned on labels.

        Fit it to `with_labels(x, labels, classes)`: rows with the label after the features.
        """
        head = Dense(self.sizes[-1], classes, rng=rng)
        like = self.rbms[-1].energy.W
        return Classifier(
            Sequential(*self.upward(), dense(like_array(like, head.W), like_array(like, head.b))), classes
        )


def like_array(like: Array, x: np.ndarray) -> Array:
    """x on the device and in the dtype of another array."""
    return array_module(like).asarray(x).astype(like.dtype)


def dense(W: Array, b: Array) -> Dense:
    """A Dense layer with copies of these weights."""
    layer = Dense(*W.shape)
    layer.W, layer.b = W.copy(), b.copy()
    xp = array_module(W)
    layer.dW, layer.db = xp.zeros_like(layer.W), xp.zeros_like(layer.b)
    return layer
