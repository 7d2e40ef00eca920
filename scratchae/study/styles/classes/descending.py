"""A class that takes a step down its own loss: loss(X, y) and train_step(X, y, lr), which changes what the object holds."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..objects.copies import duplicate
from ..objects.held import held_by
from ..objects.paths import Path, is_trained, put
from ..readings.apart import call
from ..readings.returned import is_number
from ..readings.several import Arrays, Several, UnlikeError
from ..text.calls import parameters_of, required
from ..text.names import COSTS, RATES, plain
from ..text.written import notes_of, text_of
from .methods import of_methods

STEP = re.compile(
    r"(?:sgd|gd|train|training|fit|update|gradient|learning|optimi[sz]er?|descent|take|backprop)?_?(?:step|batch|one|example|sample|minibatch|mini_batch)|"
    r"train_on_\w+|partial_fit|(?:sgd_)?update(?:_\w+)?|learn(?:_\w+)?|optimi[sz]e|apply_\w+"
)
# what is added to the parameters is then not the gradient times a number, or on purpose not that of the whole loss
NOT_PLAIN = re.compile(
    r"sqrt|adam|rms|1 - self\.(?:beta|mom|mu)|1 - (?:beta|mom|mu)|clip|semi|bootstrap|random|shuffle|choice|permutation"
)
RATE = 0.05
Held = dict[str, tuple[Path, np.ndarray]]


def steps_of_class(title: str, cls: type, made: Any, make: Callable[..., Any]) -> Iterator[Several]:
    """The readings of a class in which its steps, turned round, are the gradients of its loss."""
    methods = dict(inspect.getmembers(cls, inspect.isfunction))
    for cost in (name for name in COSTS if name in methods):
        for step in (name for name in methods if STEP.fullmatch(name) and name != cost):
            text = text_of(methods[step]) + notes_of(cls)
            wanted = len(required(methods[step])) - sum(plain(p.name) in RATES for p in required(methods[step]))
            if not NOT_PLAIN.search(text) and 1 < wanted == len(required(methods[cost])):
                yield stepping(title, cls, make, made, cost, step)


def object_of(make: Callable, made: Any, arguments: Arrays) -> Any:
    """The object of a file, or a new one, with the arrays among the arguments."""
    fresh = (
        duplicate(made) if made is not None else make(arguments.get("sizes", 0), **(arguments.get("options") or {}))
    )
    for name, (path, array) in held_by(fresh).items():
        put(fresh, path, np.array(arguments.get(name, array)))
    return fresh


def steps_of(
    thing: Any, before: Held, handed: bool, moves: Callable[[str, np.ndarray], bool], moving: dict[str, bool]
) -> list[tuple[str, np.ndarray]]:
    """What was taken off each array that moves the value, divided by the rate; `moving` keeps which do."""
    own = [v for n, v in vars(thing).items() if plain(n) in RATES and isinstance(v, float) and v > 0]
    rate, after, found = RATE if handed else own[0] if own else 1.0, held_by(thing), []
    for name, (path, array) in before.items():
        now = after[name][1] if name in after else array
        if name not in moving:
            moving[name] = moves(name, array * 1.1 + 0.1)
        if moving[name] and now.shape == array.shape and (is_trained(path) or not np.array_equal(now, array)):
            found.append((name, (array - now) / rate))
    return found


def stepping(title: str, cls: type, make: Callable, made: Any, cost: str, step: str) -> Several:
    reading = of_methods(title, make, [], cost, step, cls, made is not None)
    needed = [p.name for p in reading.parameters]
    moving: dict[str, bool] = {}

    def value(arguments: Arrays) -> Any:
        return call(getattr(object_of(make, made, arguments), cost), {name: arguments[name] for name in needed})

    def run(arguments: Arrays, upstream: Callable) -> tuple[list, list]:
        y, fresh = value(arguments), object_of(make, made, arguments)
        if not is_number(y):
            raise UnlikeError
        method, before = getattr(fresh, step), held_by(fresh)
        rates = {p.name: RATE for p in parameters_of(method) if plain(p.name) in RATES}
        others = [p.name for p in required(method) if p.name not in rates]
        method(**dict(zip(others, (arguments[name] for name in needed), strict=True)), **rates)
        return [y], steps_of(
            fresh, before, bool(rates), lambda name, array: value(arguments | {name: array}) != y, moving
        )

    reading.run, reading.updates, reading.descends = run, True, True
    return reading
