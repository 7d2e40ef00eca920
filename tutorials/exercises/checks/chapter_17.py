"""The checks of the exercises of chapter 17."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from scratchae.tutorial.answers import equal

from .tools import normal, unit


def auc(module: ModuleType) -> list[str]:
    facts = []
    for name, decimals in (("scores", 6), ("scores with equal ones among them", 0)):
        unusual = np.arange(40) % 3 == 0
        scores = np.round(normal(40) + unusual, decimals)
        p, q = scores[unusual][:, None], scores[~unusual]
        right = ((p > q) + 0.5 * (p == q)).mean()
        mistakes = {
            "the order is turned round: unusual scores should be the larger ones": 1
            - right,
            "equal scores count 0 here, and ½ is right": (p > q).mean(),
            "equal scores count 1 here, and ½ is right": (p >= q).mean(),
            "the pairs are counted: divide by how many there are": right * p.size * q.size,
            "this divides by all pairs of examples: only those of an unusual and a usual one count": right
            * p.size
            * q.size
            / 40**2,
        }
        found = module.auc(scores.copy(), unusual.copy())
        facts.append(equal(f"the area for {name}", found, right, mistakes))
    return facts


def bits(module: ModuleType) -> list[str]:
    mu, sigma = normal(3, seed=1), unit(3, seed=2) + 0.5
    z = mu + sigma * normal(6, 3)
    facts = []
    for step in (0.5, 0.05):
        k = np.rint(z / step)
        ends = [(((k + side) * step - mu) / sigma) for side in (-0.5, 0.5)]
        below, above = (module.normal(end) for end in ends)
        each = -np.log2(above - below)
        middle = ((k * step - mu) / sigma) ** 2 / 2
        density = np.exp(-middle) / (sigma * np.sqrt(2 * np.pi))
        mistakes = {
            "the unit is the nat: bits have the logarithm to base 2": each.sum(axis=1)
            * np.log(2),
            "the sign is flipped": -each.sum(axis=1),
            "it is averaged over the numbers of an example: they add up": each.mean(axis=1),
            "the probability is that of an interval, and this is the density, without its width": -np.log2(
                density
            ).sum(axis=1),
            "this is the density times the step, which is near it: take the difference of `normal` at the two ends": -np.log2(
                density * step
            ).sum(axis=1),
            "the mean is left out": -np.log2(
                module.normal((k + 0.5) * step / sigma)
                - module.normal((k - 0.5) * step / sigma)
            ).sum(axis=1),
        }
        found = module.bits(z.copy(), mu.copy(), sigma.copy(), step)
        facts.append(equal(f"bits for a step of {step}", found, each.sum(axis=1), mistakes))
    halves = [np.mean(module.bits(z, mu, sigma, step)) for step in (0.02, 0.01)]
    return [
        *facts,
        f"half the step costs {halves[1] - halves[0]:.2f} bits more for an example of 3 numbers",
    ]


CHECKS = {
    "17_auc": auc,
    "17_bits": bits,
}
