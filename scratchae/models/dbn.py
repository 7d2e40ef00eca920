"""The deep belief network as a stack of RBMs, trained one by one: a model of data, and a good start for backpropagation."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from ..backend import Array, array_module, generator
from ..errors import OptionError
from ..layers import Dense, Layer, Sequential, Sigmoid
from ..losses import BCEWithLogits
from .autoencoder import Autoencoder
from .belief import BeliefNet, dense
from .classifier import Classifier
from .rbm import RBM
from .updown import UpDown


class DBN(BeliefNet):
    """Deep belief network of RBMs: the hidden units of each RBM are the visible units of the next (Hinton et al. 2006).

    sizes, such as (784, 1000, 500, 250, 30), start at the data. top="gaussian" makes the last hidden units real numbers with
    unit variance, a code for an autoencoder. "bernoulli" makes them binary, as the layers below, which is better for classes
    and for generation.

    `scratchae.pretrain` trains it, not `fit`: each RBM models the output of the RBMs below it. As a model of data only the last RBM
    keeps its P(v, h), as `prior`; of each other P(v|h) stays, and P(h|v) is the guess Q. Then `unroll`, `classifier` and `untie`
    give new models that start from copies of its weights; fine-tune them by `fit`.
    """

    def __init__(self, sizes: Sequence[int], *, top: str = "gaussian", rng: int | np.random.Generator | None = None):
        super().__init__(sizes, top, count=2)
        rng = generator(rng)
        kinds = ["bernoulli"] * (len(sizes) - 2) + [top]
        self.rbms = [
            RBM(visible, hidden, hidden_units=kind, rng=rng)
            for (visible, hidden), kind in zip(itertools.pairwise(sizes), kinds, strict=True)
        ]
        self.gather()

    @property
    def prior(self) -> RBM:
        """The RBM of the two top layers."""
        return self.rbms[-1]

    def leaves(self) -> Iterator[tuple[str, Layer]]:
        for i, rbm in enumerate(self.rbms):
            yield f"rbms.{i}", rbm.energy

    def ascend(self, i: int, v: Array) -> Array:
        return self.rbms[self.layer(i)].energy.up(v)

    def descend(self, i: int, h: Array) -> Array:
        return self.rbms[self.layer(i)].energy.down(h)

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        """None of its own: raises OptionError, as `check_data` does."""
        raise OptionError(
            "a DBN is trained layer by layer: pretrain(model, x), then fit the model that unroll(), classifier() or untie() returns"
        )

    def check_data(self, x: Array) -> None:
        self.objective(x)

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

    def untie(self, *, k: int = 1) -> UpDown:
        """The same model with weights of its own for Q, to be trained as a whole by the up-down algorithm. k: of its contrastive
        divergence. Raises OptionError for a DBN of a single RBM.
        """
        model, below = UpDown(self.sizes, top=self.top, k=k), [rbm.energy for rbm in self.rbms[:-1]]
        up, down = [dense(F.W, F.b) for F in below], [dense(F.W.T, F.a) for F in below]
        model.begin(up, down, copy.deepcopy(self.prior))
        return model

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
