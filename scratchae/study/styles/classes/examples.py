"""The readings of a net whose methods take one example, backprop(x, y), or a list of such pairs, update_mini_batch(pairs, eta).

Its value is that of a cost of one example; where there is none, of the cost whose derivative the class has, or that an object which it
holds has: 0.5 ‖a − y‖² for cost_derivative(a, y) = a − y.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..objects.copies import duplicate
from ..objects.held import held_by
from ..readings.returned import is_number, labelled, names_in
from ..readings.several import Arrays, UnlikeError
from ..text.calls import parameters_of, required, without_default
from ..text.names import FORWARD, IS_COST, RATES, plain
from ..text.written import text_of
from .steps import RATE, taken_off

PAIRS = re.compile(r"mini_?batch|batch|(?:training|train)?_?data|pairs|samples|examples|training_set")
COUNT = re.compile(r"n|m|size|num_?\w*|n_\w+|\w*_size|total|len\w*")
ARGUMENTS = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("x", "y")]


def of_pair(methods: Mapping[str, Callable], slope: Callable, asked: list[str]) -> Iterator[Callable]:
    """What gives outputs and gradients for an example x, y: `how(thing, words)`."""
    forwards = [
        name for name in (*FORWARD, "predict") if name in methods and len(without_default(methods[name])) == 2
    ]
    if not forwards:
        return
    lists = [name for name in asked if PAIRS.fullmatch(name)]
    if len(asked) == 2 and not lists:
        yield lambda thing, words: of_one(thing, words, slope.__name__, forwards[0])
    elif lists == asked[:1]:
        firsts = {name: [p.name for p in parameters_of(method)][1:2] for name, method in methods.items()}
        totals = [name for name, first in firsts.items() if IS_COST.search(name) and any(map(PAIRS.fullmatch, first))]
        for total in totals or [None]:
            yield lambda thing, words, t=total: of_list(
                thing, words, slope.__name__, asked, lambda still, x, y: cost_of(still, x, y, forwards[0]), t
            )


def of_one(thing: Any, words: Arrays, slope: str, forward: str) -> tuple[list, list]:
    x, y = words["x"], words["y"]
    method = getattr(thing, slope)
    found = method(x, y)
    if not isinstance(found, tuple | list | dict) or (isinstance(found, tuple) and is_number(found[0])):
        raise UnlikeError
    return [cost_of(thing, x, y, forward)], list(labelled(found, names_in(method)))


def of_list(
    thing: Any, words: Arrays, step: str, asked: list[str], cost: Callable[[Any, Any, Any], Any], total: str | None
) -> tuple[list, list]:
    """A step with a list of examples: the mean cost, and what is taken off, divided by the rate."""
    pairs = [(words["x"], words["y"]), (0.7 * words["x"][::-1] + 0.1, words["y"][::-1].copy())]
    handed: Arrays = {asked[0]: list(pairs)}
    for name in asked[1:]:
        if plain(name) in RATES:
            handed[name] = RATE
        elif re.match("lam|lmb|reg|decay", plain(name)):
            handed[name] = 0.7 if total else 0.0
        elif COUNT.fullmatch(name.lower()):
            handed[name] = len(pairs)
        else:
            raise UnlikeError
    if not any(plain(name) in RATES for name in asked):
        raise UnlikeError
    still, before = duplicate(thing), held_by(thing)
    if total:
        method = getattr(still, total)
        value = method(pairs, *(handed[p.name] for p in required(method)[1:]))
    else:
        value = np.mean([cost(still, x, y) for x, y in pairs])
    getattr(thing, step)(**handed)
    return [value], [(name, change) for name, change in taken_off(thing, before) if np.any(change)]


def cost_of(thing: Any, x: np.ndarray, y: np.ndarray, forward: str) -> float:
    """The cost of an example: of a method of the class, of an object that it holds, or that whose derivative the class has."""
    named = {name: getattr(thing, name) for name in dir(thing) if name[0] != "_" and callable(getattr(thing, name))}
    for name, method in named.items():
        wanted = [p.name for p in required(method)]
        runs_itself = wanted[:1] == ["x"] or f"self.{forward}(" in text_of(method)
        of_example = inspect.ismethod(method) and IS_COST.search(name) and runs_itself and len(wanted) == 2
        if of_example and is_number(found := method(x, y)):
            return found
    a = getattr(thing, forward)(x)
    for name, value in vars(thing).items():
        for key in ("fn", "forward", "f", "value", "loss", "cost"):
            if IS_COST.search(name) and callable(method := getattr(value, key, None)):
                return float(np.sum(method(a, y)))
    for name, method in named.items():
        slope = re.search(r"(?:cost|loss|error).*(?:deriv|prime|grad)|delta|^d_?(?:cost|loss)", name, re.I)
        if slope and len(required(method)) == 2 and np.allclose(method(a, y), a - y):
            return 0.5 * float(np.sum((a - y) ** 2))
    raise UnlikeError
