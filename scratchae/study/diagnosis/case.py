"""One tensor whose gradient is wrong, and the questions that a rule can ask about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..differences import Index
from .experiment import REFUSALS, Arrays, Experiment
from .finding import Finding, finding

TOLERANCE = (
    1e-5  # relative; below it two gradients count as the same. A difference quotient is accurate to about 1e-8
)


MOST = 48  # the number of elements to compare if the experiment must be repeated for each


@dataclass
class Case:
    """One tensor whose gradient is wrong: A the analytic, N the numerical gradient, r the upstream. beside: all whose gradients are."""

    experiment: Experiment
    name: str
    beside: dict[str, Case] = field(default_factory=dict, repr=False)

    @cached_property
    def ran(self) -> tuple[np.ndarray, Arrays]:
        return self.experiment.run()

    @property
    def y(self) -> np.ndarray:
        return self.ran[0]

    @property
    def A(self) -> np.ndarray:
        return self.ran[1][self.name]

    @cached_property
    def r(self) -> np.ndarray:
        return self.experiment.upstream(self.y)

    @property
    def per_example(self) -> bool:
        """Whether the tensor has a row for each example. Inputs do, parameters do not."""
        return self.name in self.experiment.inputs

    @cached_property
    def tensor(self) -> np.ndarray:
        return np.array(self.experiment.tensor(self.experiment.fresh(), self.experiment.inputs, self.name))

    @cached_property
    def slopes(self) -> tuple[np.ndarray, np.ndarray]:
        return self.experiment.slopes(self.name)

    @cached_property
    def N(self) -> np.ndarray:
        left, right = self.slopes
        return (left + right) / 2

    @cached_property
    def smooth(self) -> np.ndarray:
        """Where the slopes to the left and to the right agree: everywhere except at corners."""
        left, right = self.slopes
        return np.abs(right - left) <= 1e-3 * max(float(np.abs(self.N).max(initial=0)), 1e-300)

    @cached_property
    def wrong(self) -> np.ndarray:
        """Where A differs from N."""
        scale = max(float(np.abs(self.N).max(initial=0)), float(np.nanmax(np.abs(self.A), initial=0)))
        return ~(np.abs(self.A - self.N) <= TOLERANCE * scale)

    @cached_property
    def places(self) -> list[Index]:
        """The elements to compare if not all can be compared: drawn at random, without corners."""
        smooth = np.argwhere(self.smooth)
        if len(smooth) > MOST:
            smooth = smooth[np.sort(np.random.default_rng(0).permutation(len(smooth))[:MOST])]
        return list(map(tuple, smooth.tolist()))

    def at(self, array: np.ndarray) -> np.ndarray:
        """The elements of an array at `places`."""
        return np.array([array[index] for index in self.places])

    def numeric(
        self, inputs: Arrays | None = None, r: np.ndarray | None = None, tensor: str | None = None
    ) -> np.ndarray:
        """The numerical gradient under other conditions, at `places`."""
        left, right = self.experiment.slopes(tensor or self.name, self.places, inputs, r)
        return (left + right) / 2

    def is_numeric(self, inputs: Arrays, r: np.ndarray | None = None) -> bool:
        """Whether A is the numerical gradient under other conditions: three numbers mostly tell that it is not."""
        few = self.places[:3]
        left, right = self.experiment.slopes(self.name, few, inputs, r)
        far = np.abs(np.array([self.A[index] for index in few]) - (left + right) / 2)
        near = bool(np.all(far <= 2 * TOLERANCE * np.abs(self.at(self.A)).max(initial=0)))
        return near and alike(self.at(self.A), self.numeric(inputs, r))

    def worst(self) -> str:
        """The numbers of the element that is furthest off."""
        far = np.where(np.isfinite(self.A), np.abs(self.A - self.N), np.inf) * (
            self.wrong & (self.smooth | ~self.smooth.any())
        )
        index = tuple(map(int, np.unravel_index(np.argmax(far), far.shape)))
        place = f"[{', '.join(map(str, index))}]" if index else ""
        return f"∂L/∂{self.name}{place} is {self.A[index]:.6g}, and should be {self.N[index]:.6g}"

    def found(self, kind: str, evidence: str = "", **words: object) -> Finding:
        text = f"{self.worst()}{'; ' if evidence else ''}{evidence}"
        return finding(kind, (self.name,), text, **words)


def alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two gradients are the same and not both zero."""
    if a.shape != b.shape or a.size == 0 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return False
    scale = max(float(np.abs(a).max()), float(np.abs(b).max()))
    return scale > 1e-12 and bool(np.all(np.abs(a - b) <= TOLERANCE * scale))


def ratio(A: np.ndarray, N: np.ndarray) -> float | None:
    """The c of A = c N, if there is one. There must be at least two elements, so that it is not chance."""
    if np.count_nonzero(np.abs(N) > 1e-9 * np.abs(N).max(initial=0)) < min(2, A.size):
        return None
    square = float((N * N).sum())
    c = float((A * N).sum()) / square if square else 0.0
    return c if c and alike(A, c * N) else None


def attempt(question: Callable[[], bool]) -> bool:
    """False if the subject does not accept such an input."""
    try:
        return question()
    except REFUSALS:
        return False
