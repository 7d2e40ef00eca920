"""Functions that return a value with its gradients, and pairs of a value and what gives its gradients."""

from __future__ import annotations

import functools
import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..readings.apart import apart, returned_by, settings_of, words
from ..readings.returned import names_in, with_gradients
from ..readings.several import Arrays, Several
from ..text.calls import parameters_of, required
from ..text.fields import dicts_of, fields_of
from ..text.names import DERIVATIVES, IS_COST, IS_SLOPE, is_upstream, partner, plain
from ..text.written import keys_of, may_give_several, text_of
from .helped import with_objects

LIKELIHOOD = re.compile(r"log_?lik|(?:^|_)(?:nll|ll|llik)(?:$|_)", re.I)
SCORE = re.compile(
    r"scores?(?:_(?:function|vector|fn))?", re.I
)  # what statistics calls the gradient of a log-likelihood
DOWNHILL = re.compile(r"updates?$|step|descent", re.I)  # what is added to parameters: the gradient turned round


def in_one_or_two(functions: Mapping[str, Callable]) -> Iterator[Several]:
    """The readings of a file's functions: each with its gradients, and pairs."""

    def reading(name: str, run: Callable, value: Callable, *slope: Callable, **more: Any) -> Several:
        needed, settings = required(value), settings_of(value, *slope)
        names = [p.name for p in needed]
        held = dicts_of(functions.values(), names) | fields_of(functions.values(), names)
        keys = held | keys_of(functions.values(), names)
        parts = (value, *slope)
        return with_objects(Several(name, parts[-1], needed, run, keys, settings=settings, parts=parts, **more))

    claimed = {
        other
        for name, value in functions.items()
        for other, slope in functions.items()
        if name != other and named_after(name, other) and takes_the_same(value, slope)
    }

    def alone(name: str) -> Iterator[Several]:
        if required(value := functions[name]) and may_give_several(value):
            run = functools.partial(with_its_own, value)
            yield reading(name, run, value)

    def beside(name: str) -> Iterator[Several]:
        value = functions[name]
        found = {one: named_after(name, one) for one in functions if one != name}
        found = {
            one: by_name
            for one, by_name in found.items()
            if by_name
            or (one not in claimed and belongs(name, value, one, functions[one]))
            or renames(name, value, one, functions[one])
        }
        for other, by_name in found.items():
            slope, updates = functions[other], bool(DOWNHILL.search(other))
            theirs = with_names_of(value, slope) if renames(name, value, other, slope) else slope
            alike = [one for one in found if found[one] == by_name]  # of one value
            title = name if len(alike) == 1 and (by_name or len(found) == 1) else other
            for reduced in reductions(name, value):
                run = functools.partial(apart, value, theirs, reduced=reduced)
                of_each = reduced is not None
                yield reading(title, run, value, slope, updates=updates, one_of=len(found), of_each=of_each)

    for name in functions:
        ways = (beside, alone) if partner(name, functions) else (alone, beside)
        yield from itertools.chain.from_iterable(way(name) for way in ways)


def reductions(name: str, value: Callable) -> tuple[Callable | None, ...]:
    """What makes one number of a value: of a cost of each example, which is no number yet, their sum or their mean."""
    return (np.sum, np.mean) if IS_COST.search(name) and not sums(value) else (None,)


def sums(value: Callable) -> bool:
    """Whether a function returns one number, as far as its lines tell: a sum or mean over all axes."""
    return not re.search(r"(?:sum|mean)\((?:[^()]|\([^()]*\))*(?:axis ?=|\b-?1\))", text_of(value))


def named_after(name: str, other: str) -> bool:
    """Whether a function has the name of the derivative of another."""
    stems = {name.removesuffix(end) for end in ("", "_forward", "_fwd", "_loss", "_fn")}
    return name.replace("forward", "backward") == other or any(
        form.format(one) == other for form in DERIVATIVES for one in stems
    )


def takes_the_same(value: Callable, slope: Callable) -> bool:
    """Whether a function takes what another takes, and at most an upstream besides."""
    first, second = ([plain(p.name) for p in required(f)] for f in (value, slope))
    rest = [one for one in second if one not in first]
    return len(first) >= 1 and set(first) <= set(second) and len(rest) <= 1 and all(map(is_upstream, rest))


def renames(name: str, value: Callable, other: str, slope: Callable) -> bool:
    """Whether the gradients of a cost take its arguments in its order, some of them by longer names: gradients(w, xb, yb) of cost(w, X, y)."""
    first, second = ([plain(p.name) for p in required(f)] for f in (value, slope))
    pairs = [sorted(pair, key=len) for pair in zip(first, second, strict=False)]
    alike = len(first) == len(second) > 1 and all(long.startswith(short) for short, long in pairs)
    return alike and first != second and bool(IS_COST.search(name)) and bool(IS_SLOPE.search(other))


def with_names_of(value: Callable, slope: Callable) -> Callable:
    """The gradients of a cost as a function of what the cost calls its arguments."""
    options = [p for p in parameters_of(slope) if p.default is not p.empty]

    @functools.wraps(slope)
    def twin(*arguments: Any, **words: Any) -> Any:
        return slope(*arguments, **words)

    twin.__signature__ = inspect.Signature([*required(value), *options])
    return twin


def with_its_own(value: Callable, arguments: Arrays, upstream: Callable) -> tuple[list, list]:
    return with_gradients(value(**words(value, arguments)), value, upstream)


def belongs(name: str, value: Callable, other: str, slope: Callable) -> bool:
    """Whether one function may be the derivative of another, because it takes the same arguments."""
    score = LIKELIHOOD.search(name) and SCORE.fullmatch(other)
    if IS_SLOPE.search(name) or not (IS_SLOPE.search(other) or score):
        return False
    first, second = ([plain(p.name) for p in required(f)] for f in (value, slope))
    rest, same = [one for one in second if one not in first], takes_the_same(value, slope)
    given = {plain(one) for one in names_in(value)}  # what the value returns besides, which is handed on
    handed_on = bool(first) and set(first) <= set(second) and set(rest) <= given
    if outcome := returned_by(value) & set(rest):  # such as all states of a solver
        rest = [one for one in rest if one not in outcome]
        same = bool(set(first) & set(second)) and len(rest) == 1 and is_upstream(rest[0])
    of_list = bool(set(first) & set(second) and set(rest) & given) and [*map(is_upstream, set(rest) - given)] == [
        True
    ]
    return same or handed_on or of_list
