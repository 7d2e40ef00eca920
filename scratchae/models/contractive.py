"""The contractive autoencoder: its code hardly moves when the input moves."""

from __future__ import annotations

import numpy as np

from ..arguments import number
from ..backend import Array, array_module
from ..errors import OptionError
from ..layers import Dense, Layer, Sigmoid
from ..layers.layer import as_layer
from ..losses import Loss
from .autoencoder import Autoencoder


class ContractiveAutoencoder(Autoencoder):
    """z = σ(x W + b), prediction = decoder(z), L = loss(prediction, x) + weight · 1/N Σₙ ‖∂zₙ/∂xₙ‖².

    ‖·‖² is the sum of the squares of all entries of the Jacobian. As ∂zⱼ/∂xᵢ = zⱼ (1 - zⱼ) Wᵢⱼ,

        ‖∂z/∂x‖² = Σⱼ (zⱼ (1 - zⱼ))² Σᵢ Wᵢⱼ²,

    which depends on W in two ways: through z, and directly. So this is a model, because a penalty on a code sees only z.
    The formula holds for an encoder of one Dense and one Sigmoid, in that order: for another, OptionError is raised. `tied`
    works as in Autoencoder. Rifai et al. 2011, "Contractive Auto-Encoders", equations 5 and 8.
    """

    examples_apart = True
    symbols = Autoencoder.symbols | {"slope": "s", "strength": "w", "weight": "λ"}

    @property
    def formulas(self) -> dict[str, str]:
        """Forward, loss and backward; W is the encoder's."""
        W, dW, plain = f"'{self.dense.name}.W'", f"{self.dense.name}.dW", super().formulas
        sum_of_uses = plain.pop(dW, f"'{dW}'").partition("#")[0]  # three uses with tied weights
        return {
            **{name: text for name, text in plain.items() if name not in ("loss", "dz", "dx")},
            "reconstruction": "loss(prediction, x)",
            "slope": "z * (1 - z)  # The slope of a sigmoid says how much its unit moves when its input does.",
            "strength": f"sum({W} ** 2, axis=0)  # The squares of a unit's weights say how much all inputs together move it.",
            "penalty": "weight * sum(slope ** 2 * strength) / N  # It is the squared size of the [Jacobian](glossary.md#jacobian), so codes that move with every small change of x cost much. ([Chapter 10](10_sparse_contractive.py))",
            "loss": "reconstruction + penalty  # What is descended is the error of the reconstruction plus what the code costs.",
            "dslope": "2 * weight * slope * strength / N  # The slope of a square is twice its base.",
            "dz": "backward(decoder, dprediction) + dslope * (1 - 2 * z)  # z goes into the decoder and into the penalty, through z (1 − z), whose slope is 1 − 2 z; both gradients add up.",
            "dx": "backward(encoder, dz)",
            dW: f"{sum_of_uses} + 2 * weight * sum(slope ** 2, axis=0) * {W} / N  # W is used by the encoder and by the penalty, so the gradients of both uses add up.",
        }

    def __init__(self, encoder: Layer, decoder: Layer, *, loss: Loss, weight: float, tied: bool = False):
        encoder = as_layer(encoder, "encoder")
        if [type(layer) for _, layer in encoder.leaves()] != [Dense, Sigmoid]:
            raise OptionError(
                f"ContractiveAutoencoder(encoder={encoder!r}): expected Sequential(Dense(…), Sigmoid()), "
                "because the penalty's formula holds for this encoder only; for another, use Autoencoder with a penalty or noise"
            )
        self.weight = number(self, "0 <= weight", weight)
        self.dense = next(layer for _, layer in encoder.leaves())
        super().__init__(encoder, decoder, loss=loss, tied=tied)

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        xp = array_module(x)
        reconstruction = super().objective(x, rng)["loss"]
        self.slope = self.z * (1 - self.z)  # σ' (N, H)
        self.strength = xp.sum(self.dense.W * self.dense.W, axis=0)  # Σᵢ Wᵢⱼ² (H,)
        penalty = xp.sum(self.slope * self.slope * self.strength) * (self.weight / len(x))
        return {"loss": reconstruction + penalty, "reconstruction": reconstruction, "penalty": penalty}

    def backward(self) -> None:
        dz = self.decoder.backward(self.dprediction)
        xp = array_module(dz)
        scale = 2 * self.weight / len(self.z)
        # penalty = weight/N Σₙⱼ slope² strength, slope = z (1 - z), strength = Σᵢ W²
        dslope = scale * self.slope * self.strength  # (N, H)
        dz += dslope * (1 - 2 * self.z)  # z is used twice: the gradients add
        self.encoder.backward_first(dz)
        # W is used twice too: in z, above, and in strength; ∂strengthⱼ/∂Wᵢⱼ = 2 Wᵢⱼ
        self.dense.dW += scale * xp.sum(self.slope * self.slope, axis=0) * self.dense.W
        for encoding, decoding in self.tied_pairs:
            encoding.dW += decoding.dW.T
