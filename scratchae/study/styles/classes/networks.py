"""A net that knows its gradients, or trains, and has no loss: backprop(x, y) is held against the losses that are usual."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..objects.held import held_by, labels, left_by
from ..objects.paths import walk
from ..readings.apart import call
from ..readings.returned import are_arrays, labelled, names_in
from ..readings.several import Arrays, Several, UnlikeError
from ..text.calls import parameters_of, required
from ..text.names import COSTS, FORWARD, RATES, SLOPES, plain
from ..text.written import text_of
from .descending import NOT_PLAIN, RATE, STEP, object_of, steps_of

PREDICTS = (*FORWARD, "predict", "think", "query", "output", "evaluate")
LOSSES: dict[str, tuple[Callable, Callable]] = {  # the value, and its derivative in the output
    "½ Σ (a - y)²": (lambda a, y: 0.5 * ((a - y) ** 2).sum(), lambda a, y: a - y),
    "-Σ (y log a + (1 - y) log (1 - a))": (
        lambda a, y: -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(),
        lambda a, y: (a - y) / (a * (1 - a)),
    ),
    "-Σ y log a": (lambda a, y: -(y * np.log(a)).sum(), lambda a, y: -y / a),
}
DERIVATIVE = re.compile(r"(?:cost|loss|error)_?(?:derivative|prime|grad|gradient|deriv)|d_?(?:cost|loss|error)")


def of_class(title: str, cls: type, made: Any, make: Callable[..., Any]) -> Iterator[Several]:
    """The readings of a class without a loss: what it predicts, a usual loss of that and y, and the gradients for x and y."""
    methods = dict(inspect.getmembers(cls, inspect.isfunction))
    if any(name in methods for name in COSTS):
        return
    slopes = [
        name
        for name in methods
        if (name in SLOPES or STEP.fullmatch(name) or name == "train") and asked(methods[name]) == 2
    ]
    for predict in (
        name for name in dict.fromkeys(PREDICTS) if name in methods and len(required(methods[name])) == 2
    ):
        for slope in slopes:
            if not NOT_PLAIN.search(text_of(methods[slope])):
                for loss in losses_of(cls):
                    yield reading(title, cls, made, make, predict, slope, loss)


def asked(method: Callable) -> int:
    return sum(plain(p.name) not in RATES for p in required(method)) - 1


def losses_of(cls: type) -> list[str]:
    """The losses that may be meant: that of which the class has the derivative, or else all."""
    name = next((name for name, _ in inspect.getmembers(cls, inspect.isfunction) if DERIVATIVE.fullmatch(name)), None)
    a, y = np.array([0.3, 0.8, 0.6]), np.array([0.1, 0.7, 0.2])
    try:
        found = np.asarray(getattr(cls, name)(None, a, y)) if name else None
    except Exception:
        found = None
    alike = [one for one, (_, slope) in LOSSES.items() if found is not None and np.ptp(found / slope(a, y)) < 1e-9]
    return alike or list(LOSSES)


def reading(title: str, cls: type, made: Any, make: Callable, predict: str, slope: str, loss: str) -> Several:
    source = getattr(cls, slope)
    needed = [p for p in required(source)[1:] if plain(p.name) not in RATES]
    moving: dict[str, bool] = {}

    def value(arguments: Arrays) -> Any:
        x, y = (arguments[p.name] for p in needed)
        a = getattr(object_of(make, made, arguments), predict)(x)
        a = a[0] if isinstance(a, tuple) else a
        if np.shape(a) != np.shape(y) or not np.ndim(a):
            raise UnlikeError
        return LOSSES[loss][0](a, y)

    def run(arguments: Arrays, upstream: Callable) -> tuple[list, list]:
        y, fresh = value(arguments), object_of(make, made, arguments)
        before, arrays = held_by(fresh), {path: np.array(array) for path, array in walk(fresh)}
        method = getattr(fresh, slope)
        rates = {p.name: RATE for p in parameters_of(method) if plain(p.name) in RATES}
        getattr(fresh, predict)(arguments[needed[0].name])
        found = call(method, {p.name: arguments[p.name] for p in needed} | rates)
        stepped = steps_of(
            fresh, before, bool(rates), lambda name, array: value(arguments | {name: array}) != y, moving
        )
        if any(np.any(step) for _, step in stepped):
            return [y], stepped
        returned = list(labelled(found, names_in(source))) if are_arrays(found) else []
        return [y], [*returned, *labels(left_by(fresh, arrays))]

    return Several(
        title, source, needed, run, {}, lambda arguments: {name: array for name, (_, array) in held_by(object_of(make, made, arguments)).items()},
        updates=True, descends=True, cls=None if made is not None else cls, fixed=made is not None, parts=(getattr(cls, predict), source), told=len(losses_of(cls)) == 1,
    )  # fmt: skip
