"""What a step takes off the parameters of an object, divided by the rate, as the gradient of what the step returns, or as one that is handed over."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..objects.copies import duplicate, repeatable
from ..objects.held import held_by
from ..objects.paths import get
from ..readings.returned import is_number
from ..readings.several import UnlikeError
from ..text.calls import parameters_of
from ..text.names import GRADIENTS, RATES, plain, stems_of_gradient
from ..text.written import tree_of

RATE = 0.25
Words = dict[str, Any]


def taken(method: Callable, words: Mapping[str, Any]) -> Words:
    """Those of the arguments that a method takes."""
    return {p.name: words[p.name] for p in parameters_of(method) if p.name in words}


def is_state(name: str, arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether an array is what an optimizer keeps of a parameter, as mW of W: it begins with zeros."""
    others = [other.removeprefix("self.") for other in arrays if other != name]
    bare = name.removeprefix("self.")
    return not np.any(arrays[name]) and any(
        bare != other and (bare.endswith(other) or bare.startswith(other)) for other in others
    )


def stepped(thing: Any, words: Words, name: str) -> tuple[list, list]:
    """Of a step: its value is what it returns at a rate of 0, its gradients what it takes off the parameters, divided by the rate."""
    still = duplicate(thing)
    at_rest = set_rate(still, words, 0.0)
    moving = set_rate(thing, words, RATE)
    if at_rest is None or moving is None:
        raise UnlikeError
    before = held_by(thing)
    with repeatable(0, still):
        value = getattr(still, name)(**at_rest)
    if isinstance(value, tuple) and len(value) and is_number(value[0]):
        value = value[0]
    if not is_number(value):
        raise UnlikeError
    with repeatable(0, thing):
        getattr(thing, name)(**moving)
    arrays = {key: array for key, (_, array) in before.items()}
    taken_off = [
        (key.removeprefix("self."), (array - np.asarray(get(thing, path))) / RATE)
        for key, (path, array) in before.items()
        if not is_state(key, arrays)
    ]
    taken_off = [(key, change) for key, change in taken_off if np.any(change)]
    if not taken_off:
        raise UnlikeError
    return [value], taken_off


def of_given_gradients(thing: Any, words: Words, method: Callable) -> tuple[list, list]:
    """Of a step that is handed no data: it takes off what the object holds as gradients, which are set to numbers g, of L = Σ g W."""
    arrays = {key.removeprefix("self."): found for key, found in held_by(thing).items()}
    read = {node.attr for node in ast.walk(tree_of(method)) if isinstance(node, ast.Attribute)}
    rng, given = np.random.default_rng(3), {}
    for name in sorted(read - set(arrays)):
        hit = next((key for key in arrays if plain(key) in {plain(one) for one in stems_of_gradient(name)}), None)
        if hit:
            given[hit] = rng.standard_normal(arrays[hit][1].shape)
            setattr(thing, name, given[hit].copy())
        elif plain(name) in GRADIENTS:
            held_in = next(
                (
                    one
                    for one in vars(thing)
                    if one in read and isinstance(getattr(thing, one), dict | list) and one != name
                ),
                None,
            )
            if held_in is None:
                raise UnlikeError
            of = getattr(thing, held_in)
            drawn = {
                key: rng.standard_normal(np.shape(of[key]))
                for key in (of if isinstance(of, dict) else range(len(of)))
            }
            mine = {
                key: one for key, (path, _) in arrays.items() if path[0][1] == held_in for one in [drawn[path[1][1]]]
            }
            setattr(
                thing,
                name,
                {k: one.copy() for k, one in drawn.items()}
                if isinstance(of, dict)
                else [one.copy() for one in drawn.values()],
            )
            given |= mine
    moving = set_rate(thing, words, RATE)
    if not given or moving is None:
        raise UnlikeError
    value = sum(np.sum(g * get(thing, arrays[key][0])) for key, g in given.items())
    getattr(thing, method.__name__)(**taken(method, moving))
    return [value], [(key, (arrays[key][1] - np.asarray(get(thing, arrays[key][0]))) / RATE) for key in given]


def set_rate(thing: Any, words: Words, rate: float) -> Words | None:
    """The arguments with this learning rate, which an object may hold itself; None if there is none."""
    ours = {key: rate for key in words if plain(key) in RATES}
    attributes = [key for key, value in vars(thing).items() if plain(key) in RATES and isinstance(value, float)]
    for key in attributes:
        setattr(thing, key, rate)
    for key, value in vars(thing).items():
        if plain(key) in ("momentum", "mu") and isinstance(value, float):
            setattr(thing, key, 0.0)
    return words | ours if ours or attributes else None
