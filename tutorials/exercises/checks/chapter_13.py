"""The checks of the exercises of chapter 13."""

from __future__ import annotations

from types import ModuleType

from scratchae.tutorial.answers import equal

from .tools import several


def roofline(module: ModuleType) -> list[str]:
    facts = []
    for N, inputs, outputs, P, B in (
        (128, 784, 128, 150e9, 20e9),
        (4, 784, 128, 150e9, 20e9),
    ):
        found = several(
            "roofline(N, I, O, P, B)", module.roofline(N, inputs, outputs, P, B), 3
        )
        operations, traffic = (
            2 * N * inputs * outputs,
            4 * (N * inputs + inputs * outputs + N * outputs),
        )
        halves = {"a multiplication and an addition are two operations": operations / 2}
        read = {
            "4 bytes a number": traffic / 4,
            "y is written too": traffic - 4 * N * outputs,
        }
        slowest = max(operations / P, traffic / B)
        added = {
            "the two overlap: the slower one counts, not the sum": operations / P
            + traffic / B
        }
        equal("operations", found[0], operations, halves)
        equal("bytes", found[1], traffic, read)
        equal(
            "seconds",
            found[2],
            slowest,
            added | {"the slower one counts": min(operations / P, traffic / B)},
        )
        bound = "arithmetic" if operations / P > traffic / B else "memory"
        facts.append(
            f"{N} x {inputs} x {outputs}: {operations / traffic:.1f} operations a byte, bound by {bound}"
        )
    return facts


CHECKS = {
    "13_roofline": roofline,
}
