"""The checks of the exercises of chapter 18."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from scratchae.tutorial.answers import equal

from .tools import normal, several, unit


def straight_through(module: ModuleType) -> list[str]:
    x, W, V = normal(6, 4), normal(4, 3, seed=1), normal(3, 4, seed=2)
    E, beta = 2 * normal(5, 3, seed=3), 0.25
    found = several(
        "straight_through(x, W, E, V, beta)",
        module.straight_through(x.copy(), W.copy(), E.copy(), V.copy(), beta),
        3,
    )

    def step(through=1, commitment=1, own=1, undetached=0, of_z=False, n=6):
        z = x @ W
        k = ((z[:, None] - E) ** 2).sum(axis=2).argmin(axis=1)
        e, chosen = E[k], np.eye(5)[k]
        q = z if of_z else e
        dprediction = 2 / n * (q @ V - x)
        dq = dprediction @ V.T
        dz = through * dq + commitment * 2 * beta / n * (z - e)
        de = own * 2 / n * (e - z) + undetached * dq
        return x.T @ dz, chosen.T @ de, q.T @ dprediction

    right = step()
    mistakes = {
        "the encoder gets nothing of the first term: q = z + sg(e - z) has the slope 1 in z": step(
            through=0
        ),
        "the commitment β |z - sg(e)|² is missing": step(commitment=0),
        "the commitment's sign is flipped": step(commitment=-1),
        "the commitment is taken without β": step(commitment=1 / beta),
        "the first term trains the codebook too: e stands in sg(e - z), and is held still": step(
            undetached=1
        ),
        "the codebook gets the first term's gradient alone: q does not move with e": step(
            own=0, undetached=1
        ),
        "the codebook's sign is flipped": step(own=-1),
        "the second term is weighted by β: that is the third": step(own=beta),
        "the decoder was given z: it gets the nearest vectors e": step(of_z=True),
        "the mean over the examples is missing": step(n=1),
    }
    return [
        equal(name, mine, expected, {text: wrong[k] for text, wrong in mistakes.items()})
        for k, (name, mine, expected) in enumerate(
            zip(("dW", "dE", "dV"), found, right, strict=True)
        )
    ]


def masked_loss(module: ModuleType) -> list[str]:
    p, x = normal(3, 4, 4, 2), normal(3, 4, 4, 2, seed=1)
    hidden = (unit(3, 4, 4, 1, seed=2) < 0.4).astype(float)
    value, gradient = several(
        "masked_loss(prediction, x, hidden)",
        module.masked_loss(p.copy(), x.copy(), hidden.copy()),
        2,
    )
    d, count = p - x, hidden.sum() * 2
    right = (d**2 * hidden).sum() / 3
    mistakes = {
        "all numbers count: only the hidden ones should": (d**2).sum() / 3,
        "the seen numbers count, and not the hidden ones": (d**2 * (1 - hidden)).sum() / 3,
        "it is the mean over the hidden numbers: sum over them, and divide by N": (
            d**2 * hidden
        ).sum()
        / count,
        "the mean over the images is missing": right * 3,
    }
    slope = 2 / 3 * d * hidden
    facts = [
        equal("L", value, right, mistakes),
        equal(
            "dprediction",
            gradient,
            slope,
            {
                "what is seen has a gradient too: it should be 0": 2 / 3 * d,
                "the 2 of the square is missing": slope / 2,
                "the mean over the images is missing": slope * 3,
                "the sign is flipped": -slope,
            },
        ),
    ]
    gap = np.where(hidden == 1, x, np.nan)
    value, gradient = module.masked_loss(p.copy(), gap, hidden.copy())
    return [
        *facts,
        equal("L, where what is seen is NaN", value, right),
        equal("dprediction, where what is seen is NaN", gradient, slope),
    ]


CHECKS = {
    "18_straight_through": straight_through,
    "18_masked_loss": masked_loss,
}
