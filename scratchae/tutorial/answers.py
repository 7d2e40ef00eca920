"""The tools for the check of an exercise: compare gradients and values, and say what a wrong value shows.

A check is a function of the learner's module. It returns a line for each fact that is right, or raises `AnswerError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from ..study.gradcheck import check_gradients


class AnswerError(Exception):
    """The answer is wrong; the message says in what way."""


def gradients(subject: Any, *inputs: np.ndarray, **options: Any) -> str:
    """Check the gradients of a layer or a loss. Raises AnswerError with the diagnosis."""
    report = check_gradients(subject, *inputs, **options)
    if not report.passed:
        raise AnswerError(str(report))
    names = ", ".join(f"∂L/∂{check.name}" for check in report.checks)
    return f"{names}: equal to central differences, relative error at most {max(report.worst, 1e-16):.0e}"


def equal(
    what: str, found: Any, expected: Any, mistakes: Mapping[str, Any] | None = None, tolerance: float = 1e-6
) -> str:
    """Compare a result with the right one. `mistakes` maps what to say about a known mistake to the result of that mistake."""
    expected = np.asarray(expected, np.float64)
    if found is None:
        raise AnswerError(f"{what} is None: does the function end with `return`?")
    try:
        found = np.asarray(found, np.float64)
    except (TypeError, ValueError):
        raise AnswerError(
            f"{what} should be {described(expected)}, but is a {type(found).__name__}: {found!r}"
        ) from None
    if found.shape != expected.shape:
        hint = "; its transpose has" if found.T.shape == expected.shape else ""
        raise AnswerError(f"{what} should be {described(expected)}, but has shape {found.shape}{hint}")
    if near(found, expected, tolerance):
        return f"{what}: right"
    for text, mistake in (mistakes or {}).items():
        if near(found, np.asarray(mistake, np.float64), tolerance):
            raise AnswerError(f"{what}: {text}\n    evidence: {difference(found, expected)}")
    raise AnswerError(
        f"{what} is wrong\n    evidence: {difference(found, expected)}{relation(found, expected, tolerance)}"
    )


def described(array: np.ndarray) -> str:
    return f"an array of shape {array.shape}" if array.ndim else "a number"


def near(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    scale = float(np.abs(b).max(initial=0))
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= tolerance * max(scale, 1e-12)))


def difference(found: np.ndarray, expected: np.ndarray) -> str:
    """The numbers of the first element that differs most."""
    far = np.where(np.isfinite(found), np.abs(found - expected), np.inf)
    index = tuple(map(int, np.unravel_index(np.argmax(far), far.shape)))
    place = f"at {list(index)} " if index else ""
    return f"{place}it is {found[index]:.6g}, and should be {expected[index]:.6g}"


def relation(found: np.ndarray, expected: np.ndarray, tolerance: float) -> str:
    """How the whole array is wrong, if that is simple."""
    if not np.isfinite(found).all():
        return f"; {int((~np.isfinite(found)).sum())} of {found.size} numbers are NaN or infinite"
    square = float((expected * expected).sum())
    c = float((found * expected).sum()) / square if square else 0.0
    simple = abs(c - Fraction(c).limit_denominator(12)) < 1e-6  # for a single number, any other factor is chance
    if c and (simple or found.size > 1) and near(found, c * expected, tolerance):
        return "; the sign is flipped" if abs(c + 1) < 1e-6 else f"; it is {c:.6g} times what it should be"
    if found.ndim and near(found - found.flat[0], expected - expected.flat[0], tolerance):
        return f"; it is off by {found.flat[0] - expected.flat[0]:.6g} everywhere"
    return ""
