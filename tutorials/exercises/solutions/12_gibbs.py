"""A chain of Gibbs sampling, and the matrix that says where it goes.

A restricted Boltzmann machine has W (V, H), a (V,) and b (H,). Given one side, the units of the other are
independent:

    P(hⱼ=1|v) = σ(v W + b)ⱼ,   P(vᵢ=1|h) = σ(h Wᵀ + a)ᵢ

1. `step` takes many chains one step on, from v (N, V) to h and to v'. A unit is 1 where its uniform random
   number, of u (N, H) for h and of w (N, V) for v', is below its probability, and else 0. Return v'.
2. `transition` says how probable each step is. visible (S, V) and hidden (R, H) hold every state of the sides:

       T[i, j] = Σ_h P(h | visible[i]) P(visible[j] | h)        (S, S)

   Independent bits with probabilities p have the probability Πⱼ pⱼ^hⱼ (1 - pⱼ)^(1 - hⱼ).

The check runs 20,000 chains by your `step` from one state, and compares where they are with T to the power 3.

Check:  scratchae check 12_gibbs
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(v, W, a, b, u, w):
    """v' (N, V), zeros and ones."""
    h = (u < sigmoid(v @ W + b)).astype(v.dtype)
    return (w < sigmoid(h @ W.T + a)).astype(v.dtype)


def transition(W, a, b, visible, hidden):
    """T (S, S)."""
    p = sigmoid(visible @ W + b)[:, None]  # (S, 1, H), against hidden (R, H)
    h_given_v = np.where(hidden == 1, p, 1 - p).prod(axis=2)
    p = sigmoid(hidden @ W.T + a)[:, None]
    v_given_h = np.where(visible == 1, p, 1 - p).prod(axis=2)
    return h_given_v @ v_given_h
