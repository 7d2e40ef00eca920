"""The sequence autoencoder: it reads a sequence step by step into a code, and writes it back from there."""

from __future__ import annotations

import numpy as np

from ..arguments import affordable, flag, number, sizes, whole
from ..backend import Array, array_module, require_examples
from ..errors import OptionError, ShapeError
from ..layers import Attention, Layer
from ..layers.stepping import Recurrent, real_steps
from ..losses import Loss
from .autoencoder import Autoencoder


class SequenceAutoencoder(Autoencoder):
    """z = encoder(x), prediction = decoder(u), L = loss(prediction, x), where u gives the decoder z at every step.

    x (N, T, D) -> z (N, K) -> u (N, T, K) -> prediction (N, T, D). An encoder ends with one state for each sequence,
    Sequential(GRU(28, 128, last=True), Dense(128, 32)); a decoder gives something for every step, Sequential(GRU(32, 128),
    StepDense(128, 28)). `shape` is (T, D), the sequences that `decode` writes if it is not told how many steps.

    A decoder that begins with `Attention` reads a code of several vectors, z (N, M, K), and is given no more: u = z. Each of its queries
    reads them for one step, so that it has as many queries as x has steps. The vectors may be one for each step, which hold T K
    numbers, or a few that an `Attention` at the end of the encoder makes of all its states: Attention(4, 128, 8) makes 4 · 8 numbers.

    `teacher_forcing=True` gives the decoder in training also x one step earlier, u = [x₋₁, z], (N, T, D + K): the right one,
    whatever it has written itself (Williams and Zipser 1989). `decode` has no x: there it runs free, and reads what it wrote. No step of such
    a decoder may use later steps of u. Without teacher forcing, training runs as free as use does.

    `padding`: steps of x that hold this number only are none, as in `RNN`, whose `padding` in the encoder must be the same. They
    add nothing to the loss, of which each number must be a function of one number of the prediction and one of x.

    Raises OptionError for another `padding` in the encoder, and for teacher forcing of a decoder that begins with `Attention`.
    """

    examples_apart = True
    symbols = Autoencoder.symbols | {"decoder_input": "u", "shown": "x\u0302", "target": "t", "filling": "F"}

    @property
    def formulas(self) -> dict[str, str]:
        """Forward, loss and backward, with what teacher forcing and padding make of them."""
        z = "each_step(z, x_shape)"
        u = {
            "decoder_input": (f"joined(earlier(x), {z})" if self.teacher_forcing else z)
            + "  # The decoder gets the code at every step, so that it need not remember it. ([Chapter 16](16_sequences.py))"
        }
        forward = {"z": "encoder(x)", **u, "prediction": "decoder(decoder_input)"}
        if self.padding is None:
            loss, first = {"loss": "loss(prediction, x)"}, {}
        else:
            shown = {
                "shown": "where(real, prediction, 0.5)  # Where there is no step, prediction and target are set equal, so that they cost the same always.",
                "target": "where(real, x, 0.5)  # Where there is no step, prediction and target are set equal, so that they cost the same always.",
            }
            loss = shown | {
                "reconstruction": "loss(shown, target)",
                "loss": "reconstruction - filling  # What the places without a step cost is the same always, and is taken away.",
            }
            first = {"dprediction": "dshown * real  # Where there is no step nothing is asked."}
        backward = {
            "ddecoder_input": "backward(decoder, dprediction)",
            "dz": f"sum(ddecoder_input{'[:, :, features:]' if self.teacher_forcing else ''}, axis=1)  # The code is given to every step, so what all of them ask of it adds up.",
        }
        if self.attends:
            forward = {"z": "encoder(x)", "prediction": "decoder(z)"}
            backward = {"dz": "backward(decoder, dprediction)"}
        return forward | loss | first | backward | {"dx": "backward(encoder, dz)"}

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        *,
        shape: tuple[int, int],
        loss: Loss,
        teacher_forcing: bool = False,
        padding: float | None = None,
    ):
        self.shape = sizes(self, "shape", shape, 2)[:2]
        self.teacher_forcing = flag(self, "teacher_forcing", teacher_forcing)
        self.padding = None if padding is None else number(self, "padding", padding, ", or None")
        super().__init__(encoder, decoder, loss=loss)
        _, first = next(self.decoder.running_order())
        self.attends = isinstance(first, Attention)
        if self.attends and self.teacher_forcing:
            raise OptionError(
                f"SequenceAutoencoder(teacher_forcing=True) gives the decoder x one step earlier, and its first layer {first!r} reads "
                "the code only: leave teacher_forcing out, or begin the decoder with a GRU"
            )
        for name, layer in self.encoder.leaves("encoder"):
            if isinstance(layer, Recurrent | Attention) and layer.padding != self.padding:
                raise OptionError(
                    f"SequenceAutoencoder(padding={self.padding}), but {name} {layer!r} has padding={layer.padding}: give both the same"
                )

    @property
    def features(self) -> int:
        """D, how many numbers a step has."""
        return self.shape[1]

    def decoder_input(self, z: Array, x: Array) -> Array:
        """u for every step of x: z, and with teacher forcing x one step earlier before it; for attention all of z."""
        if self.attends:
            return z
        xp, (N, T, _) = array_module(z), x.shape
        z = xp.broadcast_to(z[:, None], (N, T, z.shape[1]))
        if not self.teacher_forcing:
            return z  # decoder_input
        first = xp.zeros((N, 1, x.shape[2]), dtype=x.dtype)
        return xp.concatenate([xp.concatenate([first, x[:, :-1]], axis=1), z], axis=2)  # decoder_input

    def decode(self, z: Array, steps: int | None = None) -> Array:
        """The sequences that codes z, (N, K) or (N, M, K), represent, (N, steps, D), in the data's own units. steps: by default T of `shape`."""
        if getattr(z, "ndim", 0) != 2 + self.attends:
            codes = "(N, M, K)" if self.attends else "(N, K)"
            raise ShapeError(f"decode expects codes {codes}, got {getattr(z, 'shape', type(z).__name__)}")
        T = self.shape[0] if steps is None else whole("decode", "steps", steps)
        if self.attends and self.shape[0] != T:
            raise OptionError(
                f"decode(steps={T}), but the decoder's attention has a query for each of {self.shape[0]} steps: leave steps out"
            )
        made = array_module(z).zeros(affordable("decode", len(z), T, self.features), dtype=z.dtype)
        if not self.teacher_forcing:
            return self.loss.mean(self.decoder.forward(self.decoder_input(z, made)))
        for t in range(T):  # a step reads what was written before it
            prediction = self.decoder.forward(self.decoder_input(z, made[:, : t + 1]))
            made[:, t] = self.loss.mean(prediction)[:, t]
        return made

    def reconstruct(self, x: Array) -> Array:
        """decode(encode(x)), in the shape of x, with its padding."""
        made = self.decode(self.encode(x), x.shape[1])
        if self.padding is None:
            return made
        return array_module(x).where(self.real_steps(x), made, made.dtype.type(self.padding))

    def real_steps(self, x: Array) -> Array:
        """Which steps of x are none of padding, (N, T, 1)."""
        return real_steps(x, self.padding, type(self).__name__)

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        if getattr(x, "ndim", 3) != 3:
            raise ShapeError(f"SequenceAutoencoder expects sequences (N, T, D), got x of shape {tuple(x.shape)}")
        self.z = self.encoder.forward(x, rng)
        prediction = self.decoder.forward(self.decoder_input(self.z, x), rng)
        if self.padding is None:
            loss, self.dprediction = self.loss(prediction, x)
        else:
            loss, self.dprediction = self.loss_of_real(prediction, x)
        return {"loss": loss}

    def loss_of_real(self, prediction: Array, x: Array) -> tuple[Array, Array]:
        """The loss of the steps that there are, and ∂L/∂prediction. At all others both get ½, and what that costs is taken off."""
        xp, half = array_module(x), x.dtype.type(0.5)
        self.real = self.real_steps(x)
        shown, target = xp.where(self.real, prediction, half), xp.where(self.real, x, half)
        reconstruction, dshown = self.loss(shown, target)
        each, _ = self.loss(*(xp.full((1, 1, 1), 0.5, dtype=x.dtype) for _ in range(2)))
        self.filling = each * (xp.sum(~self.real) * self.features / len(x)).astype(x.dtype)
        return reconstruction - self.filling, dshown * self.real  # dprediction

    def backward(self) -> None:
        du = self.decoder.backward(self.dprediction)  # ddecoder_input
        # u = [x₋₁, z] at every step, where x is data and needs no gradient; for attention u = z
        dz = du if self.attends else array_module(du).sum(du[:, :, -self.z.shape[1] :], axis=1)
        self.encoder.backward_first(dz)

    def check_data(self, x: Array) -> None:
        require_examples(x)
        if x.ndim != 3 or x.shape[2] != self.features:
            raise ShapeError(
                f"SequenceAutoencoder(shape={self.shape}) reads sequences of shape (N, T, {self.features}), x has {x.shape}: "
                f"x.reshape(len(x), -1, {self.features}) takes images row by row; scratchae.padded makes one array of a list"
            )
        self.loss.check_target(x if self.padding is None else x[self.real_steps(x)[:, :, 0]])
        z = self.encoder.forward(x[:100])
        if z.ndim != 2 + self.attends:
            made = f"the encoder makes codes of shape (N, {', '.join(map(str, z.shape[1:]))}), expected"
            raise ShapeError(
                f"{made} several vectors, (N, M, K), for the decoder's attention: all states, last=False, or an Attention behind them"
                if self.attends
                else f"{made} one row for each sequence, (N, K): end its last recurrent layer with last=True, flatten, or begin the decoder "
                "with Attention"
            )
        prediction = self.decoder.forward(self.decoder_input(z, x[:100]))
        if prediction.shape[1:] != x.shape[1:]:
            raise ShapeError(
                f"the decoder makes sequences of shape {prediction.shape[1:]}, x has {x.shape[1:]}: they must be equal"
            )
        self.loss.check_prediction(prediction)
