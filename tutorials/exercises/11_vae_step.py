"""One whole training step of a variational autoencoder, forward and backward.

    h = tanh(x W1 + b1)                                            x (N, D), h (N, H)
    μ = h Wm + bm,   ℓ = h Wv + bv   (ℓ is log σ²)                 μ, ℓ (N, K)
    z = μ + σ ε,     σ = exp(ℓ / 2)                                ε (N, K), drawn before
    a = z W2 + b2                                                  logits of the pixels, (N, D)
    L = 1/N Σₙ Σ_d (log(1 + eᵃ) - x a)  +  1/N Σₙ Σ_k ½ (μ² + e^ℓ - ℓ - 1)

The derivative of log(1 + eᵃ) is σ(a) = 1 / (1 + e⁻ᵃ). μ and ℓ are each used twice, by z and by the second
term of L; h is used by both heads.

theta is a dictionary of the eight arrays "W1", "b1", "Wm", "bm", "Wv", "bv", "W2", "b2". Return L, and a
dictionary with the gradient of each under the same name.

Check:  scratchae check 11_vae_step
"""

import numpy as np


def vae_step(x, epsilon, theta):
    """(L, gradients)."""
    raise NotImplementedError("forward, line by line; then the same lines backwards")
