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
    made, N = z @ V, len(x)
    real_logits, made_logits = x @ w + b, made @ w + b
    # L_G = mean of -log σ(a): the gradient in a is (σ(a) - 1) / N, and at the made example that times wᵀ
    dmade = (sigmoid(made_logits) - 1) / N @ w.T
    dV = z.T @ dmade
    # L_D: (σ(a) - 1) / N of the real ones, σ(a) / N of the made ones
    dreal_logits, dmade_logits = (sigmoid(real_logits) - 1) / N, sigmoid(made_logits) / N
    dw = x.T @ dreal_logits + made.T @ dmade_logits
    db = dreal_logits.sum(axis=0) + dmade_logits.sum(axis=0)
    return dV, dw, db
