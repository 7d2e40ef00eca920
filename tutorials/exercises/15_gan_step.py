"""One step of a game of two: the gradients of both players.

The generator makes x̃ = z V from noise z (N, K), with V (K, D). The discriminator gives an example x the
logit a(x) = x w + b, with w (D, 1) and b (1,). With σ(a) = 1 / (1 + e⁻ᵃ), the two losses of N real and N
made examples are

    L_D = -1/N Σₙ log σ(a(xₙ)) - 1/N Σₙ log(1 - σ(a(x̃ₙ)))      of the discriminator
    L_G = -1/N Σₙ log σ(a(x̃ₙ))                                 of the generator

Return (dV, dw, db): ∂L_G/∂V, ∂L_D/∂w and ∂L_D/∂b. The generator's gradient goes through the
discriminator, whose w it leaves alone.

Check:  scratchae check 15_gan_step
"""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def gan_step(x, z, V, w, b):
    """(dV, dw, db)."""
    raise NotImplementedError(
        "the logits of x and of z V; then dV through w, and dw and db from both"
    )
