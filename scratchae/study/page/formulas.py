"""What a page needs to compute a trace again: each formula as lists, the plain numbers in it, and a fingerprint of its result.

A formula is a number, a name, or [operator, argument, …, {option: value}?]; operators are those of `formula/values.py`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..formula import Node, Symbol
from ..formula.rendering import Writer

if TYPE_CHECKING:
    from ..tracing.steps import Step, Tensor, TraceData

POINTS = 8  # numbers of a fingerprint
ROUNDING = 1e-11  # of the largest operand: a result as small is nothing else
UNKNOWN = "No formula tells how {symbol} is computed, so that this page cannot compute it again, and nothing can be changed here."
THINNED = "This step has more numbers than a page can hold, so that it shows a sample, rounded, and nothing can be changed here."


def as_lists(node: Node) -> Any:
    """A formula as JSON values."""
    if node.op in ("num", "name"):
        return node.value
    return [node.op, *map(as_lists, node.args), *([dict(node.value)] if node.value else [])]


def computed(step: Step, rounding: set[str]) -> dict[str, Any]:
    """What the page computes a step from, and what it compares the result with; of what is drawn only the distribution. rounding:
    the results that nobody else can get.
    """
    if step.formula.drawn:
        return {"draws": step.formula.tree.op}
    if not step.formula.computable:
        return {}
    return {
        "tree": as_lists(step.formula.tree),
        "numbers": {name: plain(value) for name, value in step.options.items()},
        "print": None if step.result.key in rounding else fingerprint(step.result.array),
    }


def roundings(trace: TraceData) -> set[str]:
    """The keys of gradients in which all cancels, such as of a bias before a BatchNorm, and of what an optimizer makes of them:
    what is left there is rounding, which Adam makes as large as any gradient.
    """
    found: set[str] = set()
    for step in trace.steps:
        operands = [operand.tensor for operand in step.operands]
        follows = step.phase == "update" and found.intersection(tensor.key for tensor in operands)
        size = largest(step.result) if step.result.role == "gradient" else 0.0
        if follows or 0 < size < ROUNDING * max(map(largest, operands), default=0.0):
            found.add(step.result.key)
    return found


def largest(tensor: Tensor) -> float:
    """The size of its largest number."""
    return float(np.abs(tensor.array).max(initial=0))


def plain(value: Any) -> Any:
    """A number, a size, a word or nothing, for JSON, which has only finite numbers."""
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, float | np.floating) and not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(float(value), "NaN")
    return value.item() if isinstance(value, np.generic) else value


def fingerprint(array: np.ndarray) -> list[Any]:
    """The norm, and some numbers: the first, the last, and others at even distances."""
    flat = array.ravel()
    places = range(flat.size) if flat.size <= POINTS else [i * (flat.size - 1) // (POINTS - 1) for i in range(POINTS)]
    with np.errstate(all="ignore"):
        norm = float(np.sqrt((flat * flat).sum()))
    return [plain(norm), *(plain(float(flat[place])) for place in places)]


def leaves(trace: TraceData) -> set[str]:
    """The keys of what no formula of the trace makes: data, parameters, states, and what was drawn."""
    return set(trace.tensors) - {step.result.key for step in trace.steps if step.formula.computable}


def closed(trace: TraceData) -> str:
    """Why the page cannot compute the step again, in a sentence; "" where it can."""
    for step in trace.steps:
        if not step.formula.computable and not step.formula.drawn:
            return UNKNOWN.format(symbol=step.result.symbol.text)
    return ""


class Pictured(Writer):
    """A formula between whose signs pictures are put."""

    def matrix_product(self, left: str, right: str) -> str:
        return f"{left} · {right}"


def in_pictures(step: Step) -> list[str]:
    """The formula as texts, and at every second place the name of an operand; last the sign before the result."""
    operands = {operand.name for operand in step.operands}

    def symbol(name: str) -> Symbol | str:
        return f"\0{name}\0" if name in operands else step.formula.symbols.get(name, name)

    text = Pictured(symbol, step.formula.single).write(step.formula.tree)
    return f"{text} {'=' if step.formula.sign() == '=' else '→'}".split("\0")
