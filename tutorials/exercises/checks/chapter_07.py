"""The checks of the exercises of chapter 07."""

from __future__ import annotations

from types import ModuleType

import numpy as np

import scratchae as s
from scratchae.tutorial.answers import equal, gradients

from .tools import normal, several, sigmoid, unit


def log_sum_exp(module: ModuleType) -> list[str]:
    x = normal(5, 4)
    facts = [
        equal(
            "log Σ exp of small numbers",
            module.log_sum_exp(x.copy()),
            np.log(np.exp(x).sum(axis=1)),
        )
    ]
    apart = np.array([[0.0, 0.0, -800.0, 5.0], [2000.0, 1999.0, 0.0, 1.0]])
    shift = apart.max(axis=1)
    right = shift + np.log(np.exp(apart - shift[:, None]).sum(axis=1))
    for text, far in (("1000 added", 1000.0), ("1000 taken off", -1000.0)):
        with np.errstate(all="ignore"):
            facts.append(
                equal(
                    f"with {text}",
                    module.log_sum_exp(x + far),
                    np.log(np.exp(x).sum(axis=1)) + far,
                )
            )
    with np.errstate(all="ignore"):
        found = module.log_sum_exp(apart.copy())
    facts.append(equal("rows far apart (each row needs an m of its own)", found, right))
    return facts


def bce_with_logits(module: ModuleType) -> list[str]:
    a, t = 2 * normal(5, 4), unit(5, 4)
    value, _ = several(
        "bce_with_logits(prediction, target)", module.bce_with_logits(a.copy(), t.copy()), 2
    )
    right, _ = s.BCEWithLogits()(a, t)
    mistakes = {
        "it is averaged over the pixels too": right / 4,
        "the mean over the batch is missing": right * 5,
    }
    facts = [
        equal("the value", value, right, mistakes),
        gradients(module.bce_with_logits, a, t),
    ]
    far, on = (
        np.array([[1e4, -1e4, 800.0], [-800.0, 40.0, 0.0]]),
        np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.5]]),
    )
    with np.errstate(all="ignore"):
        value, gradient = module.bce_with_logits(far.copy(), on.copy())
    expected = s.BCEWithLogits()(far, on)
    facts.append(equal("the value for logits up to ±10,000", value, expected[0]))
    facts.append(equal("the gradient for logits up to ±10,000", gradient, expected[1]))
    return facts


def softmax_ce(module: ModuleType) -> list[str]:
    a, dp = 2 * normal(5, 3), normal(5, 3, seed=1)
    e = np.exp(a)
    p, t = e / e.sum(axis=1, keepdims=True), unit(5, 3, seed=2)
    t /= t.sum(axis=1, keepdims=True)
    mean = (dp * p).sum(axis=1, keepdims=True)
    mistakes = {
        "a logit also moves the other probabilities of its row, through the sum": p * dp,
        "this is the slope of a sigmoid: the others of the row move too": dp * p * (1 - p),
        "the sum runs over the examples: it should run over the classes": p
        * (dp - (dp * p).sum(axis=0)),
        "the sum has no p in it: it is the mean of dp with the weights p": p
        * (dp - dp.sum(axis=1, keepdims=True)),
        "the p before the bracket is missing": dp - mean,
    }
    found = module.softmax_backward(p.copy(), dp.copy())
    facts = [equal("softmax_backward", found, p * (dp - mean), mistakes)]
    value, gradient = several("softmax_ce(a, t)", module.softmax_ce(a.copy(), t.copy()), 2)
    each = -(t * np.log(p)).sum(axis=1)
    across = e / e.sum(axis=0)
    mistakes = {
        "the sign is flipped": -each.mean(),
        "the mean over the batch is missing": each.sum(),
        "it is averaged over the classes too: sum over them": each.mean() / 3,
        "the sum of p runs over the examples: it should run over the classes": -(
            t * np.log(across)
        ).sum()
        / 5,
        "these are sigmoids: the probabilities of a row should add up to 1": -(
            t * np.log(sigmoid(a))
        ).sum()
        / 5,
    }
    facts.append(equal("L", value, each.mean(), mistakes))
    mistakes = {
        "the mean over the batch is missing, which L has": p - t,
        "the sign is flipped: it is prediction minus target": (t - p) / 5,
        "the slope of the softmax is in it twice: p - t is the whole gradient by the logits": (
            p - t
        )
        * p
        * (1 - p)
        / 5,
        "this is ∂L/∂p: it has to go back through the softmax": -t / p / 5,
    }
    facts.append(equal("da", gradient, (p - t) / 5, mistakes))
    through = module.softmax_backward(p.copy(), -t / p / 5)
    facts.append(equal("da by way of softmax_backward", through, (p - t) / 5))
    far = np.array([[1e4, -1e4, 0.0], [-2000.0, -2001.0, -2003.0], [0.0, 700.0, 710.0]])
    on = np.array([[0.9, 0.0, 0.1], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    expected = s.SoftmaxCrossEntropy()(far, on)
    with np.errstate(all="ignore"):
        value, gradient = module.softmax_ce(far.copy(), on.copy())
    facts.append(
        equal(
            "L for logits up to ±10,000 (each row needs an m of its own)",
            value,
            expected[0],
        )
    )
    return [*facts, equal("da for them", gradient, expected[1])]


CHECKS = {
    "07_log_sum_exp": log_sum_exp,
    "07_bce_with_logits": bce_with_logits,
    "07_softmax_ce": softmax_ce,
}
