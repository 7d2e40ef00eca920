"""Functions that return a value with its gradients, and pairs of a value and what gives its gradients."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..readings.apart import apart, returned_by, settings_of, words
from ..readings.returned import names_in, with_gradients
from ..readings.several import Arrays, Several
from ..text.calls import required
from ..text.names import DERIVATIVES, IS_SLOPE, is_upstream, partner, plain
from ..text.written import keys_of, may_give_several

DOWNHILL = re.compile(r"updates?$|step|descent", re.I)  # what is added to parameters: the gradient turned round


def in_one_or_two(functions: Mapping[str, Callable]) -> Iterator[Several]:
    """The readings of a file's functions: each with its gradients, and pairs."""

    def reading(name: str, run: Callable, value: Callable, *slope: Callable, **more: Any) -> Several:
        needed, settings = required(value), settings_of(value, *slope)
        keys = keys_of(functions.values(), [p.name for p in needed])
        return Several(name, (value, *slope)[-1], needed, run, keys, settings=settings, parts=(value, *slope), **more)

    def alone(name: str) -> Iterator[Several]:
        if required(value := functions[name]) and may_give_several(value):
            run = functools.partial(with_its_own, value)
            yield reading(name, run, value)

    def beside(name: str) -> Iterator[Several]:
        value = functions[name]
        others = [one for one in functions if one != name and belongs(name, value, one, functions[one])]
        for other in others:
            slope, updates = functions[other], bool(DOWNHILL.search(other))
            run = functools.partial(apart, value, slope)
            title = name if len(others) == 1 else other
            yield reading(title, run, value, slope, updates=updates, one_of=len(others))

    for name in functions:
        ways = (beside, alone) if partner(name, functions) else (alone, beside)
        yield from itertools.chain.from_iterable(way(name) for way in ways)


def with_its_own(value: Callable, arguments: Arrays, upstream: Callable) -> tuple[list, list]:
    return with_gradients(value(**words(value, arguments)), value, upstream)


def belongs(name: str, value: Callable, other: str, slope: Callable) -> bool:
    """Whether one function is the derivative of another, by its name or because it takes the same arguments."""
    stems = {name, name.removesuffix("_forward"), name.removesuffix("_loss"), name.removesuffix("_fn")}
    named = name.replace("forward", "backward") == other or any(
        form.format(one) == other for form in DERIVATIVES for one in stems
    )
    if IS_SLOPE.search(name) and not named:
        return False
    first, second = ([plain(p.name) for p in required(f)] for f in (value, slope))
    rest = [one for one in second if one not in first]
    same = len(first) >= 1 and set(first) <= set(second) and len(rest) <= 1 and all(map(is_upstream, rest))
    given = {plain(one) for one in names_in(value)}  # what the value returns besides, which is handed on
    handed_on = bool(first) and set(first) <= set(second) and set(rest) <= given
    if outcome := returned_by(value) & set(rest):  # such as all states of a solver
        rest = [one for one in rest if one not in outcome]
        same = bool(set(first) & set(second)) and len(rest) == 1 and is_upstream(rest[0])
    return named or (bool(IS_SLOPE.search(other)) and (same or handed_on))
