"""A net in three functions: forward(X, parameters), cost(output, Y), and what gives the gradients of the parameters."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping

from .calls import required
from .several import IS_SLOPE, Arrays, Several, UnlikeError, is_number, keys_of, labelled, names_in, words

IS_COST = re.compile(r"cost|loss|error|objective|energy|mse|entropy", re.I)


def in_three(functions: Mapping[str, Callable]) -> Iterator[Several]:
    """The readings of a net in three functions: cost(forward(X, parameters)[0], Y), and what gives the gradients of the parameters."""
    for name, slope in functions.items():
        if not IS_SLOPE.search(name):
            continue
        for first, forward in functions.items():
            inputs = [p.name for p in required(forward)]
            for last, cost in functions.items():
                if (
                    cost in (slope, forward)
                    or forward is slope
                    or IS_SLOPE.search(first)
                    or IS_SLOPE.search(last)
                    or not IS_COST.search(last)
                ):
                    continue
                target = [p for p in required(cost)[1:] if p.name not in inputs]
                if not inputs or len(target) != 1 or required(cost)[0].name in inputs:
                    continue
                handed = {p.name for p in required(slope)}
                if target[0].name in handed and handed & set(inputs):
                    arguments = [*required(forward), *target]
                    yield Several(
                        name,
                        slope,
                        arguments,
                        functools.partial(three, forward, cost, slope),
                        keys_of(functions.values(), inputs),
                        parts=(forward, cost, slope),
                    )


def three(
    forward: Callable, cost: Callable, slope: Callable, arguments: Arrays, upstream: Callable
) -> tuple[list, list]:
    found = forward(**words(forward, arguments))
    output, cache = (found[0], found[1:]) if isinstance(found, tuple) else (found, ())
    value = cost(output, **{p.name: arguments[p.name] for p in required(cost)[1:]})
    if not is_number(value):
        raise UnlikeError
    handed, kept = [], list(cache)
    for p in required(slope):
        if p.name in arguments:
            handed.append(arguments[p.name])
        elif kept:
            handed.append(kept.pop(0))
        else:
            handed.append(output)
    return [value], list(labelled(slope(*handed), names_in(slope)))
