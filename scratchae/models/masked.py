"""The masked autoencoder: patches of its input are hidden, and it is judged by what it puts in their place."""

from __future__ import annotations

import numpy as np

from ..arguments import as_given, number, pair
from ..backend import Array, Pair, array_module, generator, noise_source, require_examples, require_floats
from ..errors import DataError, OptionError, ShapeError
from ..layers import Layer
from ..layers.sparsity import among_largest
from ..losses import Loss
from .autoencoder import Autoencoder


class MaskedAutoencoder(Autoencoder):
    """z = encoder(x ⊙ (1 - h)), prediction = decoder(z), L = loss(prediction, x) over the hidden numbers, where h = 1.

    x (N, H, W, C): of each image's patches, `patch` (or patch[0] × patch[1]) pixels large, as many are hidden, set to 0 in all
    channels, as `rate` says; they are drawn anew in each step. x (N, D): the patches are runs of `patch` columns; 1 hides single
    ones. For a dense net on images, begin the encoder with Flatten() and end the decoder with Reshape((H, W, C)).

    The loss is summed over the hidden numbers of an example. What is seen costs nothing, so copying it earns nothing. `loss` must be
    a sum over the numbers of an example of the same function, as MSE, BCE and BCEWithLogits are. Without an rng
    nothing is hidden, and the loss counts all numbers.

    Raises OptionError for a `rate` that hides no patch or all of them, and ShapeError for patches that do not fill x. He et
    al. 2022, "Masked Autoencoders Are Scalable Vision Learners"; they leave the hidden patches out of the encoder's input.
    """

    examples_apart = True
    symbols = Autoencoder.symbols | {
        "hidden": "h",
        "first": "f",
        "seen": "s",
        "error": "R",
        "dprediction": "dx\u0302",
    }

    @property
    def formulas(self) -> dict[str, str]:
        """The formulas of the last objective, which hid patches or did not."""
        if self.hidden is None:
            return super().formulas
        spread = "upsample(first, size)"
        return {
            "u": "uniform()",
            "first": "largest(u, count)  # The patches with the largest random numbers are hidden, so that it is always the same count.",
            "hidden": (spread if self.hidden.ndim == 4 else f"reshape({spread}, x_shape)")
            + "  # The choice of a patch holds for all of its pixels.",
            "seen": "x * (1 - hidden)  # The encoder sees 0 where a patch is hidden. ([Chapter 18](18_codebooks_and_masks.py))",
            "z": "encoder(seen)",
            "prediction": "decoder(z)",
            "p": "prediction * hidden  # Only what was hidden counts: what the encoder saw could be copied.",
            "t": "x * hidden  # Only what was hidden counts.",
            **(
                {
                    "error": "loss(p, t)",
                    "loss": "error - blank  # What the loss says of the places that do not count is the same for all, and is taken away.",
                }
                if self.blank
                else {"loss": "loss(p, t)"}
            ),
            "dprediction": "dp * hidden  # What was seen did not count, so nothing is asked of it.",
            "dz": "backward(decoder, dprediction)",
            "dx": "backward(encoder, dz)",
        }

    def __init__(
        self, encoder: Layer, decoder: Layer, *, loss: Loss, patch: int | tuple[int, int], rate: float = 0.75
    ):
        self.patch, self.hidden = as_given(patch), None
        self.costs: dict[tuple[int, ...], float] = {}  # of examples of zeros, by their shape
        pair(self, "patch", patch)
        self.rate = number(self, "0 < rate < 1", rate, ": with 0 nothing is hidden, with 1 everything")
        super().__init__(encoder, decoder, loss=loss)

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        rng = noise_source(rng, x)
        self.hidden = None if rng is None else self.hide(x, rng)
        if self.hidden is None:
            return super().objective(x)
        seen = x * (1 - self.hidden)
        self.z = self.encoder.forward(seen, rng)
        prediction = self.decoder.forward(self.z, rng)
        p, t = prediction * self.hidden, x * self.hidden
        loss, dp = self.loss(p, t)
        self.dprediction = dp * self.hidden
        # what is seen is 0 in both p and t. A cross-entropy of a logit of 0 costs log 2 all the same, which is taken off
        self.blank = self.cost_of_zeros(x) * (1 - self.count / self.patches)
        return {"loss": loss - self.blank if self.blank else loss}

    def hide(self, x: Array, rng: int | np.random.Generator | None = None) -> Array:
        """1 where a number of x is hidden, 0 where it is seen: of each example `count` of its patches, drawn by rng. (N, H, W, 1)
        of images, (N, D) of rows.
        """
        require_examples(x)
        (rows, columns), self.size = self.grid(x.shape)
        self.patches, self.count = rows * columns, round(self.rate * rows * columns)
        if not 0 < self.count < self.patches:
            all_or_none, why = ("none", "judged by") if not self.count else ("all", "seen")
            raise OptionError(
                f"MaskedAutoencoder(rate={self.rate:g}) hides {all_or_none} of the {self.patches} patches of an example, so that there is "
                f"nothing to be {why}: expected "
                + (
                    f"a rate that hides 1 to {self.patches - 1} of them, {1 / self.patches:.2g} for each, or smaller patches"
                    if self.patches > 1
                    else "smaller patches"
                )
            )
        u = generator(rng, x).random((len(x), rows, columns, 1), dtype=x.dtype)
        first = among_largest(u.reshape(len(x), -1), self.count).astype(x.dtype).reshape(u.shape)
        if x.ndim == 2:
            return upsampled(first, self.size).reshape(x.shape)  # hidden
        return upsampled(first, self.size)  # hidden

    def grid(self, shape: tuple[int, ...]) -> tuple[Pair, Pair]:
        """How many patches x of this shape has along its height and width, and how large they are. Columns of a table are a height."""
        size = pair(self, "patch", self.patch)
        if not isinstance(shape, tuple):
            raise ShapeError(
                f"MaskedAutoencoder.grid(shape={shape!r}): expected the shape of an array, such as x.shape"
            )
        if len(shape) not in (2, 4) or (len(shape) == 2 and isinstance(self.patch, tuple)):
            raise ShapeError(
                f"MaskedAutoencoder(patch={self.patch!r}) expects "
                + ("" if isinstance(self.patch, tuple) else "rows (N, D) or ")
                + f"images (N, H, W, C), got shape {tuple(shape)}"
            )
        (H, W), size = (shape[1:3], size) if len(shape) == 4 else ((shape[1], 1), (size[0], 1))
        if H % size[0] or W % size[1]:
            what, of = ("an image", f"{H} × {W}") if len(shape) == 4 else ("a row", f"{H}")
            fitting = [n for n in range(1, H) if H % n == 0 and (len(shape) == 2 or W % n == 0)]
            raise ShapeError(
                f"MaskedAutoencoder(patch={self.patch!r}): patches of this size do not fill {what} of {of}: expected one that divides "
                f"it, such as {', '.join(map(str, fitting))}"
            )
        return (H // size[0], W // size[1]), size

    def cost_of_zeros(self, x: Array) -> float:
        """The loss of one example of zeros, predicted to be zeros: 0, but for logits."""
        shape = (1, *x.shape[1:])
        if shape not in self.costs:
            self.costs[shape] = float(self.loss(np.zeros(shape), np.zeros(shape))[0])
        return self.costs[shape]

    # Using it

    def fill_in(self, x: Array, hidden: Array) -> Array:
        """x where it is seen, and where it is hidden (1 in `hidden`, as `hide` makes it) what the model puts there.

        Raises DataError for other numbers in `hidden` than 0 and 1, and for an example of which everything is hidden.
        """
        xp = require_floats(x)
        require_floats(hidden, name="hidden")
        if hidden.ndim != x.ndim or any(h not in (1, n) for h, n in zip(hidden.shape, x.shape, strict=True)):
            raise ShapeError(
                f"hidden has shape {tuple(hidden.shape)}, and x {tuple(x.shape)}: take it from hide(x, rng)"
            )
        rows = hidden.reshape(len(hidden), -1)
        if not bool(xp.all((rows == 0) | (rows == 1))):
            raise DataError("hidden holds other numbers than 0 (seen) and 1 (hidden): take it from hide(x, rng)")
        if bool(xp.any(xp.all(rows == 1, axis=1))):
            raise DataError(
                "hidden hides everything of an example, so that nothing is left to fill it in from: take it from hide(x, rng)"
            )
        return x * (1 - hidden) + self.reconstruct(x * (1 - hidden)) * hidden

    def check_data(self, x: Array) -> None:
        super().check_data(x)
        self.hide(x[:1], np.random.default_rng(0))


def upsampled(first: Array, size: Pair) -> Array:
    """Each number as a patch of this size: (N, rows, columns, 1) -> (N, H, W, 1)."""
    N, rows, columns, _ = first.shape
    spread = array_module(first).broadcast_to(first[:, :, None, :, None, :], (N, rows, size[0], columns, size[1], 1))
    return spread.reshape(N, rows * size[0], columns * size[1], 1)
