"""Softmax, its backward pass, and its cross-entropy.

A classifier gives K logits for each of N examples, a (N, K), and the probabilities of the classes are

    p_j = e^a_j / Σₖ e^a_k           each row of p adds up to 1

1. `softmax_backward(p, dp)`: given p and ∂L/∂p, both (N, K), return ∂L/∂a. A logit moves its own
   probability, and through the sum all others of its row.

2. `softmax_ce(a, t)`: the targets t (N, K) are shares of the classes, and each row of them adds up to 1:

    L = -1/N Σₙ Σⱼ tₙⱼ log pₙⱼ       a number, in nats

   Return (L, ∂L/∂a). For logits of any size: with m the largest logit of the row,
   log p_j = (a_j - m) - log Σₖ e^(a_k - m).

Check:  scratchae check 07_softmax_ce
"""

import numpy as np


def softmax_backward(p, dp):
    """∂L/∂a, (N, K)."""
    raise NotImplementedError("∂L/∂a from p and dp")


def softmax_ce(a, t):
    """(L, da)."""
    raise NotImplementedError("log p without overflow, then L and ∂L/∂a")
