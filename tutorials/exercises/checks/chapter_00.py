"""The checks of the exercises of chapter 00."""

from __future__ import annotations

from types import ModuleType

from scratchae.tutorial.answers import equal

from .tools import normal, several, sigmoid, unit


def neuron(module: ModuleType) -> list[str]:
    facts = []
    for seed in range(3):
        x, w, (b, t) = normal(3, seed=seed), normal(3, seed=seed + 9), unit(2, seed=seed)
        L, dw, db, dx = several(
            "neuron(x, w, b, t)", module.neuron(x.copy(), w.copy(), b, t), 4
        )
        y = sigmoid(w @ x + b)
        da = 2 * (y - t) * y * (1 - y)
        without = 2 * (y - t)
        forgot = "the 2 of the square is missing"
        facts = [
            equal("L", L, (y - t) ** 2),
            equal(
                "dw",
                dw,
                da * x,
                {
                    forgot: da * x / 2,
                    "σ is not differentiated": without * x,
                    "it is dx": da * w,
                },
            ),
            equal(
                "db",
                db,
                da,
                {forgot: da / 2, "σ is not differentiated: y (1 - y) is missing": without},
            ),
            equal(
                "dx",
                dx,
                da * w,
                {
                    forgot: da * w / 2,
                    "σ is not differentiated": without * w,
                    "it is dw": da * x,
                },
            ),
        ]
    return facts


CHECKS = {
    "00_neuron": neuron,
}
