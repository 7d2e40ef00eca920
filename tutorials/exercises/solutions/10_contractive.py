"""The contractive penalty.

How much does the code move when the input does? For z = σ(x W + b), one layer, the Jacobian of an
example is ∂zₙⱼ/∂xₙᵢ = zₙⱼ (1 - zₙⱼ) Wᵢⱼ, and the penalty is its squared size, averaged over the batch:

    P = 1/N Σₙ Σⱼ (zₙⱼ (1 - zₙⱼ))² Σᵢ Wᵢⱼ²         x (N, I), W (I, H), z (N, H)

P depends on W in two ways: through z, and through Σᵢ Wᵢⱼ². Both give a term of the gradient, and
they add. On b it depends through z only. Return (P, dW, db): a number, (I, H), (H,).

Steps: s = z (1 - z) and its derivative ds/da = s (1 - 2 z), with a = x W + b.

Check:  scratchae check 10_contractive
"""

import numpy as np


def contractive(x, W, b):
    """(P, dW, db) of the penalty on z = σ(x W + b)."""
    n = len(x)
    z = 1 / (1 + np.exp(-(x @ W + b)))
    s = z * (1 - z)  # (N, H)
    strength = (W**2).sum(axis=0)  # Σᵢ Wᵢⱼ² (H,)
    value = (s**2 * strength).sum() / n
    da = 2 / n * s * strength * s * (1 - 2 * z)  # ∂P/∂s · ds/da
    dW = x.T @ da + 2 / n * (s**2).sum(axis=0) * W  # through z, and through strength
    return value, dW, da.sum(axis=0)
