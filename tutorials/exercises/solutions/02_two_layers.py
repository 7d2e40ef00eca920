"""All gradients of a network of two layers, in one function.

    a = x W1 + b1                       x (N, D), W1 (D, H), b1 (H,)
    z = tanh(a)                         tanh′ = 1 - tanh²
    p = z W2 + b2                       W2 (H, M), b2 (M,); no sigmoid at the end
    L = 1/N Σₙ Σⱼ (pₙⱼ - tₙⱼ)²           target t (N, M)

Write it as the chapter does: the forward lines, then one line for each gradient, from the last line
back. Return (L, dW1, db1, dW2, db2, dx). The input's gradient is asked for, too: x might be the
output of another network.

Check:  scratchae check 02_two_layers
"""

import numpy as np


def two_layers(x, t, W1, b1, W2, b2):
    """(L, dW1, db1, dW2, db2, dx)."""
    a = x @ W1 + b1  # (N, H)
    z = np.tanh(a)  # (N, H)
    p = z @ W2 + b2  # (N, M)
    L = ((p - t) ** 2).sum() / len(x)

    dp = 2 * (p - t) / len(x)  # (N, M)
    dW2, db2, dz = z.T @ dp, dp.sum(axis=0), dp @ W2.T
    da = dz * (1 - z**2)  # (N, H)
    dW1, db1, dx = x.T @ da, da.sum(axis=0), da @ W1.T
    return L, dW1, db1, dW2, db2, dx
