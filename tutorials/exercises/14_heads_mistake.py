"""Mend two heads: each number of the code needs a mean and a spread of its own.

The last layer of a VAE's encoder gives a (N, 2K). Its first K columns are μ, its last K are log σ², and

    z = μ + e^(log σ² / 2) ε        ε (N, K) ~ N(0, 1)

The code below takes *one* column for μ and one for log σ². NumPy stretches them to K columns without a word, so
all numbers of the code share one mean and one spread. Backward fits forward: a gradient check passes, and the
other columns of a get no gradient at all. Mend both.

Check:  scratchae check 14_heads_mistake
"""

import numpy as np


def forward(a, eps):
    """z (N, K)."""
    mu, log_var = a[:, :1], a[:, 1:2]
    return mu + np.exp(log_var / 2) * eps


def backward(dz, a, eps):
    """da (N, 2K)."""
    da = np.zeros_like(a)
    da[:, :1] = dz.sum(axis=1, keepdims=True)
    da[:, 1:2] = (dz * eps * np.exp(a[:, 1:2] / 2)).sum(axis=1, keepdims=True) / 2
    return da
