"""The readings of a method that gives the gradients of a whole model, or makes a step with them.

def loss_and_grads(self, x): return loss, grads            its value comes with it
def cost(self, x) and def gradients(self, x)               another method gives the value
def forward(self, x), def loss(self), def backward(self)   the object keeps what its forward made
def train_step(self, x): self.W -= self.lr * dW            what it takes off, divided by the rate
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..losses import PREDICTIONS, TARGETS
from ..objects.copies import repeatable
from ..objects.fresh import Objects
from ..objects.held import copies, held_by, left_by
from ..readings.apart import by_name, words
from ..readings.returned import is_number, labelled, names_in, with_gradients
from ..readings.several import Arrays, Several, UnlikeError
from ..text.calls import EVERYTHING, parameters_of
from ..text.names import IS_COST, IS_SLOPE, RATES, VALUES, is_upstream, plain
from ..text.written import returns, text_of, upstream_option
from . import examples
from .steps import NOT_PLAIN, is_state, of_given_gradients, of_value_returned, rates_of, taken_off

IS_VALUE = re.compile(IS_COST.pattern + r"|likelihood|nll|elbo|divergence", re.I)


def of_method(title: str, name: str, objects: Objects) -> Iterator[Several]:
    """The readings of the method of that name."""
    cls = objects.cls
    named = [key for key in dir(cls) if not key.startswith("__") and inspect.isroutine(getattr(cls, key))]
    methods = {key: inspect.unwrap(getattr(cls, key)) for key in named}
    slope = methods.pop(name)
    values = sorted((key for key in methods if is_value(key)), key=lambda key: not IS_VALUE.search(key))
    values = values or [key for key in methods if asked(methods[key]) and not IS_SLOPE.search(key) and key[0] != "_"]
    yield reading(title, objects, functools.partial(at_once, slope=slope), slope)
    for value in values:
        v = methods[value]
        if is_direct(v, slope):
            for reduced in (np.mean, np.sum):
                how = functools.partial(after, forward=None, value=value, slope=name, reduced=reduced)
                yield reading(title, objects, how, v, slope)
        forwards = [key for key in methods if key.strip("_") in VALUES and key != value]
        for forward in forwards if is_after(v, slope) else ():
            how = functools.partial(after, forward=forward, value=value, slope=name, reduced=np.mean)
            yield reading(title, objects, how, methods[forward], v, slope)
        if is_of_inputs(v, slope):
            how = functools.partial(after, forward=None, value=value, slope=name, reduced=np.sum)
            yield reading(title, objects, how, v, slope)
    if all(plain(p.name) in RATES for p in asked(slope)):
        how = functools.partial(of_given_gradients, method=slope)
        yield replace(reading(title, objects, how, slope, steps=True), descends=False)
        return
    yield reading(title, objects, functools.partial(of_value_returned, name=name), slope, steps=True)
    for how in examples.of_pair(methods, slope, [p.name for p in asked(slope)]):
        yield replace(reading(title, objects, how, slope), parameters=examples.ARGUMENTS)


def is_value(name: str) -> bool:
    return bool(IS_VALUE.search(name)) or name.strip("_") in VALUES


def is_direct(value: Callable, slope: Callable) -> bool:
    """Whether a value and its gradients take the same arguments."""
    ours, theirs = ({p.name for p in asked(one)} for one in (value, slope))
    return bool(theirs) and ours <= theirs


def is_of_inputs(value: Callable, slope: Callable) -> bool:
    """Whether a value takes all, and gives one number, and its gradients are those of what it has kept."""
    several = any(isinstance(node, ast.Tuple) for node in returns(value))
    return bool(asked(value)) and not (asked(slope) or upstream_option(slope) or several)


def is_after(value: Callable, slope: Callable) -> bool:
    """Whether a value and its gradients are rather those of what a forward has kept."""
    ours, theirs = ([p.name for p in asked(one)] for one in (value, slope))
    return not theirs or not set(ours) <= set(theirs) or (len(theirs) == 1 and plain(theirs[0]) in TARGETS)


def asked(method: Callable) -> list[inspect.Parameter]:
    """The arguments that a method needs; targets with the default None too, without which it gives no loss."""
    own = [p for p in parameters_of(method) if p.name != "self" and p.kind not in EVERYTHING]
    wanted = [p for p in own if p.default is p.empty or (p.default is None and plain(p.name) in TARGETS)]
    return [p.replace(default=p.empty) for p in wanted]


def reading(title: str, objects: Objects, how: Callable, *sources: Callable, steps: bool = False) -> Several:
    """A reading: `how` is handed an object and the arguments, and gives outputs and named gradients. steps: it makes a step."""
    parameters = {p.name: p for source in sources for p in asked(source)}
    if len(sources) > 1:  # what its forward gives, or ∂L/∂y
        given = PREDICTIONS - {"x"} if len(sources) == 3 else ()
        made = {key for key in parameters if is_upstream(key) or plain(key) in given}
        for key in made - {p.name for p in asked(sources[0])}:
            del parameters[key]
    rates, options = rates_of(sources[-1]), parameters_of(sources[-1])
    settings = tuple(p for p in options if p.default not in (p.empty, None) and plain(p.name) not in RATES)
    names = ("x", "y", *parameters, *(p.name for p in settings))
    needed = [p for key, p in parameters.items() if key not in rates]
    data = [p.name for p in needed]

    def run(arguments: Arrays, upstream: Callable) -> tuple[list, list]:
        thing = objects(arguments, data)
        words = {name: arguments[name] for name in names if name in arguments}
        with repeatable(0, thing):
            return how(thing, words | rates)

    def held(arguments: Arrays) -> Arrays:
        arrays = objects.held(arguments, data)
        return {name: array for name, array in arrays.items() if not (steps and is_state(name, arrays))}

    return objects.reading(title, run, needed, sources, held=held, settings=settings, descends=steps)


def at_once(thing: Any, words: Arrays, slope: Callable) -> tuple[list, list]:
    """Of a call that returns a value and its gradients, and takes no step besides."""
    before = held_by(thing) if rates_of(slope) and not NOT_PLAIN.search(text_of(slope)) else {}
    found = together(by_name(thing, slope.__name__, words), slope)
    if any(np.any(change) for _, change in taken_off(thing, before)):
        raise UnlikeError
    return found


def together(found: Any, source: Callable) -> tuple[list, list]:
    """Of a call that returns a value and its gradients, in this order or the value last."""
    if not isinstance(found, tuple) or len(found) < 2:
        raise UnlikeError
    if not is_number(found[0]) and is_number(found[-1]):
        found = (found[-1], *found[:-1])
    return with_gradients(found, source)


def after(
    thing: Any, words: Arrays, forward: str | None, value: str, slope: str, reduced: Callable
) -> tuple[list, list]:
    """Of a value and its gradients in two calls, after a forward, which the object keeps."""
    y = by_name(thing, forward, words) if forward else None
    y = y[0] if isinstance(y, tuple) else y
    found = called(getattr(thing, value), words, y)
    found = found[0] if isinstance(found, tuple) else found
    gradients = getattr(thing, slope)
    wanted = [p.name for p in asked(gradients)]
    above = [name for name in wanted if name not in words and is_upstream(name)]
    if np.ndim(found) > 0 and len(above) == 1:
        raise UnlikeError  # a layer
    chosen = np.ndim(found) == 1 and np.array_equal(found, np.round(found))  # classes, which have no slope
    if (np.ndim(found) != 1 and not is_number(found)) or chosen:
        raise UnlikeError
    before = copies(thing)
    result = called(gradients, words | dict.fromkeys(above, 1.0), y)
    if isinstance(result, tuple) and is_number(result[0]):
        raise UnlikeError  # it has its own value
    return [reduced(found)], [*labelled(result, names_in(gradients)), *left_by(thing, before)]


def called(method: Callable, arguments: Arrays, y: Any) -> Any:
    """What a method gives for arguments by name, and for what its forward gave."""
    handed = words(method, arguments)
    for p in asked(method):
        if p.name not in handed:
            if y is None or not (plain(p.name) in PREDICTIONS or plain(p.name).startswith("y")):
                raise UnlikeError
            handed[p.name] = y
    return method(**handed)
