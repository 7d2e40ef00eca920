"""Mend a penalty: sparsity of a unit, not of an example.

The sparse autoencoder's penalty compares ρ = 0.1 with how often a unit is on, its average ρ̂ over the
*batch*. The code below takes every single activation for ρ̂, and averages the penalties instead. Value and
gradient fit each other, so a gradient check passes; but now every unit is pushed to 0.1 on every example,
and none can be on when it is needed. Mend it:

    ρ̂ⱼ = 1/N Σₙ zₙⱼ,   P = Σⱼ (ρ log(ρ / ρ̂ⱼ) + (1 - ρ) log((1 - ρ) / (1 - ρ̂ⱼ)))        z (N, D) in (0, 1)

Check:  scratchae check 14_sparsity_mistake
"""

import numpy as np

RHO = 0.1


def sparse_kl(z):
    """(P, dz)."""
    n = len(z)
    value = (RHO * np.log(RHO / z) + (1 - RHO) * np.log((1 - RHO) / (1 - z))).sum() / n
    return value, ((1 - RHO) / (1 - z) - RHO / z) / n
