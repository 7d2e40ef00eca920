"""The checks of the exercises of chapter 03."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from scratchae.tutorial.answers import AnswerError, equal, gradients

from .chapter_02 import dense
from .tools import activation, normal, several


def softmax(module: ModuleType) -> list[str]:
    x = normal(5, 4)
    e = np.exp(x)
    return [
        equal(
            "forward", module.Softmax().forward(x.copy()), e / e.sum(axis=1, keepdims=True)
        ),
        gradients(module.Softmax(), x),
    ]


def directional(module: ModuleType) -> list[str]:
    theta, h, facts, seen = normal(7), 1e-4, [], []
    factor = np.arange(1.0, 8.0)
    for seed in range(2):
        places = []

        def loss(place, places=places):
            places.append(np.array(place, float))
            return float((factor * np.sin(place)).sum() + place[0] * place[1])

        gradient = factor * np.cos(theta)
        gradient[:2] += theta[1::-1]
        before = theta.copy()
        derived, measured = several(
            "directional(loss, theta, gradient, rng, h)",
            module.directional(loss, theta, gradient, np.random.default_rng(seed), h),
            2,
        )
        if (theta != before).any():
            theta[...] = before
            raise AnswerError("theta is changed: work on copies, θ + h v and θ - h v")
        if len(places) != 2:
            raise AnswerError(f"loss was called {len(places)} times: two are enough")
        first, second = places
        if (first == before).all() or (second == before).all():
            raise AnswerError(
                "one of the two losses was taken at θ itself: that difference is one-sided, and its error falls "
                "with h only, not with h²"
            )
        if not np.allclose(first + second, 2 * before, rtol=0, atol=1e-9):
            raise AnswerError(
                "the two places are not θ + h v and θ - h v with the same v: draw v once"
            )
        v = (first - second) / (2 * h)
        length = float(np.linalg.norm(v))
        if abs(length - 1) > 1e-6:
            raise AnswerError(f"v has the length {length:.4g}: divide it by its length")
        v = v if derived * (gradient @ v) >= 0 else -v
        if np.isclose(abs(v @ gradient), np.linalg.norm(gradient)):
            raise AnswerError(
                "v points along the gradient: a wrong part at right angles to it would not be seen; draw v at random"
            )
        if (v > 0).all() or (v < 0).all():
            raise AnswerError(
                "all numbers of v have the same sign: draw them from rng.standard_normal"
            )
        seen.append(v)
        slope = (loss(before + h * v) - loss(before - h * v)) / (2 * h)
        facts += [
            equal("derived, g · v", derived, gradient @ v),
            equal(
                "measured",
                measured,
                slope,
                {
                    "it is divided by h: the two places are 2h apart": 2 * slope,
                    "it is not divided by 2h": 2 * h * slope,
                    "the signs of the two losses are exchanged": -slope,
                },
            ),
        ]
    if np.allclose(seen[0], seen[1]):
        raise AnswerError("two seeds gave the same direction: draw v with rng")
    return [*facts[:2], "θ is left as it was, with two losses"]


def dropout(module: ModuleType) -> list[str]:
    rate, x, dy = 0.25, normal(50, 40) + 3, normal(50, 40, seed=1)
    layer = module.DropoutWithMoments(rate)
    y = layer.forward(x.copy(), np.random.default_rng(0))
    dx = layer.backward(dy.copy())
    m = np.asarray(y, float) / x
    dropped = float((m == 0).mean())
    if abs(dropped - (1 - rate)) < 0.05:
        raise AnswerError(
            f"{dropped:.0%} are dropped: `rate` = {rate} is the share to drop"
        )
    if abs(dropped - rate) > 0.05:
        raise AnswerError(
            f"{dropped:.0%} of the numbers are dropped, and should be {rate:.0%}"
        )
    if (m == m[0]).all() or (m == m[:, :1]).all():
        raise AnswerError("one mask serves several numbers: draw one for each number of x")
    kept = m[m != 0]
    scales = {
        "what is kept is not divided by 1 - p, so E[y] = (1 - p) x": np.ones_like(kept),
        "what is kept is multiplied by 1 - p: divide": np.full_like(kept, 1 - rate),
        "what is kept is divided by p, the share that is dropped": np.full_like(
            kept, 1 / rate
        ),
    }
    facts = [equal("what is kept", kept, np.full_like(kept, 1 / (1 - rate)), scales)]
    mistakes = {
        "the mask is missing: a dropped number has no path to the loss": dy,
        "dy is dropped, but not divided by 1 - p": dy * (m != 0),
    }
    other = (np.asarray(dx) == 0) != (m == 0) if np.shape(dx) == m.shape else np.zeros(1)
    if other.any() and not np.allclose(dx, dy):
        raise AnswerError("dx: another mask was drawn: backward needs the one of forward")
    facts.append(equal("dx", dx, dy * m, mistakes))
    facts.append(equal("y without an rng", layer.forward(x.copy()), x))
    facts.append(
        equal(
            "dx after a forward without an rng",
            layer.backward(dy.copy()),
            dy,
            {"the mask of the forward before is still there": dy * m},
        )
    )
    mean, variance = several("moments(x)", layer.moments(x.copy()), 2)
    facts.append(
        equal("E[y]", mean, x, {"the division by 1 - p is left out": (1 - rate) * x})
    )
    mistakes = {
        "this is E[y²]: E[y]² is to be taken away": x**2 / (1 - rate),
        "this is the variance of a mask of 0 and 1, which is not divided by 1 - p": x**2
        * rate
        * (1 - rate),
        "it is the standard deviation": np.abs(x) * np.sqrt(rate / (1 - rate)),
        "the variance of m is to be multiplied by x²": np.full_like(x, rate / (1 - rate)),
    }
    facts.append(equal("Var[y]", variance, x**2 * rate / (1 - rate), mistakes))
    return [*facts, gradients(module.DropoutWithMoments(0.5), normal(6, 5))]


CHECKS = {
    "03_bug_dense": dense,
    "03_bug_tanh": activation("Tanh", np.tanh),
    "03_bug_softmax": softmax,
    "03_directional": directional,
    "03_dropout": dropout,
}
