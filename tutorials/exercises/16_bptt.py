"""Backpropagation through time: all gradients of a recurrent layer.

The layer reads x (N, T, D), step by step, and begins with the state h0 (N, H). With W (D, H), U (H, H) and
b (H,), which are the same at every step,

    h_t = tanh(x_t W + h_{t-1} U + b),      h_0 = h0,

and its output is y (N, T, H), all states h_1 … h_T. Given dy = ∂L/∂y, return the gradients
(dx, dh0, dW, dU, db), each of the shape of what it belongs to.

Check:  scratchae check 16_bptt
"""

import numpy as np


def states(x, h0, W, U, b):
    """[h_0, h_1, …, h_T], each (N, H)."""
    h = [h0]
    for t in range(x.shape[1]):
        h.append(np.tanh(x[:, t] @ W + h[-1] @ U + b))
    return h


def bptt(x, h0, W, U, b, dy):
    """(dx, dh0, dW, dU, db)."""
    raise NotImplementedError(
        "from the last step to the first: what comes from y and from the step after it, then "
        "through tanh, then to x, to the weights and to the step before"
    )
