"""The checks of the exercises of chapter 16."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from scratchae.tutorial.answers import AnswerError, equal

from .tools import normal, several, unchanged


def bptt(module: ModuleType) -> list[str]:
    N, T, D, H = 3, 4, 2, 3
    x, h0, dy = normal(N, T, D), normal(N, H, seed=1), normal(N, T, H, seed=2)
    W, U, b = normal(D, H, seed=3), normal(H, H, seed=4) / 2, normal(H, seed=5)

    def through(back: bool = True, slope: bool = True, before: int = 0) -> list[np.ndarray]:
        """The gradients, with what a mistake leaves out."""
        h = [h0]
        for t in range(T):
            h.append(np.tanh(x[:, t] @ W + h[t] @ U + b))
        later, das = np.zeros((N, H)), []
        for t in reversed(range(T)):
            da = (dy[:, t] + back * later) * (1 - h[t + 1] ** 2 if slope else 1)
            das.insert(0, da)
            later = da @ U.T
        dx = np.stack([da @ W.T for da in das], axis=1)
        dU = sum(h[t + before].T @ da for t, da in enumerate(das))
        dW = sum(x[:, t].T @ da for t, da in enumerate(das))
        return [dx, later, dW, dU, sum(da.sum(axis=0) for da in das)]

    given = [array.copy() for array in (x, h0, W, U, b, dy)]
    found = several("bptt(x, h0, W, U, b, dy)", module.bptt(*given), 5)
    alone, linear = through(back=False), through(slope=False)
    mistakes = [
        {
            "what comes back from the next step is missing: h_t also goes into step t + 1": one,
            "tanh is not differentiated": other,
        }
        for one, other in zip(alone, linear, strict=True)
    ]
    mistakes[3]["it belongs to the state before the step, h_{t-1}, and this is h_t"] = (
        through(before=1)[3]
    )
    names = ("dx", "dh0", "dW", "dU", "db")
    facts = [
        equal(name, value, right, said)
        for name, value, right, said in zip(names, found, through(), mistakes, strict=True)
    ]
    unchanged("bptt", given, (x, h0, W, U, b, dy))
    return facts


def attention(module: ModuleType) -> list[str]:
    q, k, v, dy = (
        normal(2, 4),
        normal(5, 4, seed=1),
        normal(5, 3, seed=2),
        normal(2, 3, seed=3),
    )
    e = np.exp(q @ k.T / 2)
    p = e / e.sum(axis=1, keepdims=True)
    dp = dy @ v.T
    right = p * (dp - (dp * p).sum(axis=1, keepdims=True)) / 2
    wrong = {
        "the √w is missing": 2 * right,
        "a score also moves the other weights, through their sum": p * dp / 2,
        "the softmax is taken for a sigmoid": dp * p * (1 - p) / 2,
        "softmax is not differentiated": dp / 2,
    }
    found = several(
        "attention_backward(q, k, v, dy)",
        module.attention_backward(q.copy(), k.copy(), v.copy(), dy.copy()),
        3,
    )
    return [
        equal("dv", found[2], p.T @ dy),
        equal("dq", found[0], right @ k, {text: da @ k for text, da in wrong.items()}),
        equal("dk", found[1], right.T @ q, {text: da.T @ q for text, da in wrong.items()}),
    ]


def clip(module: ModuleType) -> list[str]:
    arrays = [normal(2, 3), normal(4, seed=1)]
    norm = float(np.sqrt(sum((array**2).sum() for array in arrays)))
    facts = []
    for what, limit in (
        ("a norm above the limit", norm / 4),
        ("a norm below it", 2 * norm),
    ):
        given = [array.copy() for array in arrays]
        found = several("clip(gradients, limit)", tuple(module.clip(given, limit)), 2)
        factor = min(1, limit / norm)
        for i, (value, array) in enumerate(zip(found, arrays, strict=True)):
            own = limit / np.linalg.norm(array)
            mistakes = {
                "each array is clipped by its own norm": min(1, own) * array,
                "a norm below the limit is to stay": limit / norm * array,
                "its numbers are clipped, which turns the gradient": np.clip(
                    array, -limit, limit
                ),
                "the square root of the norm is missing": min(1, limit / norm**2) * array,
            }
            facts.append(equal(f"{what}, gradient {i}", value, factor * array, mistakes))
        unchanged("clip", given, arrays)
    if not all(np.isfinite(array).all() for array in module.clip([np.zeros(3)], 1.0)):
        raise AnswerError(
            "gradients of 0 become NaN: their norm is 0, and nothing is to be clipped"
        )
    return facts


CHECKS = {
    "16_bptt": bptt,
    "16_attention": attention,
    "16_clip": clip,
}
