"""The checks of the exercises of chapter 05."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from scratchae.tutorial.answers import equal, gradients

from .tools import activation, normal


def he(module: ModuleType) -> list[str]:
    facts = []
    for inputs in (50, 200, 784):
        s_right = np.sqrt(2 / inputs)
        mistakes = {
            "this is the variance: its square root is asked for": 2 / inputs,
            "ReLU halves the mean square: that is left out": np.sqrt(1 / inputs),
            "it does not depend on the inputs, though the sum does": 1.0,
        }
        facts.append(
            equal(
                f"s for {inputs} inputs",
                module.standard_deviation(inputs),
                s_right,
                mistakes,
            )
        )
    x = normal(400, 300)
    for k in range(20):
        x = np.maximum(
            x @ (normal(300, 300, seed=k + 1) * module.standard_deviation(300)), 0
        )
    return [
        *facts,
        f"after 20 layers of 300 the mean square of a signal is {np.mean(x * x):.2f}, from 1",
    ]


def batchnorm(module: ModuleType) -> list[str]:
    x, dy, n = 2 * normal(6, 3) + 1, normal(6, 3, seed=1), 6
    gamma, beta = normal(3, seed=2), normal(3, seed=3)
    layer = module.BatchNormByHand(3)
    layer.gamma, layer.beta = gamma.copy(), beta.copy()
    m, v, eps = x.mean(axis=0), x.var(axis=0), 1e-5
    r = 1 / np.sqrt(v + eps)
    x_hat = (x - m) * r
    mistakes = {
        "the variance is divided by N, not by N - 1": (x - m)
        / np.sqrt(v * n / (n - 1) + eps),
        "the root is missing: it is divided by the variance": (x - m) / (v + eps),
        "the mean is not taken off": x * r,
        "ε stands inside the root": (x - m) / (np.sqrt(v) + eps),
    }
    y = layer.forward(x.copy())
    known = {text: gamma * wrong + beta for text, wrong in mistakes.items()}
    known["γ is missing"], known["β is missing"] = x_hat + beta, gamma * x_hat
    facts = [equal("y", y, gamma * x_hat + beta, known, 1e-9)]
    dx, through_m = layer.backward(dy.copy()), dy.mean(axis=0)
    dgamma, dbeta = (dy * x_hat).sum(axis=0), dy.sum(axis=0)
    through_v = x_hat * dgamma / n
    mistakes = {
        "m and v are taken for constants: each x moves both of them": gamma * r * dy,
        "the way through v is missing: each x moves the variance too": gamma
        * r
        * (dy - through_m),
        "the way through m is missing: each x moves the mean too": gamma
        * r
        * (dy - through_v),
        "γ is missing: dx̂ = γ dy": r * (dy - through_m - through_v),
        "the sums over the batch are not divided by N": gamma
        * r
        * (dy - dbeta - x_hat * dgamma),
        "1 / √(v + ε) is missing": gamma * (dy - through_m - through_v),
    }
    facts += [
        equal(
            "dγ",
            layer.dgamma,
            dgamma,
            {
                "x̂ is missing": dbeta,
                "it is x̂ that is summed up, not x": (dy * x).sum(axis=0),
            },
        ),
        equal("dβ", layer.dbeta, dbeta),
        equal("dx", dx, gamma * r * (dy - through_m - through_v), mistakes),
    ]
    return [*facts, gradients(layer, x)]


CHECKS = {
    "05_relu": activation("ReLU", lambda x: np.maximum(x, 0)),
    "05_he": he,
    "05_batchnorm": batchnorm,
}
