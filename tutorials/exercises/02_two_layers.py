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
    raise NotImplementedError(
        "a, z, p and L; then dp, dW2, db2 and dz; then da, dW1, db1 and dx"
    )
