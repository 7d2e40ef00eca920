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
    raise NotImplementedError("z and P; then dW by both ways, and db")
