"""Values that jump: of two pieces that do not meet, such as ½ r² up to δ and δ (|r| - δ) beyond it, each may have its own gradient."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ...layers import Layer
from ..diagnosis.finding import Finding, finding
from ..styles.objects.copies import duplicate, repeatable
from ..styles.text.written import text_of

# what jumps on purpose: it counts, chooses, leaves examples out, rounds or wraps
ON_PURPOSE = re.compile(
    r"sort|arg(?:max|min)|hard|mining|mined|top_?k|round|rint|floor|ceil|\bstep|heaviside|thresh|ignor|trim|%|\bmod\b|wrap|quant|binar|"
    r"indicator|rank|valid|skip|drop|random|nearest|count|mask|pad|spike|partition|winner",
    re.I,
)
PIECES = re.compile(r"where|\bif\b|[<>]")
STEPS, HALVINGS = 97, 40


def of_function(function: Any, inputs: Sequence[np.ndarray]) -> Iterator[Finding]:
    """What is wrong with a loss or penalty whose value jumps where one number of its first argument moves."""

    def value(x: np.ndarray) -> float:
        found = function(x, *(other.copy() for other in inputs[1:]))
        return float(np.sum(found[0] if isinstance(found, tuple) else found))

    yield from told(value, text_of(getattr(function, "source", None) or function), inputs[0])


def of_layer(layer: Layer, x: np.ndarray) -> Iterator[Finding]:
    """A remark on an activation of which y jumps where x moves."""
    theirs = getattr(layer, "theirs", layer)
    text = text_of(getattr(theirs, "_value", None) or type(theirs))

    def value(x: np.ndarray) -> float:
        return float(np.sum(np.cos(np.arange(x.size)).reshape(x.shape) * duplicate(theirs).forward(x)))

    if x.dtype.kind == "f":
        yield from told(value, text, x)


def told(value: Callable[[np.ndarray], float], text: str, x: np.ndarray) -> Iterator[Finding]:
    """Where a value jumps, of whatever has this text, for two of the numbers of x."""
    if ON_PURPOSE.search(text) or not PIECES.search(text):
        return
    with np.errstate(all="ignore"), contextlib.suppress(Exception), repeatable():
        for place in [*np.ndindex(x.shape)][:2]:

            def along(number: float, place: tuple = place) -> float:
                moved = np.array(x, float)
                moved[place] = number
                return value(moved)

            for at, before, after in jumps(along, x[place] - 3.1, x[place] + 3.2):
                evidence = f"where one number passes {round(at, 6) + 0:g}, and all others stay, the value goes from {before:.6g} to {after:.6g}"
                formula = "where one piece ends, the next begins with the same number"
                yield finding("other_value", (), evidence, what="continuous function: it jumps", formula=formula)
                return


def jumps(value: Callable[[float], float], low: float, high: float) -> Iterator[tuple[float, float, float]]:
    """Where a function jumps, and from which number to which: a difference that stays, however near the two points are."""
    points = np.linspace(low, high, STEPS)
    values = np.array([value(point) for point in points])
    change = np.abs(np.diff(values))
    for step in np.argsort(-change)[:4]:
        (a, b), (of_a, of_b) = points[step : step + 2], values[step : step + 2]
        for _ in range(HALVINGS):
            middle = (a + b) / 2
            of_middle = value(middle)
            if abs(of_middle - of_a) > abs(of_b - of_middle):
                b, of_b = middle, of_middle
            else:
                a, of_a = middle, of_middle
        if np.isfinite([of_a, of_b]).all() and abs(of_b - of_a) > max(
            1e-3 * change.max(), 1e-6 * np.abs(values).max()
        ):
            yield b, of_a, of_b
