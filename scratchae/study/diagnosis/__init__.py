"""How is a gradient wrong? Each rule below knows one mistake, and names it only if an experiment shows it.

The rules do not know the layer's formula. They compare the analytic gradient A with the numerical gradient N, and compute
both elsewhere: in a batch twice as large, with dy doubled, with dy at one example only, with x replaced by y, with a
parameter transposed. If A at one place equals N at another to five digits, in every element, that is not an accident, and the
place says what was mixed up.
"""

from __future__ import annotations

import itertools

import numpy as np

from ...errors import ArrayTypeError, ShapeError
from ..styles.text.calls import require_array
from .behaviour import behaviour
from .case import Case, alike, attempt
from .experiment import REFUSALS, Experiment, LayerExperiment, ModelExperiment, RefusedError, parts, quiet
from .factors import factor
from .finding import Finding, finding
from .mixups import cross_terms, not_differentiated, other_formula, parameter_turned, wrong_point
from .operations import operation, operation_of_reading
from .paths import (
    branch,
    contributions,
    copied,
    couplings,
    elementwise,
    extra_term,
    forward_stops,
    updated_first,
    without_x,
)
from .repairs import line
from .values import kinks, mask, not_finite, one_example, reordered, sums, upstream, zero

# in the order in which they are tried: the mistakes that are easiest to recognise come first
RULES = (
    not_finite, zero, kinks, updated_first, forward_stops, upstream, factor, reordered, one_example, sums, mask,
    not_differentiated, copied, wrong_point, other_formula, parameter_turned, cross_terms, without_x, contributions, extra_term, operation, couplings, branch, elementwise, line, operation_of_reading,
)  # fmt: skip


def diagnose(experiment: Experiment, wrong: tuple[str, ...]) -> tuple[Finding, ...]:
    """All faults of the subject of an experiment, given the names of the tensors whose gradients are wrong."""
    with quiet():
        found = behaviour(experiment)
        if any(fault.kind == "random" for fault in found):
            return tuple(found)
        if wrong and isinstance(experiment, LayerExperiment):
            inner = inside(experiment)
            if inner:
                return merged(found + inner)
        cases: dict[str, Case] = {}
        cases |= {name: Case(experiment, name, cases) for name in wrong}
        return merged(found + [examine(case) for case in cases.values()])


def inside(experiment: LayerExperiment) -> list[Finding]:
    """The faults in the layers of a chain or a model: an error in one makes the gradients of all layers before it wrong."""
    found = []
    for name, part in parts(experiment):
        for tensor in part.names():
            case = Case(part, tensor)
            if attempt(lambda case=case: bool((case.wrong & case.smooth).any())):
                label = f"{name}.{tensor}" if tensor != "x" else f"(input of {name}, {part.subject!r})"
                fault = examine(case)
                found.append(
                    Finding(
                        fault.kind, (label,), fault.what, f"in {part.subject!r} alone: {fault.evidence}", fault.look
                    )
                )
    return found


def examine(case: Case) -> Finding:
    """The first rule that knows what is wrong with this gradient."""
    for rule in RULES:
        try:
            if found := rule(case):
                return found
        except REFUSALS:  # the subject does not accept the experiment's input
            continue
    return unknown(case)


def unknown(case: Case) -> Finding:
    """No rule knows the mistake: say what can be said without one."""
    facts = [f"{int(case.wrong.sum())} of {case.A.size} elements are wrong"]
    if case.wrong.any() and not case.wrong.all():
        for axis in range(case.A.ndim):
            hit = case.wrong.any(axis=tuple(i for i in range(case.A.ndim) if i != axis))
            if not hit.all():
                facts.append(f"only at {', '.join(map(str, np.flatnonzero(hit)[:8]))} along axis {axis}")
    large = case.smooth & (np.abs(case.N) > 1e-6 * np.abs(case.N).max(initial=0))
    if large.any():
        quotient = case.A[large] / case.N[large]
        facts.append(f"divided by the right values, they lie between {quotient.min():.4g} and {quotient.max():.4g}")
    if isinstance(case.experiment, ModelExperiment):
        facts.append("each of its layers is right by itself: look at the model's own backward")
    elif isinstance(case.experiment, LayerExperiment) and len(case.r) > 1:
        facts.append(first_alone(case))
    return case.found("unknown", "; ".join(filter(None, facts)))


def first_alone(case: Case) -> str:
    one = case.experiment.beside(case.experiment.inputs["x"][:1], case.experiment.seed)
    right = attempt(lambda: not Case(one, case.name).wrong.any())
    return "for a batch of one example it is right, so it goes wrong where examples meet" if right else ""


def merged(found: list[Finding]) -> tuple[Finding, ...]:
    """Merge findings that say the same about several tensors."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for fault in found:
        groups.setdefault((fault.kind, fault.what), []).append(fault)
    merged = (
        Finding(
            kind,
            tuple(dict.fromkeys(name for fault in group for name in fault.tensors)),
            what,
            group[0].evidence,
            group[0].look,
        )
        for (kind, what), group in groups.items()
    )
    return tuple(sorted(merged, key=lambda one: not one.fault))  # remarks last


class GradientShapeError(ShapeError):
    """A gradient does not have the shape of its tensor; `finding` says why."""

    def __init__(self, message: str, found: Finding):
        super().__init__(message)
        self.finding = found


def require_shapes(experiment: LayerExperiment) -> None:
    """Raise GradientShapeError if a gradient does not have the shape of its tensor, ArrayTypeError if it is not an array."""
    try:
        y, gradients = experiment.run()
    except RefusedError as refused:
        raise refused.__cause__ from None
    if "x" in experiment.names():
        require_array(experiment.subject, "backward", "∂L/∂x", gradients["x"])
    for name in experiment.names():
        tensor = experiment.tensor(experiment.subject, experiment.inputs, name)
        gradient = gradients.get(name)
        if gradient is None:
            raise ArrayTypeError(f"{experiment.subject!r}: backward leaves no d{name} for the parameter {name}")
        if gradient.shape != tensor.shape:
            found = misfit(experiment, name, gradient, y)
            shapes = f"the gradient of {name} has shape {gradient.shape}, {name} itself {tensor.shape}"
            raise GradientShapeError(f"{experiment.subject!r}: {shapes}: they must be equal\n{found}", found)


def misfit(experiment: LayerExperiment, name: str, gradient: np.ndarray, y: np.ndarray) -> Finding:
    """What is wrong with a gradient of the wrong shape."""
    left, right = experiment.slopes(name)
    N, r = (left + right) / 2, experiment.upstream(y)
    words = {"found": gradient.shape, "wanted": N.shape}
    surplus = tuple(range(gradient.ndim - N.ndim))
    if name != "x":
        if surplus and gradient.size != N.size and alike(gradient.sum(axis=surplus), N):
            axes = ", ".join(map(str, surplus))
            return finding("not_summed", (name,), f"summed over axis {axes}, it is right", **words)
        axes = (axes for k in range(1, r.ndim) for axes in itertools.combinations(range(r.ndim), k))
        if any(alike(gradient, r.sum(axis=a)) for a in axes) and not alike(gradient.reshape(-1), N.reshape(-1)):
            which = f"its shape is {gradient.shape}, and should be {N.shape}"
            return finding("wrong_sum", (name,), "it equals a sum of dy over other axes", which=which)
    if alike(gradient.transpose(), N):
        return finding(
            "transposed", (name,), f"its shape is {gradient.shape}, and should be {N.shape}; its transpose is right"
        )
    same = gradient.size == N.size and alike(gradient.reshape(N.shape), N)
    return finding("shape", (name,), "reshaped, the numbers are right" if same else "", **words)
