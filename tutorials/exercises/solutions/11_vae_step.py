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
    n = len(x)
    W1, b1, Wm, bm = (theta[name] for name in ("W1", "b1", "Wm", "bm"))
    Wv, bv, W2, b2 = (theta[name] for name in ("Wv", "bv", "W2", "b2"))

    h = np.tanh(x @ W1 + b1)
    mu, log_var = h @ Wm + bm, h @ Wv + bv
    sigma = np.exp(log_var / 2)
    z = mu + sigma * epsilon
    a = z @ W2 + b2
    kl = 0.5 * (mu**2 + np.exp(log_var) - log_var - 1)
    L = ((np.logaddexp(0, a) - x * a).sum() + kl.sum()) / n

    da = (1 / (1 + np.exp(-a)) - x) / n
    dz = da @ W2.T
    dmu = dz + mu / n  # through z, and through the KL
    dlog_var = dz * epsilon * sigma / 2 + (np.exp(log_var) - 1) / (2 * n)
    dh = dmu @ Wm.T + dlog_var @ Wv.T  # from both heads
    dhidden = dh * (1 - h**2)
    gradients = {"W1": x.T @ dhidden, "b1": dhidden.sum(axis=0)}
    gradients |= {"Wm": h.T @ dmu, "bm": dmu.sum(axis=0)}
    gradients |= {"Wv": h.T @ dlog_var, "bv": dlog_var.sum(axis=0)}
    gradients |= {"W2": z.T @ da, "b2": da.sum(axis=0)}
    return L, gradients
