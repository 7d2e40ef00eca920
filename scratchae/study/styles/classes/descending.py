"""A class that descends a loss: its own, loss(X, y) and train_step(X, y, lr), which changes what the object holds; or one that it has not.

A net that knows its gradients, or trains, and has no loss, backprop(x, y), is held against the losses that are usual.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..objects.fresh import Objects
from ..objects.held import copies, left_by
from ..readings.returned import are_arrays, is_number, labelled, names_in
from ..readings.several import Arrays, Several, UnlikeError
from ..text.calls import required
from ..text.names import COSTS, FORWARD, RATES, SLOPES, STEP, plain
from ..text.written import notes_of, text_of
from . import methods
from .steps import NOT_PLAIN, Descent, rates_of

PREDICTS = (*FORWARD, "predict", "think", "query", "output", "evaluate")
LOSSES: dict[str, tuple[Callable, Callable]] = {  # the value, and its derivative in the output
    "½ Σ (a - y)²": (lambda a, y: 0.5 * ((a - y) ** 2).sum(), lambda a, y: a - y),
    "-Σ (y log a + (1 - y) log (1 - a))": (
        lambda a, y: -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(),
        lambda a, y: (a - y) / (a * (1 - a)),
    ),
    "-Σ y log a": (lambda a, y: -(y * np.log(a)).sum(), lambda a, y: -y / a),
}


def usual_loss(name: str, a: np.ndarray, y: np.ndarray) -> Any:
    """A usual loss of an output and its target of the same shape, or of the classes of its rows; None if they do not fit."""
    if y.dtype.kind in "iu" and y.shape == a.shape[:-1] and a.ndim:
        y = np.eye(a.shape[-1])[y]
    fits = a.dtype.kind == "f" and a.ndim > 0 and a.shape == y.shape
    return LOSSES[name][0](a, y) if fits else None


DERIVATIVE = re.compile(r"(?:cost|loss|error)_?(?:derivative|prime|grad|gradient|deriv)|d_?(?:cost|loss|error)")


def with_own_loss(title: str, objects: Objects) -> Iterator[Several]:
    """The readings of a class in which its steps, turned round, are the gradients of its loss."""
    named = dict(inspect.getmembers(objects.cls, inspect.isfunction))
    for cost in (name for name in COSTS if name in named):
        for step in (name for name in named if STEP.fullmatch(name.strip("_")) and name != cost):
            text = text_of(named[step]) + notes_of(objects.cls)
            wanted = sum(plain(p.name) not in RATES for p in required(named[step]))
            if not NOT_PLAIN.search(text) and 1 < wanted == len(required(named[cost])):
                yield of_own(title, objects, cost, step)


def of_own(title: str, objects: Objects, cost: str, step: str) -> Several:
    found = methods.reading(title, objects, cost, step)
    needed = [p.name for p in found.parameters]

    def value(arguments: Arrays) -> Any:
        return getattr(objects(arguments, needed), cost)(**{name: arguments[name] for name in needed})

    descent = Descent(value)

    def run(arguments: Arrays, upstream: Callable) -> tuple[list, list]:
        y, fresh = value(arguments), objects(arguments, needed)
        if not is_number(y):
            raise UnlikeError
        method = getattr(fresh, step)
        others = [p.name for p in required(method) if p.name not in rates_of(method)]
        given = dict(zip(others, (arguments[name] for name in needed), strict=True))
        return [y], descent.step(fresh, method, given, arguments, y)[1]

    return replace(found, run=run, updates=True, descends=True)


def without_loss(title: str, objects: Objects) -> Iterator[Several]:
    """The readings of a class without a loss: what it predicts, a usual loss of that and y, and the gradients for x and y."""
    named = dict(inspect.getmembers(objects.cls, inspect.isfunction))
    if any(name in named for name in COSTS):
        return
    gives = [name for name in named if name in SLOPES or STEP.fullmatch(name) or name == "train"]
    slopes = [name for name in gives if len(data_of(named[name])) == 2 and not NOT_PLAIN.search(text_of(named[name]))]
    for predict in dict.fromkeys(PREDICTS):
        if predict in named and len(required(named[predict])) == 2:
            for slope in slopes:
                for loss in losses_of(objects.cls):
                    yield of_usual(title, objects, predict, slope, loss)


def data_of(method: Callable) -> list[inspect.Parameter]:
    """The arguments of a method besides a learning rate."""
    return [p for p in required(method)[1:] if plain(p.name) not in RATES]


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


def of_usual(title: str, objects: Objects, predict: str, slope: str, loss: str) -> Several:
    source = getattr(objects.cls, slope)
    needed = data_of(source)

    def value(arguments: Arrays) -> Any:
        x, y = (arguments[p.name] for p in needed)
        a = getattr(objects(arguments), predict)(x)
        a = a[0] if isinstance(a, tuple) else a
        if np.shape(a) != np.shape(y) or not np.ndim(a) or np.array_equal(a, np.round(a)):
            raise UnlikeError  # a class that is chosen has no slope
        return LOSSES[loss][0](a, y)

    descent = Descent(value)

    def run(arguments: Arrays, upstream: Callable) -> tuple[list, list]:
        y, fresh = value(arguments), objects(arguments)
        before, given = copies(fresh), {p.name: arguments[p.name] for p in needed}
        getattr(fresh, predict)(arguments[needed[0].name])
        found, steps = descent.step(fresh, getattr(fresh, slope), given, arguments, y)
        if any(np.any(step) for _, step in steps):
            return [y], steps
        returned = list(labelled(found, names_in(source))) if are_arrays(found) else []
        return [y], [*returned, *left_by(fresh, before)]

    told, parts = len(losses_of(objects.cls)) == 1, (getattr(objects.cls, predict), source)
    return objects.reading(title, run, needed, parts, updates=True, descends=True, told=told)
