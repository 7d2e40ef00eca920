"""A trace as text for a terminal: a line for every tensor, and where the network is tiny, the arithmetic of every number."""

from __future__ import annotations

import itertools
import math
import unicodedata

import numpy as np

from ..differences import TensorCheck, largest_error, not_compared
from ..formula.arithmetic import number
from .steps import Step, TraceData

TINY = 16  # numbers in a tensor, up to which the arithmetic of each is written out
TITLES = {
    "forward": "forward: from the data to the prediction",
    "loss": "loss",
    "backward": "backward: the chain rule, from the loss back to every parameter",
    "positive": "positive phase: the hidden units, given the data",
    "negative": "negative phase: the model's reply",
    "direction": "direction: what contrastive divergence descends; it is no gradient of any objective",
    "update": "update",
}
HEADS = (
    "",
    *["layer", "formula", "shape", "min", "max", "mean", "norm", "zeros", "FLOPs", "kept"],
    "against differences",
)
WIDTHS = (3, 13, 48, 16, 9, 9, 9, 9, 6, 7, 7, 0)  # at least


def written(trace: TraceData, digits: int) -> str:
    """The whole trace."""
    tiny = all(tensor.array.size <= TINY for tensor in trace.tensors.values())
    n = len(trace.x.array)
    lines = [
        f"{trace.title}: one training step on {n} example{'s' if n > 1 else ''}, in float64",
        trace.model,
        *(["", *given(trace, digits)] if tiny else []),
    ]
    explained: set[str] = set()
    for phase, steps in itertools.groupby(trace, lambda step: step.phase):
        lines += ["", TITLES[phase].upper() if tiny else TITLES[phase]]
        steps = list(steps)
        rows = [HEADS, *(columns(step) for step in steps)]
        widths = [
            max(least, *map(width, column)) for least, column in zip(WIDTHS, zip(*rows, strict=True), strict=True)
        ]
        if not tiny:
            lines.append(row(HEADS, widths))
        for step, cells in zip(steps, rows[1:], strict=True):
            lines += arithmetic(step, digits) if tiny else [row(cells, widths)]
            lines += [f"     {meaning}" for word, meaning in step.words.items() if word not in explained]
            explained |= step.words.keys()
    if tiny:
        lines += [
            "",
            "THE PARAMETERS NOW",
            *(named(step.result, digits) for step in trace if step.result.role == "updated"),
        ]
    return "\n".join([*lines, "", *verdict(trace), ""])


# Tiny networks: the arithmetic


def given(trace: TraceData, digits: int) -> list[str]:
    """The numbers that it begins with."""
    return ["GIVEN", named(trace.x, digits), *(named(tensor, digits) for tensor in trace.parameters)]


def named(tensor, digits: int) -> str:
    return f"  {tensor.symbol.text} = {numbers(tensor.array, digits)}"


def numbers(array: np.ndarray, digits: int) -> str:
    """A small array: rows in brackets."""
    if array.ndim == 0:
        return number(float(array), digits)
    return "[" + ", ".join(numbers(part, digits) for part in array) + "]"


def arithmetic(step: Step, digits: int) -> list[str]:
    """A heading, and a line for each number."""
    where = f"{step.layer} {step.kind}".strip()
    note = f"   ({step.note})" if step.note else ""
    lines = ["", f"{step.number:>3}  {step.text}   {shape(step)}   {where}{note}"]
    one = step.result.array.ndim == 0
    for index in np.ndindex(*step.result.shape):
        place = "" if one else f"[{', '.join(map(str, index))}]"
        cell = step.cell(index, digits=digits, terms=TINY)
        value = number(float(step.result.array[index]), digits) + "   drawn" if cell is None else cell.text
        lines.append(f"       {step.result.symbol.text}{place} = {value}")
    if step.check is not None:
        lines.append(f"       central differences: {numbers(step.check.numeric, digits)}, {said(step.check)}")
    return lines


# Larger ones: a table


def columns(step: Step) -> tuple[str, ...]:
    of, note = step.statistics, f"  ({step.note})" if step.note and step.result.role != "direction" else ""
    return (
        str(step.number),
        step.layer or step.kind.partition("(")[0],
        step.text + note,
        shape(step),
        *(f"{value:.3g}" for value in (of.min, of.max, of.mean, of.norm)),
        f"{of.zeros:.0%}",
        counted(step.flops),
        counted(step.bytes_kept, "B") if step.bytes_kept else "",
        said(step.check) if step.check is not None else "",
    )


def row(cells: tuple[str, ...], widths: list[int]) -> str:
    """A line of the table: words to the left, numbers to the right."""
    parts = []
    for i, (cell, size) in enumerate(zip(cells, widths, strict=True)):
        space = " " * (size - width(cell))
        parts.append(space + cell if i == 0 or 4 <= i <= 10 else cell + space)
    return "  ".join(parts).rstrip()


def width(text: str) -> int:
    """How many places it takes: an accent takes none."""
    return sum(not unicodedata.combining(character) for character in text)


def shape(step: Step) -> str:
    return " × ".join(map(str, step.result.shape)) or "a number"


def counted(value: float, unit: str = "") -> str:
    """1.2k, 3.4M."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g}{letter}{unit}"
    return f"{value}{unit}"


def said(check: TensorCheck) -> str:
    """A gradient's check in a few words."""
    some = f" at {check.checked} of {check.numeric.size:,}" if check.sampled else ""
    if not check.comparable or math.isnan(check.error):
        return f"{'' if check.passed else 'DIFFER: '}{check.says}{some}"
    kinks = f", {check.kinks} at a kink" if check.kinks else ""
    return f"{'agree' if check.passed else 'DIFFER'} to {check.error:.0e}{some}{kinks}"


def verdict(trace: TraceData) -> list[str]:
    """What the checks came to."""
    checks = [step.check for step in trace if step.check is not None]
    lines = []
    if checks:
        wrong = [step for step in trace if step.check is not None and not step.check.passed]
        named = ", ".join(
            f"{step.result.symbol.text}{' is NaN' if np.isnan(step.result.array).any() else ''}" for step in wrong
        )
        agree = sum(check.comparable for check in checks)
        count = f"all {agree}" if agree == len(checks) else f"{agree} of {len(checks)}"
        lines.append(
            (f"WRONG: {named}" if wrong else f"{count} gradients agree with central differences")
            + not_compared(checks)
            + (f"; largest relative error {largest_error(checks):.1e}" if agree else "")
        )
    if trace.sampled:
        counts = sum(check.checked for check in checks), sum(check.numeric.size for check in checks)
        lines.append(
            f"sampled: {counts[0]:,} of their {counts[1]:,} elements were compared, the largest of each tensor and others "
            f"drawn with seed {trace.seed}"
        )
    if any(step.phase == "direction" for step in trace):
        lines.append("contrastive divergence is no gradient of any objective: there is nothing to compare it with")
    return lines
