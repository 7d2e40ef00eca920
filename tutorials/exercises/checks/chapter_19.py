"""The checks of the exercises of chapter 19."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from scratchae.tutorial.answers import equal

from .tools import normal, several


def tweedie(module: ModuleType) -> list[str]:
    X, y, s = normal(7, 2), normal(5, 2, seed=1), 0.6
    mean, score = several("tweedie(y, X, s)", module.tweedie(y.copy(), X.copy(), s), 2)

    def best(s, power=2, half=2, even=False):
        far = ((y[:, None] - X) ** 2).sum(axis=2) / (half * s**power)
        w = np.exp(far.min(axis=1, keepdims=True) - far)
        w = np.ones_like(w) if even else w
        return w @ X / w.sum(axis=1, keepdims=True)

    right = best(s)
    facts = [
        equal(
            "E[x | y]",
            mean,
            right,
            {
                "the 2 of 2 s² is missing": best(s, half=1),
                "s is not squared": best(s, power=1),
                "it is the mean of all points: each has a weight": best(s, even=True),
            },
        ),
        equal(
            "the score",
            score,
            (right - y) / s**2,
            {
                "the sign is flipped: it points from y to the mean": (y - right) / s**2,
                "s is not squared": (right - y) / s,
                "it is not divided by s²": right - y,
            },
        ),
    ]

    def log_density(y):
        return np.log(np.exp(-((y[:, None] - X) ** 2).sum(axis=2) / (2 * s**2)).sum(axis=1))

    h = 1e-5
    slope = [(log_density(y + h * a) - log_density(y - h * a)) / (2 * h) for a in np.eye(2)]
    facts.append(
        equal("the score, against differences of log p", score, np.stack(slope, axis=1))
    )
    with np.errstate(all="ignore"):
        mean, score = module.tweedie(y + 3, X.copy(), 0.02)
    nearest = X[((y[:, None] + 3 - X) ** 2).sum(axis=2).argmin(axis=1)]
    facts.append(
        equal("E[x | y] far from the points, at s = 0.02: the nearest", mean, nearest)
    )
    return facts


def diffusion_step(module: ModuleType) -> list[str]:
    facts = []
    for sigma, tau in ((2.0, 1.0), (1.0, 0.9), (10.0, 0.05)):
        found = several("step(sigma, tau)", module.step(sigma, tau), 4)
        b = tau**2 / sigma**2
        c, weight = tau * np.sqrt(1 - b), (1 / tau**2 - 1 / sigma**2) / 2
        wrong = (
            {
                "a and b have changed places": b,
                "the squares are missing: τ²/σ²": 1 - tau / sigma,
            },
            {
                "a and b have changed places": 1 - b,
                "the squares are missing: τ²/σ²": tau / sigma,
            },
            {
                "this is the noise that leads from τ up to σ": np.sqrt(sigma**2 - tau**2),
                "it is all noise of the size τ: a part of it comes from x̃": tau,
                "this is the variance c²": c**2,
            },
            {
                "the ½ is missing": 2 * weight,
                "the means are a (x - x̂) apart: a is missing": weight / (1 - b) ** 2,
                "the distance a |x - x̂| of the means is not squared": weight / (1 - b),
                "the KL divergence is divided by the variance 2 c²": (1 - b) ** 2,
            },
        )
        right = (1 - b, b, c, weight)
        for name, mine, expected, mistakes in zip(
            ("a", "b", "c", "weight"), found, right, wrong, strict=True
        ):
            equal(f"{name} from {sigma:g} to {tau:g}", mine, expected, mistakes)
        left = np.sqrt((b * sigma) ** 2 + c**2)
        facts.append(f"from {sigma:g} to {tau:g}: the noise is √(b² σ² + c²) = {left:.6g}")
    return facts


CHECKS = {
    "19_tweedie": tweedie,
    "19_schedule": diffusion_step,
}
