"""The checks of the exercises of chapter 10."""

from __future__ import annotations

from types import ModuleType

import numpy as np

import scratchae as s
from scratchae.tutorial.answers import equal, gradients

from .tools import normal, several, sigmoid, unchanged, unit


def l1(module: ModuleType) -> list[str]:
    z = normal(5, 4)
    value, _ = several("l1(z)", module.l1(z.copy()), 2)
    right = 0.3 * np.abs(z).sum() / 5
    mistakes = {
        "the weight is missing": right / 0.3,
        "the mean over the batch is missing": right * 5,
    }
    mistakes["it is averaged over the features too"] = right / 4
    facts = [equal("the value", value, right, mistakes), gradients(module.l1, z)]
    at_zero = module.l1(np.zeros((2, 2)))[1]
    return [*facts, equal("the gradient at 0", at_zero, np.zeros((2, 2)))]


def sparse_kl(module: ModuleType) -> list[str]:
    z = unit(5, 3)
    value, _ = several("sparse_kl(z)", module.sparse_kl(z.copy()), 2)
    right = s.SparseKL(0.1, 1.0)(z)[0]
    each = (0.1 * np.log(0.1 / z) + 0.9 * np.log(0.9 / (1 - z))).sum() / 5
    mean = z.mean(axis=0)
    turned = (mean * np.log(mean / 0.1) + (1 - mean) * np.log((1 - mean) / 0.9)).sum()
    mistakes = {
        "ρ̂ is taken of every example, and the penalties are averaged: average the activities first": each,
        "ρ̂ is taken of every example: average the activities over the batch first": each
        * 5,
        "it is summed over the examples: ρ̂ has the batch in it already": right * 5,
        "ρ and ρ̂ have changed places": turned,
    }
    return [equal("the value", value, right, mistakes), gradients(module.sparse_kl, z)]


def tied(module: ModuleType) -> list[str]:
    x, W, b, c = normal(5, 4), normal(4, 3, seed=1), normal(3, seed=2), normal(4, seed=3)
    given = [array.copy() for array in (x, W, b, c)]
    L, dW, db, dc = several("tied(x, W, b, c)", module.tied(*given), 4)
    z = sigmoid(x @ W + b)
    r = z @ W.T + c - x

    def step(n=5, slope=True, encoder=1, decoder=1):
        dprediction = 2 * r / n
        da = dprediction @ W * (z * (1 - z) if slope else 1)
        dW = encoder * x.T @ da + decoder * dprediction.T @ z
        return dW, da.sum(axis=0), dprediction.sum(axis=0)

    right = step()
    mistakes = {
        "the mean over the batch is missing": step(n=1),
        "the 2 of the square is missing": step(n=10),
        "σ is not differentiated": step(slope=False),
    }
    of_uses = {
        "this is the encoder's use alone: x̂ = z Wᵀ + c uses W too": step(decoder=0),
        "this is the decoder's use alone: a = x W + b uses W too": step(encoder=0),
        "half of it: the 2 of the square is missing, or the two uses are averaged, and they add up": step(
            n=10
        ),
        "the decoder's use is subtracted": step(decoder=-1),
    }
    values = {
        "the mean over the batch is missing": (r**2).sum(),
        "it is averaged over the features too": (r**2).mean(),
    }
    facts = [equal("L", L, (r**2).sum() / 5, values)]
    for k, (name, mine) in enumerate(zip(("dW", "db", "dc"), (dW, db, dc), strict=True)):
        known = of_uses | mistakes if k == 0 else mistakes
        facts.append(
            equal(name, mine, right[k], {text: wrong[k] for text, wrong in known.items()})
        )
    unchanged("tied", given, (x, W, b, c))
    return facts


def contractive(module: ModuleType) -> list[str]:
    x, W, b = normal(5, 4), normal(4, 3, seed=1), normal(3, seed=2)
    value, _, _ = several(
        "contractive(x, W, b)", module.contractive(x.copy(), W.copy(), b.copy()), 3
    )
    z = sigmoid(x @ W + b)
    jacobian = (z * (1 - z))[:, None, :] * W[None]  # ∂zₙⱼ/∂xₙᵢ, (N, I, H)
    right = (jacobian**2).sum() / 5
    mistakes = {
        "the mean over the batch is missing": right * 5,
        "the slope is not squared": (jacobian * W).sum() / 5,
    }
    of_weights = lambda W: module.contractive(x.copy(), W, b.copy())[:2]  # noqa: E731
    of_bias = lambda b: module.contractive(x.copy(), W.copy(), b)[::2]  # noqa: E731
    of_weights.__name__, of_bias.__name__ = "contractive, x its W", "contractive, x its b"
    return [
        equal("the value", value, right, mistakes),
        gradients(of_weights, W),
        gradients(of_bias, b),
    ]


CHECKS = {
    "10_l1": l1,
    "10_sparse_kl": sparse_kl,
    "10_tied": tied,
    "10_contractive": contractive,
}
