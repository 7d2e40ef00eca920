"""The gradients of a run, and what they are to become: those of all tensors, or of one of them, while what is right stays so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .case import Case, alike
from .changes import Rewriting
from .experiment import REFUSALS

FEW = 2  # numbers, which may be a multiple of others by chance
NEAR = 1e-6  # of the largest number of a gradient


@dataclass
class Fix:
    """A change that makes the gradients of some tensors right."""

    names: tuple[str, ...]
    kind: str
    line: int
    words: dict[str, str]


class Goals:
    """What the gradients are, what they are to become, and whether they have become it."""

    def __init__(self, cases: Sequence[Case]):
        self.experiment = cases[0].experiment
        self.cases = {one.name: one for one in cases if one.A.shape == one.N.shape and np.isfinite(one.A).all()}
        self.y, given = cases[0].ran
        self.near = 1e-12 + 1e-10 * np.abs(self.y)
        self.rest = [name for name in given if name not in self.cases and name not in cases[0].beside]
        self.free, self.scale = getattr(self.experiment.subject, "free", False), 1.0
        right = {name: given[name] for name in self.rest}
        self.N = self.vector(right | {name: one.N for name, one in self.cases.items()})
        self.A = self.scaled(self.vector(given))
        sizes = {name: len(self.numbers(name, given)) for name in (*self.rest, *self.cases)}
        starts = dict(zip(sizes, np.cumsum([0, *sizes.values()]), strict=False))
        self.slack, self.known = np.empty_like(self.A), sum(sizes[name] for name in self.rest)
        known = np.arange(self.known)
        for name, size in sizes.items():
            at = slice(starts[name], starts[name] + size)
            self.slack[at] = NEAR * max(np.abs(self.A[at]).max(initial=0), np.abs(self.N[at]).max(initial=0), 1e-300)
        # what is to become right: all tensors, or one of them; and what is right stays so
        self.goals = [(tuple(self.cases), np.arange(len(self.A)))]
        if len(self.cases) > 1 and not self.free:
            self.goals += [
                ((name,), np.concatenate([known, np.arange(starts[name], starts[name] + sizes[name])]))
                for name in self.cases
            ]
        self.fixes: list[Fix] = []

    def numbers(self, name: str, gradients: dict[str, np.ndarray]) -> np.ndarray:
        found = np.asarray(gradients[name], float)
        return found[self.cases[name].smooth] if name in self.cases else found.ravel()

    def vector(self, gradients: dict[str, np.ndarray]) -> np.ndarray:
        return np.concatenate([self.numbers(name, gradients) for name in (*self.rest, *self.cases)])

    def likely(self, change: np.ndarray) -> bool:
        """Whether a change of the gradients touches what is wrong, of all tensors or of one, and hardly anything else."""
        wrong, moved = np.abs(self.N - self.A) > 10 * self.slack, np.abs(change) > self.slack
        return bool((moved & ~wrong).sum() <= 0.1 * moved.sum()) and any(
            (moved & wrong)[at].sum() >= 0.9 * wrong[at].sum() > 0 for _, at in self.goals
        )

    def second(self, case: Case) -> tuple[dict, np.ndarray, np.ndarray] | None:
        """Other inputs, y there, and slopes at some places."""
        rng = np.random.default_rng(4)
        wrong = np.argwhere(case.wrong & case.smooth)
        case_places = list(map(tuple, wrong[rng.permutation(len(wrong))[:8]].tolist()))
        inputs = {name: shuffled(x, rng) for name, x in self.experiment.inputs.items()}
        try:
            left, right = self.experiment.slopes(case.name, case_places, inputs)
            return inputs, self.experiment.run(inputs)[0], case_places, (left + right) / 2
        except REFUSALS:
            return None

    def gradient(self) -> np.ndarray | None:
        """All gradients with a change; None if it raises, or if the value is another."""
        try:
            y, gradients = self.experiment.run()
            if np.shape(y) != self.y.shape or not (np.abs(y - self.y) <= self.near).all():
                return None
            found = self.vector(gradients)
        except (*REFUSALS, KeyError, AttributeError):
            return None
        return self.scaled(found) if found.shape == self.A.shape and np.isfinite(found).all() else None

    def scaled(self, found: np.ndarray) -> np.ndarray:
        """The gradients times the number that is not known, by which they come nearest to the right ones."""
        if self.free and np.any(found):
            self.scale = abs(float(found @ self.N) / float(found @ found))
        return self.scale * found

    def fitting(self, R: np.ndarray, L: np.ndarray) -> Iterator[tuple[tuple[str, ...], float]]:
        """The goals that are reached by R + c L, and c."""
        if self.free:  # these are not linear
            if np.abs(self.N - R - L).max() <= 10 * self.slack.min() and len(self.N) > FEW and not self.fixes:
                yield self.goals[0][0], 1.0
            return
        for names, at in self.goals:
            through, rest = L[at] / self.slack[at], (self.N - R)[at] / self.slack[at]
            if np.abs(through).max(initial=0) > 100 and not self.has(names):
                c = float(through @ rest / (through @ through))
                if np.abs(rest - c * through).max() <= 10:
                    yield names, round(c, 7)

    def has(self, names: tuple[str, ...]) -> bool:
        return any(fix.names == names for fix in self.fixes)

    def holds(self, names: Sequence[str]) -> bool:
        """Whether the gradients of these tensors are right for other numbers too."""
        for name in names:
            if self.seconds[name] is None:
                return False
            inputs, y, places, N = self.seconds[name]
            try:
                other, gradients = self.experiment.run(inputs)
                A = np.array([gradients[name][place] for place in places])
            except (*REFUSALS, KeyError, AttributeError):
                return False
            A, scale = self.scale * A, np.abs(N).max(initial=0)
            if not np.allclose(other, y, rtol=1e-10, atol=1e-12) or np.abs(A - N).max() > 1e-5 * scale:
                return False
        return True

    def rewriting(self, one: Rewriting) -> None:
        """Notes a change of the code that runs now, if it is a right one."""
        found = self.gradient()
        if found is None:
            if one.kind in ("line_returns", "line_squares"):
                self.of_value(one)
            return
        for names, at in self.goals:
            near = (np.abs(found - self.N) <= 10 * self.slack)[at].all() and not (self.free and len(at) <= FEW)
            if near and not self.has(names) and self.holds(names):
                words = {"line": one.line, "part": f"`{one.old}`", "new": f"`{one.new}`"}
                self.fixes.append(Fix(names, one.kind, one.line, words))
                return

    def of_value(self, one: Rewriting) -> None:
        """Notes a change by which it is the value that becomes right."""
        for case in self.cases.values():
            inputs, _, places, _ = self.seconds[case.name] or ({}, None, (), None)
            try:
                left, right = self.experiment.slopes(case.name, places, inputs)
                found = self.experiment.run(inputs)[1][case.name]
                A = np.array([found[place] for place in places])
            except (*REFUSALS, KeyError, AttributeError):
                return
            if not alike(A, (left + right) / 2):
                return
        words = {"line": one.line, "part": f"`{one.old}`", "new": f"`{one.new}`"}
        self.fixes.append(Fix(tuple(self.cases), one.kind, one.line, words))


def shuffled(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other numbers of the same kind: along each axis in another order, and a little smaller or larger."""
    if x.dtype.kind != "f":
        return x
    for axis, size in enumerate(x.shape):
        x = np.take(x, rng.permutation(size), axis)
    return np.asarray(x * (1 + 0.1 * rng.uniform(-1, 1, x.shape)))
