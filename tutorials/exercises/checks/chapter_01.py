"""The checks of the exercises of chapter 01."""

from __future__ import annotations

from types import ModuleType

from scratchae.tutorial.answers import equal


def parameters(module: ModuleType) -> list[str]:
    facts = []
    for sizes in ([3, 2], [784, 32, 784], [784, 128, 64, 32, 64, 128, 784]):
        pairs = list(zip(sizes, sizes[1:], strict=False))
        weights, biases = sum(n * m for n, m in pairs), sum(sizes[1:])
        mistakes = {
            "the biases are missing": weights,
            "the input layer has no bias": weights + sum(sizes),
            "the weights are missing": biases,
        }
        facts.append(
            equal(
                f"parameters({sizes})",
                module.parameters(list(sizes)),
                weights + biases,
                mistakes,
            )
        )
    return facts


CHECKS = {
    "01_parameters": parameters,
}
