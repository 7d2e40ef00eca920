"""Forks and joins: a residual connection, and two heads.

    h = tanh(x W + b)           x (N, D), W (D, D), b (D,)
    y = x + h                   a join: x arrives by itself and through the layer
    u = y A                     A (D, K)
    v = y C                     C (D, M): y goes into two heads

The loss depends on u and v; you are given du = ∂L/∂u (N, K) and dv = ∂L/∂v (N, M).
Return (dx, dW, db, dA, dC).

Draw the graph first. Every number that is used twice gets the sum of two gradients.

Check:  scratchae check 02_fork
"""

import numpy as np


def fork(x, W, b, A, C, du, dv):
    """(dx, dW, db, dA, dC)."""
    h = np.tanh(x @ W + b)
    y = x + h
    dA, dC = y.T @ du, y.T @ dv
    dy = du @ A.T + dv @ C.T  # y is used in both heads
    da = dy * (1 - h**2)
    dW, db = x.T @ da, da.sum(axis=0)
    dx = dy + da @ W.T  # x is used by itself and in the layer
    return dx, dW, db, dA, dC
