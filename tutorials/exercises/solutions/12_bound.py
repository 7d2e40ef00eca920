"""The bound that justifies a deep belief network's training layer by layer.

The first RBM has W (V, H), a (V,) and b (H,). It makes v from h, and guesses h from v; the units are
independent in both:

    P(vᵢ=1|h) = σ(h Wᵀ + a)ᵢ,   Q(hⱼ=1|v) = σ(v W + b)ⱼ.

The layers above say how probable each h is. With few hidden units all can be listed: states (S, H) holds every
h, S = 2^H, and log_prior (S,) the logarithm of P(h). For each v the bound is

    log P(v) ≥ Σ_h Q(h|v) [log P(h) + log P(v|h)] + H(Q),   H(Q) = -Σ_h Q(h|v) log Q(h|v).

v (N, V) holds zeros and ones. Return the bound of each row, (N,).
The log-probability of independent bits h, given their logits c, is Σⱼ (hⱼ cⱼ - log(1 + e^cⱼ)), by `log_bits`.

Check:  scratchae check 12_bound
"""

import numpy as np


def log_bits(logits, bits):
    """log P(bits), of each row of logits (A, n) with each of bits (B, n): (A, B)."""
    return logits @ bits.T - np.log1p(np.exp(logits)).sum(axis=1, keepdims=True)


def bound(v, W, a, b, states, log_prior):
    """The bound on log P(v), (N,)."""
    log_q = log_bits(v @ W + b, states)  # (N, S)
    log_v = log_bits(states @ W.T + a, v).T  # (N, S)
    return (np.exp(log_q) * (log_prior + log_v - log_q)).sum(axis=1)
