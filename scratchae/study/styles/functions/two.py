"""Functions that return a value with its gradients, and pairs of a value and what gives its gradients."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from ..readings.apart import apart, returned_by, settings_of, words
from ..readings.returned import names_in, with_gradients
from ..readings.several import Several
from ..text.calls import required
from ..text.keys import keys_of
from ..text.names import (
    DERIVATIVES,
    IS_SLOPE,
    is_upstream,
    plain,
)
from ..text.written import may_give_several

DOWNHILL = re.compile(r"updates?$|step|descent", re.I)  # what is added to parameters: the gradient turned round


def in_one_or_two(functions: Mapping[str, Callable]) -> Iterator[Several]:
    """The readings of a file's functions: each with its gradients, and pairs."""
    for name, function in functions.items():
        needed = required(function)
        if not needed or not may_give_several(function):
            continue
        yield Several(
            name,
            function,
            needed,
            lambda arguments, upstream, f=function: with_gradients(f(**words(f, arguments)), f, upstream),
            keys_of(functions.values(), [p.name for p in needed]),
            settings=settings_of(function, None),
            parts=(function,),
        )
    for name, value in functions.items():
        slopes = {
            other: slope for other, slope in functions.items() if other != name and belongs(name, value, other, slope)
        }
        needed = required(value)
        for other, slope in slopes.items():
            yield Several(
                name if len(slopes) == 1 else other,
                slope,
                needed,
                lambda arguments, upstream, v=value, s=slope: apart(v, s, arguments, upstream),
                keys_of(functions.values(), [p.name for p in needed]),
                updates=bool(DOWNHILL.search(other)),
                one_of=len(slopes),
                settings=settings_of(value, slope),
                parts=(value, slope),
            )


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
