"""The importance-weighted bound and its gradients.

For each of N images, k codes zₙᵢ = μₙ + σₙ εₙᵢ were drawn, with σ = exp(log_var / 2), and the decoder has told
log p(xₙ|zₙᵢ) and its slope by z. With p(z) = N(0, 1) and q(z|x) = N(μ, σ²) in each of the K numbers,

    wₙᵢ = p(xₙ|zₙᵢ) p(zₙᵢ) / q(zₙᵢ|xₙ),      L = -1/N Σₙ log(1/k Σᵢ wₙᵢ).

mu, log_var (N, K), epsilon (N, k, K), log_p (N, k), slope (N, k, K) = ∂log p(x|z)/∂z. Return L, the shares
w̃ₙᵢ = wₙᵢ / Σⱼ wₙⱼ (N, k), and ∂L/∂mu and ∂L/∂log_var (N, K), through all draws, with ε held still.

log_p may be -2000, where exp gives 0: subtract the largest log w of each image before exp, and add it again
where it belongs. What becomes of the shares?

Check:  scratchae check 11_iwae_weights
"""

import numpy as np


def iwae(mu, log_var, epsilon, log_p, slope):
    """(L, share, dmu, dlog_var)."""
    n = len(mu)
    sigma = np.exp(log_var / 2)[:, None]
    z = mu[:, None] + sigma * epsilon
    # log p(z) - log q(z|x): the constants cancel, and (z - μ) / σ is ε
    log_w = log_p + 0.5 * (epsilon**2 + log_var[:, None] - z**2).sum(axis=2)
    top = log_w.max(axis=1, keepdims=True)
    w = np.exp(log_w - top)
    L = -(np.log(w.mean(axis=1)) + top[:, 0]).mean()
    share = w / w.sum(axis=1, keepdims=True)  # the factor exp(top) cancels
    dz = -share[:, :, None] * (slope - z) / n  # ∂L/∂log w = -w̃ / N
    dlog_var = (dz * epsilon * sigma / 2).sum(axis=1) - 0.5 / n  # the shares add up to 1
    return L, share, dz.sum(axis=1), dlog_var
