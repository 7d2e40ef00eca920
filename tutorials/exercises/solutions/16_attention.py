"""One head of attention, for one example: the way back.

q (M, w) are queries, k (T, w) keys and v (T, E) values. Each query reads all steps:

    a = q kᵀ / √w        (M, T)
    p = softmax(a)       each row by itself: p_t = e^{a_t} / Σ_s e^{a_s}
    y = p v              (M, E)

Given dy = ∂L/∂y, return (dq, dk, dv).

Check:  scratchae check 16_attention
"""

import numpy as np


def weights(q, k):
    """p (M, T)."""
    a = q @ k.T / np.sqrt(q.shape[1])
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def attention_backward(q, k, v, dy):
    """(dq, dk, dv)."""
    p = weights(q, k)
    # y = p v
    dp, dv = dy @ v.T, p.T @ dy
    # p = softmax(a): better than what is read on average?
    da = p * (dp - (dp * p).sum(axis=1, keepdims=True))
    # a = q kᵀ / √w
    da /= np.sqrt(q.shape[1])
    return da @ k, da.T @ q, dv
