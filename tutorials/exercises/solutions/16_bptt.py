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
    h, dx = states(x, h0, W, U, b), np.zeros_like(x)
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    later = np.zeros_like(h0)  # what comes back from the next step
    for t in reversed(range(x.shape[1])):
        dh = dy[:, t] + later
        # h = tanh(a): the derivative is 1 - h²
        da = dh * (1 - h[t + 1] ** 2)
        # a = x W + h₋₁ U + b; the weights are used at every step, so their gradients add
        dW += x[:, t].T @ da
        dU += h[t].T @ da
        db += da.sum(axis=0)
        dx[:, t] = da @ W.T
        later = da @ U.T
    return dx, later, dW, dU, db
