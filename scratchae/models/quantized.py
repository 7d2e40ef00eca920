"""The vector-quantised autoencoder: its code is a list of whole numbers, each the number of a vector in a codebook.

The decoder gets e, the vector that is nearest to the encoder's output z. A nearest vector does not move when z does: the loss has
no derivative that could train the encoder. So the gradient is wrong on purpose. It is led past the codebook as if e were z,
straight through:

    ∂R/∂z := ∂R/∂e,

which is the gradient of a loss that holds some things still. With sg(x), stop-gradient, for x held still in ∂:

    q = z + sg(e - z),  L = R(decoder(q), x) + |sg(z) - e|² + β |z - sg(e)|².

The second term draws the codebook to the codes, the third the codes to the codebook, so that the two stay near and the error of
the gradient small. The closer e is to z, the less wrong it is.

van den Oord, Vinyals and Kavukcuoglu 2017, equation 3.
"""

from __future__ import annotations

import math

import numpy as np

from ..arguments import number
from ..backend import Array, array_module, noise_source, require_examples
from ..errors import OptionError
from ..layers import Codebook, Layer
from ..layers.codebook import perplexity, require_enough
from ..layers.layer import as_layer
from ..losses import Loss, as_loss
from .fitting import require_shape
from .model import Model


class VQVAE(Model):
    """z = encoder(x), e = codebook(z), prediction = decoder(e), L = loss(prediction, x) + |sg(z) - e|² + β |z - sg(e)|².

    x (N, …); z and e (N, …, features): a vector for each example, or for each place of a list or an image, as
    `Reshape((places, features))` or a convolution makes them. The squares are summed over an example, and averaged over the batch.
    `commitment` is β. If the codebook is a moving average (`Codebook(…, decay=0.99)`), the second term is left out.

    Metrics: "reconstruction"; "quantisation", |z - e|²; "perplexity", how many codes the batch uses, e to the entropy of their
    shares; and of a training step "revived", how many dead codes were moved.

    The gradient is straight-through: that of L with what sg(…) holds held still, and no slope of L. `check_gradients` compares it
    with `descended`, and says for which tensors it is not the slope of the loss. Raises OptionError for another
    codebook than a `Codebook`, and for β < 0. van den Oord et al. 2017.
    """

    part_names = ("encoder", "codebook", "decoder")
    symbols = {
        **{"e": "e", "offset": "δ\u0304", "z_held": "z\u0304", "e_held": "e\u0304", "q": "q"},
        **{"reconstruction": "R", "commitment": "β"},
    }
    notes = {
        "z": "the code, before it is quantised",
        "e": "the nearest vectors",
        "prediction": "the prediction",
    }

    @property
    def formulas(self) -> dict[str, str]:
        """Forward, loss and backward. The codebook's own term is there if a gradient trains it."""
        trained = self.codebook.decay is None
        held, term = (
            {"z_held": "sg(z)  # In its own term the codebook moves and the code stands still."} if trained else {},
            "sum((z_held - e) ** 2) / N + " if trained else "",
        )
        return {
            "z": "encoder(x)",
            "e": "codebook(z)",
            "offset": "sg(e - z)  # sg holds it still: the step from z to its nearest entry is taken as a number that nothing moves.",
            "q": "z + offset  # It equals e, but its slope to z is 1, so the gradient goes [straight through](glossary.md#straight-through) the choice. ([Chapter 18](18_codebooks_and_masks.py))",
            "prediction": "decoder(q)",
            "reconstruction": "loss(prediction, x)",
            **held,
            "e_held": "sg(e)  # In its own term the code moves and the codebook stands still.",
            "loss": f"reconstruction + {term}commitment * sum((z - e_held) ** 2) / N  # To the error of the reconstruction comes what draws codes and codebook to each other.",
            "dq": "backward(decoder, dprediction)",
            **(
                {
                    "de": "2 * (e - z_held) / N  # An entry is drawn to the codes that chose it.",
                    "codebook": "backward(codebook, de)",
                }
                if trained
                else {}
            ),
            "dz": "dq + 2 * commitment * (z - e_held) / N  # The code gets what the decoder asks for, straight through, and is drawn to its entry.",
            "dx": "backward(encoder, dz)",
        }

    def __init__(self, encoder: Layer, codebook: Codebook, decoder: Layer, *, loss: Loss, commitment: float = 0.25):
        if not isinstance(codebook, Codebook):
            raise OptionError(f"VQVAE(codebook={codebook!r}): expected a Codebook(codes, features)")
        self.encoder, self.codebook = as_layer(encoder, "encoder"), codebook
        self.decoder, self.loss = as_layer(decoder, "decoder"), as_loss(loss)
        self.commitment = number(self, "0 <= commitment", commitment)
        self.still, self.z = False, None
        self.gather()

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        xp = require_examples(x)
        self.z = self.encoder.forward(x, rng)
        self.e = self.codebook.forward(self.z, rng)
        prediction = self.decoder.forward(self.e, rng)  # q: e, and its slope by z is 1
        reconstruction, self.dprediction = self.loss(prediction, x)
        self.offset = self.e - self.z  # offset, z_held, e_held
        quantisation = xp.sum(self.offset * self.offset) / len(x)
        return {
            "loss": reconstruction + self.weight * quantisation,
            "reconstruction": reconstruction,
            "quantisation": quantisation,
            "perplexity": perplexity(self.codebook.chosen),
        }

    @property
    def weight(self) -> float:
        """Of |z - e|² in the loss: β, and 1 for the codebook's own term."""
        return self.commitment + (self.codebook.decay is None)

    def backward(self) -> None:
        if self.z is None:
            raise OptionError("VQVAE.backward has nothing to go back through: objective(x) comes first")
        scale = 2 / len(self.z)
        dq = self.decoder.backward(self.dprediction)
        # |sg(z) - e|²: only the codebook moves
        self.codebook.backward_parameters(scale * self.offset)  # de: 2 (e - z) / N
        # straight through: q = z + sg(e - z), so ∂q/∂z = 1; β |z - sg(e)|²: only the code moves
        dz = dq - self.commitment * scale * self.offset  # ∂L/∂z = ∂L/∂q + 2 β (z - e) / N
        self.encoder.backward_first(dz)

    def training_step(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        """As any model's; and the codebook follows the codes (`Codebook.follow`), unless there is no rng."""
        rng = noise_source(rng, x)
        metrics = super().training_step(x, rng)
        return metrics if rng is None or self.still else metrics | {"revived": self.codebook.follow(rng)}

    def hold(self) -> None:
        super().hold()
        self.still, self.z = True, None

    def descended(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        """The loss, with what sg(…) holds as it was in the last `objective`, or as it is now if there was none since `hold`."""
        if self.z is None:
            return self.objective(x, rng)
        xp = array_module(x)
        z = self.encoder.forward(x, rng)
        e = self.codebook.vectors(self.codebook.k).reshape(z.shape)
        value, _ = self.loss(self.decoder.forward(z + self.offset, rng), x)
        if self.codebook.decay is None:
            value = value + xp.sum((self.z - e) ** 2) / len(x)
        return {"loss": value + self.commitment * xp.sum((z - self.e) ** 2) / len(x)}

    # Using it

    def codes(self, x: Array) -> Array:
        """The code of x as whole numbers, (N, …): which vector of the codebook is nearest, at each place."""
        self.encode(x)
        return self.codebook.k.reshape(self.z.shape[:-1])

    def encode(self, x: Array) -> Array:
        """The code of x as vectors of the codebook, (N, …, features)."""
        self.z = self.encoder.forward(x)
        return self.codebook.forward(self.z)

    def decode(self, e: Array) -> Array:
        """The data that vectors of the codebook represent, in the data's own units. `codebook.vectors(codes)` has those of codes."""
        return self.loss.mean(self.decoder.forward(e))

    def reconstruct(self, x: Array) -> Array:
        """decode(encode(x)), in the shape of x."""
        return self.decode(self.encode(x))

    def bits(self, x: Array) -> float:
        """The bits that a code of x takes if all codes take as many: places · log₂ K. A `CodePrior` needs fewer."""
        require_examples(x)
        return self.codes(x[:1]).size * math.log2(self.codebook.codes)

    def check_data(self, x: Array) -> None:
        self.loss.check_target(x)
        z = self.encode(x[:100])
        prediction = self.decoder.forward(z)
        require_shape("x", prediction, x, self.decoder, z, self.reconstruct)
        self.loss.check_prediction(prediction)

    def check_training(self, x: Array) -> None:
        self.check_data(x)
        require_enough(self.codebook.codes, len(x) * self.codes(x[:1]).size, len(x))
