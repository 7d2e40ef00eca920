"""The discriminator of two players, what either of them descends, and the formulas of both; why, see adversarial.py."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..backend import Array, array_module, require_examples
from ..errors import OptionError, ShapeError
from ..layers import Layer
from ..layers.activations import Sigmoid, sigmoid, softplus

LETTERS = {
    **{"logits": "a", "real_logits": "a_real", "made_logits": "a_made"},
    **{"adversarial": "L_G", "discriminator_loss": "L_D"},
}


class Discriminating:
    """What both models have: a discriminator, and what either player descends."""

    discriminator: Layer
    stacks = True  # the discriminator sees real and made examples in one batch
    random = True  # whether the last `objective` drew from the prior
    descends: Mapping[str, str] = {"discriminator": "discriminator_loss"}
    judging: Mapping[str, str] = {
        "logits": "discriminator(both)",
        "real_logits": "logits[:N]  # The first half of what the discriminator says is about the real examples.",
        "made_logits": "logits[N:]  # The second half is about those that were made.",
    }
    discriminator_formulas: Mapping[str, str] = {
        "discriminator_loss": "mean(softplus(-real_logits)) + mean(softplus(made_logits))  # The [discriminator](glossary.md#discriminator) shall say yes to what is real and no to what was made: softplus of minus or plus the logit is minus the log-probability of that. ([Chapter 15](15_two_players.py))"
    }
    # back through the discriminator a second time: now for its own sake
    discriminator_backward: Mapping[str, str] = {
        "dreal_logits_of_discriminator_loss": "(sigmoid(real_logits) - 1) / N  # The slope of softplus(−a) is σ(a) − 1: what is sure already asks for nothing.",
        "dmade_logits_of_discriminator_loss": "sigmoid(made_logits) / N  # The slope of softplus(a) is σ(a): what is sure already asks for nothing.",
        "dlogits_of_discriminator_loss": "stacked(dreal_logits_of_discriminator_loss, dmade_logits_of_discriminator_loss)  # Both halves go back in one batch, as they came.",
        "dboth_of_discriminator_loss": "backward(discriminator, dlogits_of_discriminator_loss)",
    }

    def back_to_made(self, of: str = "") -> dict[str, str]:
        """Formulas back through the discriminator to what it was given. of: the ending of their names, where the loss has other parts."""
        return {
            f"dmade_logits{of}": "(sigmoid(made_logits) - 1) / N  # The slope of softplus(−a) is σ(a) − 1: what passes for real already asks for nothing.",
            f"dlogits{of}": f"stacked(0 * real_logits, dmade_logits{of})  # Who makes examples cannot change the real ones, so nothing is asked there.",
            f"dboth{of}": f"through(discriminator, dlogits{of})",
        }

    def tell_apart(self, real: Array, made: Array, rng: np.random.Generator | None) -> dict[str, Array]:
        """The metrics of both players. Real and made examples go through the discriminator in one batch."""
        xp = require_examples(real)
        if real.shape[1:] != made.shape[1:]:
            raise ShapeError(
                f"what is made has examples of shape {made.shape[1:]}, the real ones have {real.shape[1:]}: they must be equal"
            )
        both = xp.concatenate([real, made])  # (2 N, …)
        logits = self.discriminator.forward(both, rng)
        self.real_logits, self.made_logits = logits[: len(real)], logits[len(real) :]
        return {
            "adversarial": xp.mean(softplus(-self.made_logits)),
            "discriminator_loss": xp.mean(softplus(-self.real_logits)) + xp.mean(softplus(self.made_logits)),
            "real_taken_for_real": xp.mean(sigmoid(self.real_logits)),
            "made_taken_for_real": xp.mean(sigmoid(self.made_logits)),
        }

    def backward_made(self) -> Array:
        """∂adversarial/∂made, through the discriminator, whose own gradients are of no use after it."""
        xp, a = array_module(self.made_logits), self.made_logits
        # adversarial = mean softplus(-a)
        da = (sigmoid(a) - 1) / len(a)  # dmade_logits
        da = xp.concatenate([xp.zeros_like(self.real_logits), da])  # dlogits
        dboth = self.discriminator.backward(da)
        return dboth[len(self.real_logits) :]  # dmade

    def backward_discriminator(self) -> None:
        """∂L_D/∂θ of the discriminator."""
        xp, real, made = array_module(self.made_logits), self.real_logits, self.made_logits
        # L_D = mean softplus(-real) + mean softplus(made)
        dreal = (sigmoid(real) - 1) / len(real)  # dreal_logits_of_discriminator_loss
        dmade = sigmoid(made) / len(made)  # dmade_logits_of_discriminator_loss
        dlogits = xp.concatenate([dreal, dmade])  # dlogits_of_discriminator_loss
        self.discriminator.backward_first(dlogits)

    def check_discriminator(self, example: Array, what: str = "examples") -> None:
        """Raise ShapeError unless the discriminator takes such an example and gives one number for it, OptionError if no logit."""
        require_examples(example, "example")
        try:
            logits = self.discriminator.forward(example[:1])
        except ShapeError as error:
            raise ShapeError(f"the discriminator compares {what}, of shape {example.shape[1:]}: {error}") from None
        if isinstance([layer for _, layer in self.discriminator.leaves()][-1], Sigmoid):
            raise OptionError("the discriminator ends with Sigmoid: leave it out, as both losses take its logit")
        if logits.shape != (1, 1):
            raise ShapeError(
                f"the discriminator makes {logits.shape[1:]} of an example: expected one number, (1,), the logit of its being "
                "real: let it end with Dense(…, 1) and without Sigmoid"
            )


def inputs(first: Layer) -> int:
    """The number of numbers that a part takes: `inputs` of the first of its layers that has it, such as a Dense."""
    sizes = [layer.inputs for _, layer in first.leaves() if isinstance(getattr(layer, "inputs", None), int)]
    if not sizes:
        raise OptionError(
            f"{first!r}: none of its layers says in `inputs` how many numbers it takes: say it there, or of a GAN give the number, code=…"
        )
    return sizes[0]
