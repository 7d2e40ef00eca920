"""A gradient against finite differences: numbers of a tensor are moved a little to both sides, and a scalar changes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..backend import Array, array_module, to_numpy
from ..errors import ShapeError

if TYPE_CHECKING:
    from .diagnosis.finding import Finding

Index = tuple[int, ...]
FAR = 1e-4  # the step for elements that are small beside the largest
STEP = 1e-5  # how far each element is moved: a central difference errs by about step² and by rounding / step
TOLERANCE = 1e-7  # largest relative error of a right gradient
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class TensorCheck:
    """One tensor's gradient against finite differences.

    `error` is the largest deviation over the elements, divided by the largest gradient of the tensor (or by the smallest
    gradient that finite differences can resolve, if that is larger). It is NaN if a gradient or a difference is NaN.
    `numeric` is NaN for elements that were not moved; `checked` counts the elements that were. At a kink the function has a corner
    (ReLU at 0), and the slopes to the left and to the right differ: such elements are not compared. `kinks` counts them.
    """

    name: str
    analytic: np.ndarray
    numeric: np.ndarray
    error: float
    checked: int
    kinks: int
    passed: bool

    @property
    def sampled(self) -> bool:
        """Whether only some of the elements were moved."""
        return self.checked < self.numeric.size

    @property
    def comparable(self) -> bool:
        """Whether anything was compared. Nothing is if all elements that were moved lie at a kink."""
        return not 0 < self.kinks == self.checked

    @property
    def says(self) -> str:
        """The error and the kinks, in a few words."""
        if bad := int((~np.isfinite(self.analytic)).sum()):
            return f"NaN or infinite in {bad} of {self.analytic.size} elements"
        if not self.comparable:
            return f"not comparable: {'all ' if self.kinks > 1 else ''}{self.kinks} at a kink"
        kinks = f", {self.kinks} at a kink" if self.kinks else ""
        return f"{self.error:.1e}{kinks}"


def largest_error(checks: Iterable[TensorCheck]) -> float:
    """The largest relative error of the compared elements; NaN if one is NaN or if nothing was compared."""
    errors = [check.error for check in checks if check.comparable]
    return float(np.max(errors)) if errors else float("nan")


def not_compared(checks: Collection[TensorCheck]) -> str:
    """How many gradients could not be compared, as the end of a sentence; empty if all could."""
    count = sum(not check.comparable for check in checks)
    return (
        f"; {count} could not be compared: all {'its' if count == 1 else 'their'} elements lie at a kink"
        if count
        else ""
    )


@dataclass(frozen=True)
class GradientReport:
    """The checks of all tensors, and what is wrong if something is. `str(report)` is a table with the diagnosis."""

    subject: str
    checks: tuple[TensorCheck, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every tensor's error is within the tolerance and no other fault was found."""
        return all(check.passed for check in self.checks) and not any(found.fault for found in self.findings)

    @property
    def worst(self) -> float:
        """The largest relative error of all tensors; NaN if one is NaN or if nothing could be compared."""
        return largest_error(self.checks)

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "FAILED"
        lines = [f"{self.subject}: {verdict}, largest relative error {self.worst:.1e}{not_compared(self.checks)}"]
        if not any(check.comparable for check in self.checks):
            lines = [f"{self.subject}: not comparable, because all elements lie at a kink"]
        for check in self.checks:
            wrong = "" if check.passed else "   <- wrong"
            lines.append(f"  ∂L/∂{check.name:<14} {check.analytic.shape!s:<16} {check.says}{wrong}")
        return "\n".join(lines + [str(found) for found in self.findings])


class Differences:
    """The change of a scalar as numbers of a tensor are moved, in place. change(plus, minus): that between two evaluations."""

    def __init__(self, tensor: Array, evaluate: Callable[[], Array], change: Callable[[Array, Array], Array]):
        self.tensor, self.evaluate, self.change = tensor, evaluate, change
        self.centre = evaluate()

    def slopes(self, index: Index, step: float) -> tuple[float, float]:
        """The slope of the scalar to the left and to the right."""
        value = float(self.tensor[index])
        self.tensor[index] = value - step
        left = float(self.change(self.centre, self.evaluate())) / step
        self.tensor[index] = value + step
        right = float(self.change(self.evaluate(), self.centre)) / step
        self.tensor[index] = value
        return left, right


def resolution(
    evaluate: Callable[[], Array], tensor: Array, change: Callable, rounding: float
) -> tuple[float, float]:
    """To what the scalar is known, and the step that suits it: float32 inside, or terms that cancel, leave more than `rounding`.

    A smooth scalar's fourth difference over tiny steps is nothing but noise (Moré and Wild, 2011, "Estimating computational noise").
    """
    draws, found = np.random.default_rng(2), []
    start = tensor.copy()
    for side in (1, -1, 1):
        direction = array_module(tensor).asarray(side * draws.uniform(0.5, 1.5, tensor.shape))
        values = []
        for k in range(1, 6):  # not at the start, where a function may jump: a moved step of padding is none any more
            tensor[...] = start + 1e-6 * k * direction
            values.append(evaluate())
        tensor[...] = start
        line = [float(change(value, values[0])) for value in values]
        found.append(abs(line[0] - 4 * line[1] + 6 * line[2] - 4 * line[3] + line[4]) / 70**0.5)
    noise = min(found)  # a corner that lies on one line is not noise
    if not noise > 1e4 * rounding:
        return max(rounding, 10 * noise), STEP
    noise = sorted(found)[1]  # where there is noise, the least of three draws is too little
    size = max(abs(float(np.sum(abs(to_numpy(evaluate()))))), noise)
    return 10 * noise, float(np.clip((noise / size) ** (1 / 3), STEP, 1e-2))


def small_errors(
    slopes: Callable, analytic: np.ndarray, numeric: np.ndarray, compared: np.ndarray, slack: float, rounding: float
) -> float | None:
    """The largest relative error of elements that are small beside their tensor's largest, if one is wrong beyond all doubt.

    They are moved further, so that rounding counts for less, and three steps have to agree.
    """
    difference = np.abs(analytic - numeric)
    suspects = compared & (difference > 1e-2 * np.maximum(np.abs(analytic), np.abs(numeric))) & (difference <= slack)
    worst = None
    floor = 8 * rounding / FAR + 1e-12 * float(np.abs(analytic).max(initial=0))
    for index in map(tuple, np.argwhere(suspects & (difference > floor))):
        near, *others = (sum(slopes(index, k * FAR)) / 2 for k in (1, 2, 4))
        off = abs(float(analytic[index]) - near)
        if off > floor + 10 * max(abs(near - other) for other in others) and off > 1e-2 * abs(near):
            numeric[index] = near
            worst = max(worst or 0.0, off / max(abs(near), abs(float(analytic[index]))))
    return worst


def compare(
    subject: str,
    tensors: dict[str, Array],
    gradients: dict[str, Array],
    evaluate: Callable[[], Array],
    rounding: float,
    tolerance: float = TOLERANCE,
    *,
    change: Callable[[Array, Array], Array] = operator.sub,
    elements: Callable[[np.ndarray], Iterable[list[Index]]] | None = None,
    chain: bool = False,
    step: float = STEP,
) -> GradientReport:
    """Move each element of each tensor, in place, and compare the change of the scalar, which is known to `rounding`,
    with the gradient.

    elements(gradient): the indices of the elements to move, where it should not be all, in groups: a further one is moved while
    most of those before lie at a kink. What is not moved is NaN in `numeric`.
    chain: whether the scalar comes through many layers, so that moving a number may bring several units to their corners at once.
    step: how far an element is moved; further where the scalar is known less well (`resolution`).
    """
    checks = []
    for name, tensor in tensors.items():
        analytic = to_numpy(gradients[name])
        if analytic.shape != tensor.shape:
            shapes = f"the gradient of {name} has shape {analytic.shape}, {name} itself {tensor.shape}"
            raise ShapeError(f"{subject}: {shapes}: they must be equal")
        slopes = Differences(tensor, evaluate, change).slopes
        numeric = np.full(analytic.shape, np.nan)
        moved, kinks = np.zeros(analytic.shape, bool), np.zeros(analytic.shape, bool)
        for group in [[*np.ndindex(*analytic.shape)]] if elements is None else elements(analytic):
            for index in group:
                moved[index] = True
                numeric[index] = sum(slopes(index, step)) / 2  # the central difference
            largest = np.abs(numeric).max(initial=0, where=moved)
            scale = max(np.abs(analytic).max(initial=0), largest, np.finfo(float).tiny)
            slack = max(
                tolerance * scale, 4 * rounding / step
            )  # a difference quotient cannot tell less than the latter
            for index in map(tuple, np.argwhere(moved & (np.abs(analytic - numeric) > slack))):
                # closer, in case of a corner or a sharp bend within the first step; not where that is lost in noise
                left, right = slopes(index, step / 10 if step == STEP else step)
                closer = (left + right) / 2
                if abs(closer - numeric[index]) > slack:
                    numeric[index] = closer
                # at a corner there is no derivative, and any slope between left and right will do; elsewhere they hardly differ
                wrong = abs(analytic[index] - numeric[index]) > slack
                kinks[index] = wrong and min(left, right) - slack <= analytic[index] <= max(left, right) + slack
                if wrong and chain and not kinks[index]:
                    # where corners of several units meet, the gradient may lie beside both slopes; what tells a corner from a
                    # bend is that the slopes keep their distance as the step shrinks
                    nearer = slopes(index, step / 100)
                    apart, tells = abs(nearer[1] - nearer[0]), max(slack, 400 * rounding / step)
                    kinks[index] = apart > max(abs(right - left) / 2, slack, 800 * rounding / step)
                    # and where it lies beside, within the step before, the gradient is right nearer by
                    if abs(right - left) > slack and abs(sum(nearer) / 2 - analytic[index]) <= tells:
                        kinks[index] = True
            if 2 * kinks.sum() <= moved.sum():
                break
        with np.errstate(invalid="ignore"):  # of NaN and infinity, no error can be told: it is NaN, and does not pass
            error = float(np.max(np.abs(analytic - numeric), where=~kinks & moved, initial=0) / (slack / tolerance))
            if (far := small_errors(slopes, analytic, numeric, moved & ~kinks, slack, rounding)) is not None:
                error = max(error, far)
        passed = error <= tolerance
        checks.append(TensorCheck(name, analytic, numeric, error, int(moved.sum()), int(kinks.sum()), passed))
    return GradientReport(subject, tuple(checks))
