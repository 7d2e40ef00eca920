"""Finds the operation of forward whose derivative is missing or wrong.

Forward runs on arrays that report every operation of the person's own code. In each run that follows, one operation is held at its
first result (no path leads through it), or passes on the change of its input (it is not differentiated). If the numerical
gradient is then the analytic one, or if all that comes through the operation counts c times, that is where the mistake is.
"""

from __future__ import annotations

import linecache
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...layers import Layer
from .case import TOLERANCE, Case
from .experiment import REFUSALS, STEP, ModelExperiment
from .finding import Finding
from .reporting import WATCHERS, Noted, Site, Step, Watcher, file_of, noted, reporting

SECONDS, OF_READING = 1.5, 0.4  # for the gradient of one tensor
TOGETHER = 3.0  # for all of an experiment
PLACES = 10  # how many elements are compared


def operation(case: Case) -> Finding | None:
    """The operation of forward that explains the gradient."""
    return None if is_reading(case) else searched(case)


def operation_of_reading(case: Case) -> Finding | None:
    """The same where a run takes longer, so that it is tried at last, and not for all tensors."""
    experiment, start = case.experiment, time.process_time()
    spent = getattr(experiment, "spent", 0.0)
    if not is_reading(case) or spent > OF_READING / 2:
        return None
    found = searched(case)
    experiment.spent = spent + (0 if found else time.process_time() - start)
    return found


def is_reading(case: Case) -> bool:
    return hasattr(case.experiment.subject, "right")


def searched(case: Case) -> Finding | None:
    search = Search(case)
    try:
        return search.found()
    except REFUSALS:
        return None
    finally:
        WATCHERS.clear()
        vars(case.experiment)["searched"] = search.before + time.process_time() - search.start


class Search:
    """Tries one operation after the other, first those that explain the gradients of other tensors."""

    def __init__(self, case: Case):
        self.case, self.experiment = case, case.experiment
        self.file, self.start = file_of(self.experiment.subject), time.process_time()
        self.before = vars(self.experiment).get("searched", 0.0)
        self.known: list[Any] = vars(self.experiment).setdefault("explained", [])
        wrong = list(map(tuple, np.argwhere(case.wrong & case.smooth).tolist()))
        right = list(map(tuple, np.argwhere(~case.wrong & case.smooth).tolist()))
        rng = np.random.default_rng(0)
        self.places = [wrong[i] for i in rng.permutation(len(wrong))[:PLACES]] + [
            right[i] for i in rng.permutation(len(right))[:3]
        ]
        self.A, self.N = (np.array([g[index] for index in self.places]) for g in (case.A, case.N))
        self.scale = max(float(np.abs(self.A).max(initial=0)), float(np.abs(self.N).max(initial=0)))

    def run(self, subject: Any, inputs: dict[str, np.ndarray], watcher: Watcher) -> np.ndarray:
        WATCHERS.append(watcher)
        try:
            with reporting():
                return np.array(
                    self.experiment.value(subject, {name: noted(array) for name, array in inputs.items()})
                )
        finally:
            WATCHERS.pop()

    def gradient(self, change: Callable[[int, Step, Callable], Any]) -> np.ndarray:
        """The numerical gradient at the places, with some operations changed."""
        subject = self.subject()
        inputs = {name: array.copy() for name, array in self.experiment.inputs.items()}
        tensor = self.experiment.tensor(subject, inputs, self.case.name)
        r, found = self.case.r, []
        for index in self.places:
            start, step = float(tensor[index]), STEP * max(1.0, abs(float(tensor[index])))
            values = []
            for sign in (1, -1):
                tensor[index] = start + sign * step
                values.append(self.run(subject, inputs, Watcher(self.file, change)))
            tensor[index] = start
            found.append(float(((values[0] - values[1]) * r).sum()) / (2 * step))
        return np.array(found)

    def subject(self) -> Any:
        """A copy whose parameters report too."""
        subject = self.experiment.fresh()
        if isinstance(subject, Layer) and not isinstance(self.experiment, ModelExperiment):
            for leaf, attribute in self.experiment.places(subject).values():
                value = getattr(leaf, attribute)
                if isinstance(value, np.ndarray) and value.ndim:
                    setattr(leaf, attribute, value.view(Noted))
        return subject

    def found(self) -> Finding | None:
        if not self.file or len(self.places) < 2:
            return None
        base = Watcher(self.file)
        self.run(self.subject(), self.experiment.inputs, base)
        steps = base.steps
        if not steps or len(steps) > 3000:
            return None
        for explain in (self.not_differentiated, self.held, self.units):
            for finding in explain(steps):
                return finding
        return None

    def late(self) -> bool:
        return time.process_time() - self.start > min(
            OF_READING if is_reading(self.case) else SECONDS, TOGETHER - self.before
        )

    def in_order(self, places: dict[Any, Any]) -> Iterator[tuple[Any, Any]]:
        """Places in the code until it is late, and those that are known in any case."""
        for key, value in sorted(places.items(), key=lambda place: place[0] not in self.known):
            if self.late() and key not in self.known:
                return
            yield key, value

    def near(self, a: np.ndarray, b: np.ndarray) -> bool:
        return bool(np.all(np.abs(a - b) <= 2 * TOLERANCE * self.scale))

    def not_differentiated(self, steps: list[Step]) -> Iterator[Finding]:
        """Between two values of the same shape in one line, backward passes the gradient on as it is."""
        pairs: dict[tuple[Any, Any], list[tuple[int, int]]] = {}
        for k, step in enumerate(steps):
            before = [
                i
                for i in range(max(0, k - 12), k)
                if steps[i].site[:-1] == step.site[:-1] and steps[i].line == step.line
            ]
            if step.name in BETWEEN or not step.result.ndim:
                continue
            first = before[0] if before else k
            for i in (-1 - first, *before):  # a negative one: the operand of the line's first operation
                source = first_array(steps[first].operands) if i < 0 else steps[i].result
                if source is not None and np.shape(source) == step.result.shape:
                    key = (steps[first].site, "operand") if i < 0 else (steps[i].site, "result")
                    pairs.setdefault((key, step.site), []).append((i, k))
        for key, dynamic in self.in_order(pairs):
            passed = {k: i for i, k in dynamic}
            kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}

            def change(k: int, step: Step, recompute: Callable, passed=passed, kept=kept) -> Any:
                kept[k] = np.array(first_array(step.operands)), step.result
                if k not in passed:
                    return step.result
                i = passed[k]
                now, then = (
                    (kept[-1 - i][0], first_array(steps[-1 - i].operands)) if i < 0 else (kept[i][1], steps[i].result)
                )
                return steps[k].result + (now - then)

            if self.near(self.gradient(change), self.A):
                step = steps[dynamic[0][1]]
                self.known.append(key)
                yield self.case.found("operation_not_differentiated", self.quoted(step), **self.words(step))
                return

    def held(self, steps: list[Step]) -> Iterator[Finding]:
        """All that comes through an operation, or through one of its operands, counts c times; 0 times if a path is missing."""
        groups: dict[Any, set[int]] = {}
        for k, step in enumerate(steps):
            groups.setdefault((step.site, None), set()).add(k)
            if len(step.operands) == 2:
                for m in (0, 1):
                    if isinstance(step.operands[m], np.ndarray):
                        groups.setdefault((step.site, m), set()).add(k)
            if len(step.site) > 1:
                groups.setdefault((step.site[:-1], "call"), set()).add(k)
        reductions = {
            k
            for k, step in enumerate(steps)
            if step.name in ("mean", "var", "std", "sum", "reduce", "add") and step.result.size < step_size(step)
        }
        if len({steps[k].site for k in reductions}) > 1:
            groups["reductions", None] = reductions
        for (site, operand), ks in self.in_order(groups):

            def change(k: int, step: Step, recompute: Callable, ks=ks, operand=operand) -> Any:
                if k not in ks:
                    return step.result
                if operand in (0, 1):
                    values = list(step.operands)
                    values[operand] = steps[k].operands[operand]
                    return recompute(*values)
                return steps[k].result

            held = self.gradient(change)
            through = self.N - held
            large = np.abs(through) > 1e-4 * self.scale
            if large.sum() < 2 or self.near(held, 0 * held):
                continue
            quotients = ((self.A - held) / np.where(large, through, 1))[large]
            c = float(np.median(quotients))
            if abs(c - 1) > 1e-3 and self.near(self.A, held + c * through):
                step = steps[min(ks)]
                words = self.words(step)
                if site == "reductions":
                    words["place"] = "the sums and means of `forward`"
                kind = (
                    "operation_missing"
                    if abs(c) < 1e-3
                    else "operation_sign"
                    if abs(c + 1) < 1e-3
                    else "operation_factor"
                )
                self.known.append((site, operand))
                yield self.case.found(kind, self.quoted(step), c=f"{c:.6g}", **words)
                return

    def units(self, steps: list[Step]) -> Iterator[Finding]:
        """What comes through each unit of an operation's result has a factor of its own."""
        sites: dict[Site, set[int]] = {}
        for k, step in enumerate(steps):
            if step.result.ndim and 2 <= step.result.shape[-1] <= len(self.places) - 3:
                sites.setdefault(step.site, set()).add(k)
        for ks in sites.values():
            columns = []
            for unit in range(steps[min(ks)].result.shape[-1]):
                if self.late():
                    return

                def change(k: int, step: Step, recompute: Callable, ks=ks, unit=unit) -> Any:
                    if k not in ks:
                        return step.result
                    result = np.array(step.result)
                    result[..., unit] = steps[k].result[..., unit]
                    return result

                columns.append(self.N - self.gradient(change))
            through = np.stack(columns, axis=1)
            if np.linalg.matrix_rank(through, tol=1e-4 * self.scale) < through.shape[1]:
                continue
            rest = self.N - through.sum(axis=1)
            c, *_ = np.linalg.lstsq(through, self.A - rest, rcond=None)
            if self.near(self.A, rest + through @ c):
                step = steps[min(ks)]
                yield self.case.found(
                    "units", self.quoted(step), factors=", ".join(f"{one:.4g}" for one in c), **self.words(step)
                )
                return

    def words(self, step: Step) -> dict[str, str]:
        return {
            "name": NAMES.get(step.name, step.name),
            "place": f"`{NAMES.get(step.name, step.name)}` in line {step.line}",
        }

    def quoted(self, step: Step) -> str:
        return f"line {step.line} is: {linecache.getline(self.file, step.line).strip()}"


BETWEEN = {
    "add",
    "subtract",
    "matmul",
    "reduce",
    "dot",
    "einsum",
    "tensordot",
    "sum",
    "mean",
    "var",
    "concatenate",
    "stack",
}  # no functions of one number
NAMES = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "matmul": "@",
    "power": "**",
    "negative": "-",
    "square": "²",
}


def first_array(operands: tuple[Any, ...]) -> Any:
    return next((o for o in operands if isinstance(o, np.ndarray)), None)


def step_size(step: Step) -> int:
    operand = first_array(step.operands)
    return 0 if operand is None else operand.size
