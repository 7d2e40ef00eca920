"""A step turned round: what it takes off the arrays of an object, divided by the rate, is a gradient."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..objects.copies import duplicate, repeatable
from ..objects.held import Held, held_by
from ..objects.paths import get, is_trained
from ..readings.apart import by_name, call
from ..readings.returned import are_arrays, is_number, with_gradients
from ..readings.several import Arrays, UnlikeError
from ..text.calls import parameters_of
from ..text.names import GRADIENTS, RATES, plain, stems_of_gradient
from ..text.written import tree_of

RATE = 0.25
# what is added to the parameters is then not the gradient times a number, or on purpose not that of the whole loss
NOT_PLAIN = re.compile(
    r"sqrt|adam|rms|1 - self\.(?:beta|mom|mu)|1 - (?:beta|mom|mu)|clip|semi|bootstrap|random|shuffle|choice|permutation"
)


def rates_of(method: Callable) -> dict[str, float]:
    """The learning rate that a method is handed."""
    rates = (p.name for p in parameters_of(method) if plain(p.name) in RATES and type(p.default) in (type, float))
    return dict.fromkeys(rates, RATE)


def taken_off(thing: Any, before: Held, rate: float = RATE) -> list[tuple[str, np.ndarray]]:
    """What was taken off each array that an object held, divided by the rate."""
    return [(name, (array - np.asarray(get(thing, path))) / rate) for name, (path, array) in before.items()]


def is_state(name: str, arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether an array is what an optimizer keeps of a parameter, as mW of W: it begins with zeros."""
    others = [other.removeprefix("self.") for other in arrays if other != name]
    bare = name.removeprefix("self.")
    return not np.any(arrays[name]) and any(
        bare != other and (bare.endswith(other) or bare.startswith(other)) for other in others
    )


class Descent:
    """The steps of an object with a value of its own, `value(arguments)`: those of the arrays that move this value."""

    def __init__(self, value: Callable[[Arrays], Any]):
        self.value, self.moving = value, {}

    def moves(self, name: str, array: np.ndarray, arguments: Arrays, y: Any) -> bool:
        if name not in self.moving:
            self.moving[name] = self.value(arguments | {name: array * 1.1 + 0.1}) != y
        return self.moving[name]

    def step(self, thing: Any, method: Callable, given: Arrays, arguments: Arrays, y: Any) -> tuple[Any, list]:
        """What a step returns, and what it took off, divided by the rate; y is the value at these arguments."""
        before, rates = held_by(thing), rates_of(method)
        found = call(method, given | rates)
        own = [v for n, v in vars(thing).items() if plain(n) in RATES and isinstance(v, float) and v > 0]
        alike = {
            name: (path, array) for name, (path, array) in before.items() if np.shape(get(thing, path)) == array.shape
        }
        taken = taken_off(thing, alike, RATE if rates else own[0] if own else 1.0)
        moved = [(name, change) for name, change in taken if self.moves(name, before[name][1], arguments, y)]
        return found, [pair for pair in moved if is_trained(before[pair[0]][0]) or np.any(pair[1])]


def of_value_returned(thing: Any, words: Arrays, name: str) -> tuple[list, list]:
    """Of a step whose value is what it returns at a rate of 0, with the gradients that it returns besides."""
    still, before = duplicate(thing), held_by(thing)
    at_rest, moving = set_rate(still, words, 0.0), set_rate(thing, words, RATE)
    if at_rest is None or moving is None:
        raise UnlikeError
    with repeatable(0, still):
        value = getattr(still, name)(**at_rest)
    if isinstance(value, tuple) and len(value) and is_number(value[0]):
        value = value[0]
    if not is_number(value):
        raise UnlikeError
    with repeatable(0, thing):
        found = getattr(thing, name)(**moving)
    several = isinstance(found, tuple) and len(found) > 1 and are_arrays(found[1:])
    given = with_gradients(found, getattr(thing, name))[1] if several and is_number(found[0]) else []
    given = [one for one in given if stems_of_gradient(one[0]) or plain(one[0]) in GRADIENTS]  # and no prediction
    arrays = {key: array for key, (_, array) in before.items()}
    taken = [
        (key, change) for key, change in taken_off(thing, before) if np.any(change) and not is_state(key, arrays)
    ]
    if not taken:
        raise UnlikeError
    return [value], [*taken, *given]


def of_given_gradients(thing: Any, words: Arrays, method: Callable) -> tuple[list, list]:
    """Of a step that is handed no data: it takes off what the object holds as gradients, which are set to numbers g, of L = Σ g W."""
    held, rng, given = held_by(thing), np.random.default_rng(3), {}
    arrays = {key.removeprefix("self."): found for key, found in held.items()}
    read = {node.attr for node in ast.walk(tree_of(method)) if isinstance(node, ast.Attribute)}
    for name in sorted(read - set(arrays)):
        hit = next((key for key in arrays if plain(key) in {plain(one) for one in stems_of_gradient(name)}), None)
        if hit:
            given[hit] = rng.standard_normal(arrays[hit][1].shape)
            setattr(thing, name, given[hit].copy())
        elif plain(name) in GRADIENTS:
            inside = (key for key, of in vars(thing).items() if key in read - {name} and isinstance(of, dict | list))
            if (place := next(inside, None)) is None:
                raise UnlikeError
            of = getattr(thing, place)
            keys = list(of) if isinstance(of, dict) else range(len(of))
            drawn = {key: rng.standard_normal(np.shape(of[key])) for key in keys}
            copies = {key: one.copy() for key, one in drawn.items()}
            setattr(thing, name, copies if isinstance(of, dict) else list(copies.values()))
            given |= {key: drawn[path[1][1]] for key, (path, _) in arrays.items() if path[0][1] == place}
    moving = set_rate(thing, words, RATE)
    if not given or moving is None:
        raise UnlikeError
    value = sum(np.sum(g * get(thing, arrays[key][0])) for key, g in given.items())
    by_name(thing, method.__name__, moving)
    return [value], taken_off(thing, {f"self.{key}": arrays[key] for key in given})


def set_rate(thing: Any, words: Arrays, rate: float) -> Arrays | None:
    """The arguments with this learning rate, which an object may hold itself; None if there is none."""
    ours = {key: rate for key in words if plain(key) in RATES}
    attributes = [key for key, value in vars(thing).items() if plain(key) in RATES and isinstance(value, float)]
    for key in attributes:
        setattr(thing, key, rate)
    for key, value in vars(thing).items():
        if plain(key) in ("momentum", "mu") and isinstance(value, float):
            setattr(thing, key, 0.0)
    return words | ours if ours or attributes else None
