"""The conditional variational autoencoder: it is told the class, and makes examples of a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arguments import affordable, whole
from ..backend import Array, array_module, require_floats
from ..errors import OptionError, ShapeError
from ..layers import Layer
from ..losses import Loss
from .classifier import require_classes
from .variational import VAE
from .warmup import Warmup


class CVAE(VAE):
    """The conditional VAE: encoder and decoder are both told the class y of x, so that z holds everything else.

    x (N, pixels + labels): its last `labels` columns are y, with a 1 for the class and 0 elsewhere. The encoder gets all of x,
    the decoder gets [z, y], (N, D + labels), and the target is the pixels only. `sample` makes examples of a class. A class without
    training examples does no harm, but its samples mean nothing.

    Raises OptionError for labels < 1. Sohn et al. 2015, eq. 4, with the same prior N(0, 1) for every class.
    """

    examples_apart = True
    symbols = VAE.symbols | {"decoder_input": "c", "target": "t"}
    ends = {
        "decoder_input": "joined(z, x[:, -labels:])  # The decoder is told the label, so that the code need not tell it. ([Chapter 11](11_variational.py))",
        "target": "x[:, :-labels]  # The label is given, so only the picture is to be rebuilt.",
        "dz": "ddecoder_input[:, :code_size]  # The first columns of what the decoder was given are the code.",
    }

    def __init__(
        self,
        encoder: Layer,
        mu: Layer,
        log_var: Layer,
        decoder: Layer,
        *,
        labels: int,
        loss: Loss,
        beta: float | Warmup = 1.0,
        log_var_limit: float = 20.0,
        free_bits: float = 0.0,
    ):
        self.labels = whole(self, "labels", labels)
        options = {"loss": loss, "beta": beta, "log_var_limit": log_var_limit, "free_bits": free_bits}
        super().__init__(encoder, mu, log_var, decoder, **options)

    def target(self, x: Array) -> Array:
        """The pixels of x."""
        return self.parted(x)[0]  # target

    def decoder_input(self, z: Array, x: Array) -> Array:
        """[z, y], where y is taken from x. A single x serves for all z."""
        return self.joined(z, self.parted(x)[1])

    def parted(self, x: Array) -> tuple[Array, Array]:
        """The pixels of x, and its labels y. Raises ShapeError if x has no columns for both."""
        require_floats(x)
        if x.ndim != 2 or x.shape[1] <= self.labels:
            raise ShapeError(
                f"CVAE(labels={self.labels}) expects rows of pixels and, at their end, {self.labels} labels, got {tuple(x.shape)}"
            )
        return x[:, : -self.labels], x[:, -self.labels :]

    def joined(self, z: Array, y: Array) -> Array:
        """[z, y], with a single y for all z or one for each. Raises OptionError for another y."""
        xp = require_floats(z, name="z")
        if z.ndim != 2 or getattr(y, "shape", ()) not in ((len(z), self.labels), (1, self.labels)):
            found = "nothing" if y is None else getattr(y, "shape", repr(y))
            raise OptionError(
                f"CVAE.decode(z, y) needs the classes y, one-hot, of shape ({len(z)}, {self.labels}), or (1, {self.labels}) for all "
                f"z, got {found}"
            )
        return xp.concatenate([z, xp.broadcast_to(y, (len(z), self.labels))], axis=1)  # decoder_input

    def backward(self) -> None:
        dzy = self.decoder.backward(self.dprediction)
        # decoder([z, y]): y is data and needs no gradient
        self.backward_code(dzy[:, : self.code_size])  # dz

    def decode(self, z: Array, y: Array | None = None) -> Array:
        """The pixels that a code z (N, D) represents in classes y (N, labels), one-hot. Raises OptionError without y."""
        return self.loss.mean(self.decoder.forward(self.joined(z, y)))

    def sample(
        self, n: int, rng: int | np.random.Generator | None = None, label: int | Sequence[int] | None = None
    ) -> Array:
        """n new examples of one class, or of n classes. Without `label`, the classes take turns.

        Raises OptionError if there is no such class.
        """
        n, _ = affordable("sample", whole("sample", "n", n), self.labels)
        classes = np.arange(n) % self.labels if label is None else np.asarray(label)
        fits = classes.dtype.kind in "iu" and classes.shape in ((), (n,))
        if not fits or classes.min() < 0 or classes.max() >= self.labels:
            raise OptionError(
                f"sample(label={label!r}): expected a class from 0 to {self.labels - 1}, or a list of {n} classes"
            )
        z = self.prior(n, rng)
        y = np.eye(self.labels, dtype=z.dtype)[np.broadcast_to(classes, n)]
        return self.decode(z, array_module(z).asarray(y))

    def check_data(self, x: Array) -> None:
        require_classes(self.parted(x)[1])
        super().check_data(x)
