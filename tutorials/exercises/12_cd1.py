"""One step of contrastive divergence, CD-1.

From data v₀ (N, V): hidden probabilities, a draw of the hidden units, a reconstruction of the visible ones
as probabilities, and the hidden probabilities of that:

    p₀ = σ(v₀ W + b),   h₀ = 1 where u < p₀ else 0,   v₁ = σ(h₀ Wᵀ + a),   p₁ = σ(v₁ W + b)

u (N, H) holds uniform random numbers. The direction to descend is the difference of two averages over the
batch, ∂F/∂θ at the data minus ∂F/∂θ at the reconstruction, with v₁ held fixed:

    dW = -1/N (v₀ᵀ p₀ - v₁ᵀ p₁)   (V, H),   da = -1/N Σₙ (v₀ - v₁)   (V,),   db = -1/N Σₙ (p₀ - p₁)   (H,)

It is the gradient of no function: v₁ depends on W too, and that is left out. Return (dW, da, db).

Check:  scratchae check 12_cd1
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cd1(v0, W, a, b, u):
    """(dW, da, db)."""
    raise NotImplementedError("p0, h0, v1, p1; then dW, da, db")
