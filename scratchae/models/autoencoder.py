"""The autoencoder: an encoder and a decoder, trained to return their input."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..arguments import flag
from ..backend import Array, array_module
from ..errors import OptionError, ShapeError
from ..layers import Dense, Layer
from ..layers.layer import as_layer
from ..losses import Loss, as_loss
from ..penalties import Penalty, as_penalty
from .fitting import require_shape
from .model import Model


class Autoencoder(Model):
    """z = encoder(x), prediction = decoder(z), L = loss(prediction, x) + penalty(z).

    x (N, …); z is the code. If the encoder begins with a noise layer, the target is still the clean x: this is a
    denoising autoencoder. `penalty` acts on the code: with one, this is a sparse autoencoder.

    `tied=True` makes the i-th last Dense of the decoder use the transposed W of the i-th Dense of the encoder
    (its own b stays): this halves the parameters, and W both reads and writes the data. Raises ShapeError if
    encoder and decoder do not mirror each other.
    """

    part_names = ("encoder", "decoder")
    examples_apart = True
    symbols = {"reconstruction": "R", "penalty": "Ω"}
    notes = {"z": "the code", "prediction": "the prediction"}
    dprediction: Array | None = None  # until `objective` has run

    @property
    def formulas(self) -> dict[str, str]:
        """Forward, loss and backward. Tied weights are named by their layers."""
        forward = {"z": "encoder(x)", "prediction": "decoder(z)"}
        tied = {
            f"{there.name}.W": f"'{here.name}.W'.T  # The decoder uses the encoder's weights, turned: they are [tied](glossary.md#tied-weights)."
            for here, there in self.tied_pairs
        }
        sums = {
            f"{here.name}.dW": f"'{here.name}.dW' + '{there.name}.dW'.T  # One matrix is used twice, so the gradients of both uses add up."
            for here, there in self.tied_pairs
        }
        if self.penalty is None:
            loss = {"loss": "loss(prediction, x)"}
            backward = {"dz": "backward(decoder, dprediction)"}
        else:
            loss = {
                "reconstruction": "loss(prediction, x)",
                "penalty": "penalty(z)",
                "loss": "reconstruction + penalty  # What is descended is the error of the reconstruction plus what the code costs.",
            }
            backward = {
                "dz": "backward(decoder, dprediction) + dpenalty  # The code goes into two terms of L, so the gradients of both add up. ([Chapter 10](10_sparse_contractive.py))"
            }
        return {**tied, **forward, **loss, **backward, "dx": "backward(encoder, dz)", **sums}

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        *,
        loss: Loss,
        penalty: Penalty | None = None,
        tied: bool = False,
    ):
        self.encoder, self.decoder = as_layer(encoder, "encoder"), as_layer(decoder, "decoder")
        self.loss, self.penalty = as_loss(loss), None if penalty is None else as_penalty(penalty)
        self.tied = flag(self, "tied", tied)
        self.gather()

    def encode(self, x: Array) -> Array:
        """The code z of x."""
        return self.encoder.forward(x)

    def decode(self, z: Array) -> Array:
        """The data that a code represents, in the data's own units."""
        self.tie()
        return self.loss.mean(self.decoder.forward(z))

    def reconstruct(self, x: Array) -> Array:
        """decode(encode(x)), in the shape of x."""
        return self.decode(self.encode(x))

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        self.tie()
        self.z = self.encoder.forward(x, rng)
        prediction = self.decoder.forward(self.z, rng)
        reconstruction, self.dprediction = self.loss(prediction, x)  # the target is the clean x
        if self.penalty is None:
            return {"loss": reconstruction}
        penalty, self.dpenalty = self.penalty(self.z)
        return {"loss": reconstruction + penalty, "reconstruction": reconstruction, "penalty": penalty}

    def backward(self) -> None:
        dz = self.decoder.backward(self.dprediction)
        if self.penalty is not None:
            dz = dz + self.dpenalty  # z goes into the decoder and into the penalty: the gradients add
        self.encoder.backward_first(dz)
        for encoding, decoding in self.tied_pairs:
            encoding.dW += decoding.dW.T  # W is used twice: the gradients add

    def check_data(self, x: Array) -> None:
        self.loss.check_target(x)
        z = self.encoder.forward(x[:100])
        prediction = self.decoder.forward(z)
        require_shape("x", self.loss.mean(prediction), x, self.decoder, z, self.reconstruct)
        self.loss.check_prediction(prediction)
        if self.penalty is not None:
            self.penalty.check_code(z)

    def named_parameters(self) -> Iterator[tuple[str, Layer, str]]:
        borrowing = [decoding for _, decoding in self.tied_pairs]
        for name, layer, attribute in super().named_parameters():
            if attribute != "W" or not any(layer is other for other in borrowing):
                yield name, layer, attribute

    def gather(self) -> None:
        self.tied_pairs = mirrored(self.encoder, self.decoder) if self.tied else []
        super().gather()
        for encoding, decoding in self.tied_pairs:
            decoding.dW = array_module(encoding.W).zeros(encoding.W.shape[::-1], dtype=encoding.W.dtype)
        self.lent, self.borrowed = [None] * len(self.tied_pairs), [None] * len(self.tied_pairs)
        self.tie()

    def tie(self) -> None:
        """Give the decoder the encoder's W, transposed, if the encoder's W has been replaced."""
        for i, (encoding, decoding) in enumerate(self.tied_pairs):
            if encoding.W is not self.lent[i]:
                self.lent[i], self.borrowed[i] = encoding.W, encoding.W.T
                decoding.W = self.borrowed[i]
            elif decoding.W is not self.borrowed[i]:
                raise OptionError(
                    f"{decoding.label()} uses the W of {encoding.label()}, transposed (tied=True), but its own W was set: "
                    "set the encoder's W instead"
                )


def mirrored(encoder: Layer, decoder: Layer) -> list[tuple[Dense, Dense]]:
    """The encoder's Dense layers, each with its mirror image in the decoder. Raises ShapeError if one is missing."""
    encoding = [layer for _, layer in encoder.leaves() if isinstance(layer, Dense)]
    decoding = [layer for _, layer in decoder.leaves() if isinstance(layer, Dense)][::-1]
    if not encoding:
        raise OptionError("tied=True ties Dense layers, but the encoder has no Dense layer")
    if [(layer.inputs, layer.outputs) for layer in encoding] != [(layer.outputs, layer.inputs) for layer in decoding]:
        raise ShapeError(
            f"tied=True needs a decoder that mirrors the encoder: encoder {encoding}, decoder backwards {decoding}"
        )
    return list(zip(encoding, decoding, strict=True))
