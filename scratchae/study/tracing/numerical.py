"""The gradients of a trace against central differences.

Of a parameter, the loss is computed by the model's own code, with the parameter moved. Of a tensor in between, which that
code gives no handle to, by the formulas of the trace from there on, each of which was found to say what the code does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ...backend import Array
from ...models import Model
from ..differences import EPS, TensorCheck, compare
from ..formula.values import Evaluation
from .program import Program
from .recording import Again
from .steps import Step, Tensor

ALL = 2_000  # elements of all gradients together, up to which each is checked
SAMPLE = 16  # elements of a tensor that are checked, if there are more
MORE = 3  # times that so many others are taken while most of them lie at a kink


def checked(program: Program, model: Model, x: Array, seed: int, training: bool) -> list[Step]:
    """The steps, those of gradients with their check. model: as it was before the step that the program follows."""
    gradients = {step.result.key: step.result for step in program.steps if step.result.role == "gradient"}
    rng = np.random.default_rng(seed)
    few = sum(tensor.array.size for tensor in gradients.values()) <= ALL
    elements = None if few else lambda gradient: sample(gradient, rng)
    checks = parameter_checks(program, model, x, elements, training) if gradients else {}
    for key, tensor in gradients.items():
        if key not in checks and key in program.derivative_of:
            found = between(program, tensor, elements)
            if found is not None:
                checks[key] = found
    return [
        replace(step, check=checks[step.result.key]) if step.result.key in checks else step for step in program.steps
    ]


def sample(gradient: np.ndarray, rng: np.random.Generator) -> Iterator[list[tuple[int, ...]]]:
    """Some places of a gradient: of its largest number, and others at random; further ones, should most lie at a kink."""
    if gradient.size <= SAMPLE:
        yield list(np.ndindex(*gradient.shape))
        return
    places = np.unique([np.abs(gradient).argmax(), *rng.choice(gradient.size, SAMPLE - 1, replace=False)])
    left = np.arange(gradient.size)
    for _ in range(1 + MORE):
        yield [tuple(map(int, np.unravel_index(place, gradient.shape))) for place in places]
        left = np.setdiff1d(left, places)
        places = rng.choice(left, min(SAMPLE, left.size), replace=False)


def parameter_checks(
    program: Program, model: Model, x: Array, elements: Callable | None, training: bool
) -> dict[str, TensorCheck]:
    """Of the gradient that the model ended with, by its own `descended`, with the same noise every time."""
    tensors: dict[str, dict[str, Array]] = {}  # by the metric that they descend
    gradients = {}
    for name, layer, attribute in model.named_parameters():
        found = program.names.get(f"{name.rpartition('.')[0]}.d{attribute}")
        if found is not None:
            tensors.setdefault(model.metric_of(name), {})[found.key] = getattr(layer, attribute)
            gradients[found.key] = found.array

    draws = program.recording.all_draws
    checks = {}
    for metric, those in tensors.items():

        def value(metric: str = metric) -> Array:
            return model.descended(x, Again(draws) if training else None)[metric]

        rounding = EPS * abs(float(value()))
        report = compare(type(model).__name__, those, gradients, value, rounding, elements=elements, chain=True)
        checks |= {check.name: check for check in report.checks}
    return checks


def between(program: Program, gradient: Tensor, elements: Callable | None) -> TensorCheck | None:
    """Of a tensor that is neither data nor parameter: what depends on it is computed again by the formulas.

    None where something without formulas stands between it and the loss.
    """
    of, leaf, value = program.derivative_of[gradient.key]
    scalar = program.names[value].key
    known = {operand.tensor.key: operand.tensor for step in program.steps for operand in step.operands}
    moved = known[of].array.copy()
    steps, changed, grown = [], {of}, 0
    while len(changed) > grown:  # again after a recurrence, which uses what comes after it
        steps, grown = [], len(changed)
        for step in program.steps:
            uses = {operand.tensor.key for operand in step.operands} & changed
            if leaf and step.layer != leaf:
                uses -= {of}  # there the tensor stays: this is the part of the gradient that comes through one layer
            if uses and step.result.role not in ("gradient", "direction") and not step.formula.still:
                if not step.formula.computable:
                    return None
                steps.append(step)
                changed.add(step.result.key)
            if step.result.key == scalar:
                break
    if scalar not in changed:  # what lies between is not told: a model without formulas
        return None

    groups = [list(group) for _, group in itertools.groupby(steps, key=lambda step: step.layer)]

    def scalar_value() -> np.ndarray:
        values = {of: moved}
        for group in groups:
            for _ in range(rounds(group)):
                before = dict(values)
                for step in group:
                    names = dict(step.formula.names)
                    for operand in step.operands:
                        own = operand.tensor.key
                        if own in values and not (own == of and leaf and step.layer != leaf):
                            names[operand.name] = values[own]
                    made = np.asarray(Evaluation(step.formula.tree, names).value, np.float64)
                    if (
                        step.result.key == of
                    ):  # a state, which its own later steps bring back here: what it was moved by stays
                        made = made + (moved - known[of].array)
                    values[step.result.key] = np.broadcast_to(made, step.formula.shape)
                if all(key in before and np.array_equal(values[key], before[key]) for key in values):
                    break  # what was moved has gone as far as it goes
        return values[scalar]

    rounding = EPS * abs(float(program.names[value].array))
    gradients = {of: gradient.array}
    report = compare(of, {of: moved}, gradients, scalar_value, rounding, elements=elements, chain=True)
    return report.checks[0]


def rounds(group: Sequence[Step]) -> int:
    """How often the steps of a layer are to be computed: those of a recurrence once for each step of the sequence."""
    place = {step.result.key: i for i, step in enumerate(group)}
    recurrent = [
        step
        for i, step in enumerate(group)
        if any(place.get(operand.tensor.key, -1) >= i for operand in step.operands)
    ]
    return max((step.result.shape[1] for step in recurrent if step.layer), default=1)
