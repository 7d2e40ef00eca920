"""A function or method that gives gradients and no value: the value is in its lines, by its name, or a usual loss of what they subtract.

def gradients(X, y, W, b):
    p = sigmoid(X @ W + b)
    error = p - y                              the loss whose derivative is p - y, of p and y
    return X.T @ error / len(y), error.mean()
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..classes import examples, models
from ..classes.passes import alike
from ..classes.steps import NOT_PLAIN, RATE, set_rate, taken_off
from ..objects.copies import duplicate
from ..objects.fresh import Objects
from ..objects.held import copies, held_by, left_by
from ..readings.apart import words as handed
from ..readings.returned import are_arrays, is_number, labelled, names_in
from ..readings.several import Arrays, Several, UnlikeError
from ..text.calls import parameters_of, required
from ..text.names import IS_COST, IS_SLOPE
from ..text.written import keys_of, returns, text_of
from .loops import MEASURE, Loop, code_of, ran, values
from .scripts import with_globals
from .trained import lines_of


def of_function(name: str, function: Callable, functions: dict[str, Callable]) -> Iterator[list[Several]]:
    """The readings of a function that returns gradients, those of the same output and target together."""
    needed = required(function)
    keys = keys_of(functions.values(), [p.name for p in needed])

    def reading(how: Callable, multiple: bool) -> Several:
        def run(arguments: Arrays, upstream: Callable) -> tuple[list, list]:
            return how(None, arguments)

        parts = (function, function)  # the value, and the gradients
        found = Several(name, function, needed, run, keys, parts=parts, updates=multiple, descends=multiple)
        return with_globals(found)

    yield from ([reading(*way) for way in group] for group in ways(function))


def of_method(title: str, name: str, objects: Objects) -> Iterator[list[Several]]:
    """The readings of a method that returns gradients, keeps them, or takes them off."""
    method = getattr(objects.cls, name)

    def reading(how: Callable, multiple: bool) -> Several:
        found = models.reading(title, objects, how, method)
        return replace(found, parts=(method, method), updates=multiple, descends=multiple)

    named = dict(inspect.getmembers(objects.cls, inspect.isroutine))
    own = any(IS_COST.search(one) and not IS_SLOPE.search(one) for one in named if one[:2] != "__")
    asked = [p.name for p in required(method)[1:]]
    inner = of_example(method, named) if asked and examples.PAIRS.fullmatch(asked[0]) else None
    for group in ways(inner or method):
        if own and group[0][1]:  # a class with a loss descends no other
            continue
        found = [reading(of_list(how, name, asked) if inner else how, multiple) for how, multiple in group]
        yield [replace(one, parameters=examples.ARGUMENTS) if inner else one for one in found]


def of_example(method: Callable, named: Mapping[str, Callable]) -> Callable | None:
    """The method with which a step with a list of pairs has the gradients of one of them, self.backprop(x, y)."""
    called = (one for key, one in named.items() if f"self.{key}(" in text_of(method) and IS_SLOPE.search(key))
    return next((one for one in called if inspect.isfunction(one) and len(required(one)) == 3), None)


def of_list(how: Callable, step: str, asked: list[str]) -> Callable:
    """Of a step with a list of pairs: the mean of what the lines for one of them calculate, and what is taken off."""

    def cost(thing: Any, x: np.ndarray, y: np.ndarray) -> float:
        names = (p.name for p in required(how.args[0])[1:])
        return value_of(*how.args[1:], thing, dict(zip(names, (x, y), strict=True)))

    return lambda thing, words: examples.of_list(thing, words, step, asked, cost, None)


def ways(function: Callable) -> Iterator[list[tuple[Callable, bool]]]:
    """What gives the value and the gradients, `how(thing, words)`, of each output and target; whether a multiple of it may be meant."""
    body, file = lines_of(function), function.__globals__
    if not body or NOT_PLAIN.search(text_of(function)):
        return
    options = {p.name: p.default for p in parameters_of(function) if p.default is not p.empty}
    loop, code = Loop(body, range(0), file, options), code_of(body, file)
    groups: dict[frozenset[str], list[tuple[Callable, bool]]] = {}
    for _, told, value in values(body):
        of = frozenset(value.args[1:]) if told == "usual" else frozenset([str(len(groups))])
        groups.setdefault(of, []).append((functools.partial(both, function, loop, code, value), told != "named"))
    yield from groups.values()


def value_of(loop: Loop, code: Any, value: Callable, thing: Any, words: Arrays) -> float:
    """The value that the lines calculate."""
    own = {} if thing is None else {"self": duplicate(thing)}
    after = loop.file | ran(code, loop.file, loop.before | duplicate(words) | own)
    found = value(loop, after)
    if found is None or np.size(found) != 1 or np.asarray(found).dtype.kind != "f":
        raise UnlikeError
    return np.asarray(found).item()


def both(function: Callable, loop: Loop, code: Any, value: Callable, thing: Any, words: Arrays) -> tuple[list, list]:
    words = handed(function, words)
    if thing is not None:
        words |= set_rate(thing, words, RATE) or {}
    found = value_of(loop, code, value, thing, words)
    begun, before = (held_by(thing), copies(thing)) if thing is not None else ({}, {})
    changed = duplicate(words)
    returned = function(**changed) if thing is None else function(thing, **words)
    own_value = is_number(returned) or (isinstance(returned, tuple) and returned and is_number(returned[0]))
    if own_value and not all(MEASURE.search(ast.unparse(one)) for one in returns(function)):
        raise UnlikeError
    gradients = list(labelled(returned, names_in(function))) if are_arrays(returned) else []
    if thing is None:
        arrays = {name: one for name, one in words.items() if isinstance(one, np.ndarray)}
        gradients = gradients or [
            (name, one - changed[name]) for name, one in arrays.items() if np.any(one != changed[name])
        ]
    else:
        gradients += left_by(thing, before)
        taken = [(name, change) for name, change in taken_off(thing, alike(thing, begun)) if np.any(change)]
        gradients = gradients or taken
    return [found], gradients
