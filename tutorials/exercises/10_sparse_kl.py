"""The sparsity penalty on the average activity of a unit.

Each of the D units, a sigmoid, should be on in a share ρ = 0.1 of the examples. Its average over the
batch is

    ρ̂ⱼ = 1/N Σₙ zₙⱼ                                                  z (N, D) in (0, 1), ρ̂ (D,)
    P = Σⱼ (ρ log(ρ / ρ̂ⱼ) + (1 - ρ) log((1 - ρ) / (1 - ρ̂ⱼ)))          a number

P depends on z through ρ̂ alone. Derive ∂P/∂ρ̂ⱼ, then ∂ρ̂ⱼ/∂zₙⱼ, and return (P, ∂P/∂z), (N, D).

Check:  scratchae check 10_sparse_kl
"""

import numpy as np

RHO = 0.1


def sparse_kl(z):
    """(P, dz)."""
    raise NotImplementedError("ρ̂, P, ∂P/∂ρ̂, and ∂P/∂z in the shape of z")
