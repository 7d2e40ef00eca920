"""The exact gradient of a restricted Boltzmann machine, by adding up all states.

A machine with few visible units V and hidden units H needs no sampling. For data x (N, V), W (V, H), a (V,)
and b (H,) the loss is the mean negative log-likelihood:

    L = 1/N Σₙ F(xₙ) + log Z,   Z = Σ_v e^-F(v),   F(v) = -v · a - Σⱼ log(1 + e^cⱼ),   c = v W + b

states (S, V) holds every v, S = 2^V. The derivative of L by a parameter θ is a difference of two averages, one
over the data and one over all states, each state with its probability P(v) = e^-F(v) / Z:

    ∂L/∂θ = 1/N Σₙ ∂F(xₙ)/∂θ - Σ_v P(v) ∂F(v)/∂θ

Derive ∂F/∂W, ∂F/∂a and ∂F/∂b first, on paper. Return (L, dW, da, db).

Check:  scratchae check 12_enumerate
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def free_energy(v, W, a, b):
    """F(v), as in 12_free_energy."""
    return -v @ a - np.logaddexp(0, v @ W + b).sum(axis=1)


def exact(x, states, W, a, b):
    """(L, dW, da, db)."""
    raise NotImplementedError("F of all states, log Z and P(v); then two averages of ∂F/∂θ")
