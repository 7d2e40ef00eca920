"""The checks of the exercises of chapter 04."""

from __future__ import annotations

from types import ModuleType

import numpy as np

import scratchae as s
from scratchae.tutorial.answers import AnswerError, equal

from .tools import normal


def optimizer(make, twin, mistakes=lambda g, lr: {}):
    """Five steps on three numbers, beside the library's optimizer."""

    def check(module: ModuleType) -> list[str]:
        mine, right, facts = make(module), twin(), []
        found, expected = normal(3), normal(3)
        for t in range(5):
            g = normal(3, seed=t + 1)
            before, given = expected.copy(), g.copy()
            right.update(expected, g)
            if mine.update(found, g) is not None:
                raise AnswerError(
                    "update returned something: it changes `parameters` in place, and returns nothing"
                )
            if not np.array_equal(g, given):
                raise AnswerError("update changed `gradient`, which belongs to the caller")
            if np.array_equal(found, before):
                raise AnswerError(
                    f"step {t + 1} changed nothing: write `parameters -= …`, which works in place"
                )
            known = {text: before - step for text, step in mistakes(g, t + 1).items()}
            facts.append(
                equal(f"the parameters after step {t + 1}", found, expected, known)
            )
        return facts

    return check


def mean_momentum(module: ModuleType) -> list[str]:
    compare = optimizer(
        lambda module: module.MeanMomentum(0.1, 0.9),
        lambda: s.SGD(0.1, 0.9),
        lambda g, t: {
            "v is the mean now, 1 - μ times the sum: the steps are too short": 0.1
            * 0.1
            * g,
            "v does not last: the gradient alone is used": 0.1 * g if t > 1 else np.nan * g,
        },
    )
    facts = compare(module)
    mine, g = module.MeanMomentum(0.1, 0.75), normal(3)
    mine.update(normal(3, seed=1), g.copy())
    forms = {"this v is the sum: the question asks for the mean": g}
    return [*facts, equal("v after one step", mine.v, 0.25 * g, forms)]


CHECKS = {
    "04_momentum": optimizer(
        lambda module: module.Momentum(0.1, 0.9),
        lambda: s.SGD(0.1, 0.9),
        lambda g, t: {"v does not last: the gradient alone is used": 0.1 * g},
    ),
    "04_adam": optimizer(lambda module: module.Adam(lr=0.1), lambda: s.Adam(0.1)),
    "04_mean_momentum": mean_momentum,
}
