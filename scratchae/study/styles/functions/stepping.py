"""Functions that make a step, turned round: what is taken off their arguments, divided by the rate, is a gradient.

def train_step(params, x, y, lr): return loss                      the value comes with it; the arguments are changed, or given back
def gradient_descent(X, y, theta, alpha, num_iters): return theta  one pass of a loop, with cost(X, y, theta) of the same file
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from ..classes.steps import NOT_PLAIN, rates_of
from ..objects.copies import duplicate
from ..objects.held import is_float
from ..readings.apart import settings_of, words
from ..readings.returned import is_number, labelled, names_in
from ..readings.several import Arrays, Several, UnlikeError
from ..text.calls import parameters_of, required
from ..text.names import IS_COST, IS_SLOPE, STEP, plain
from ..text.written import keys_of, returns, text_of

COUNT = re.compile(r"n?(?:um)?(?:steps?|iters?|iterations?|epochs?|times)|max_?iters?(?:ations)?|iterations?|epochs?")
OTHER_DATA = re.compile(r"\.std\(|normali[sz]e|standardi[sz]e")


def by_steps(functions: Mapping[str, Callable]) -> Iterator[Several]:
    """The readings of the steps of a file, and of its loops whose first pass is one."""
    for name, step in functions.items():
        rates, text = rates_of(step), text_of(step)
        count = [p.name for p in parameters_of(step) if COUNT.fullmatch(plain(p.name))]
        if not rates or not returns(step) or NOT_PLAIN.search(text) or OTHER_DATA.search(text):
            continue
        needed = [p for p in required(step) if p.name not in (*rates, *count)]
        keys = keys_of(functions.values(), [p.name for p in needed])
        if STEP.fullmatch(name) and not count:
            run = functools.partial(stepped, step, keys)
            yield Several(name, step, needed, run, keys, descends=True, settings=settings_of(step), parts=(step,))
        names = {p.name for p in needed}
        for key, cost in functions.items() if len(count) == 1 else ():
            asked = {p.name for p in required(cost)}
            if (
                IS_COST.search(key)
                and not IS_SLOPE.search(key)
                and cost is not step
                and len(asked) > 1
                and asked <= names
            ):
                run = functools.partial(first_pass, cost, step, count[0])
                told = f"{key}(" in text
                yield Several(
                    name, step, needed, run, keys, descends=True, updates=told, told=told, parts=(cost, step)
                )


def first_pass(
    cost: Callable, loop: Callable, count: str, arguments: Arrays, upstream: Callable
) -> tuple[list, list]:
    """Of a loop and a cost beside it: what the first pass takes off what it gives back, divided by the rate."""
    rates = rates_of(loop)
    value = cost(**duplicate(words(cost, arguments)))
    value = value[0] if isinstance(value, tuple) and len(value) else value
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    if not is_number(value):
        raise UnlikeError
    found = loop(**duplicate(words(loop, arguments)) | rates | {count: 1})
    asked = {p.name for p in required(cost)}
    after = [(name, one) for name, one in labelled(found, names_in(loop)) if name in asked and is_float(one)]
    if not after:
        raise UnlikeError
    rate = next(iter(rates.values()))
    return [value], [(name, (arguments[name] - one) / rate) for name, one in after]


def stepped(
    step: Callable, keys: Mapping[str, list[str]], arguments: Arrays, upstream: Callable
) -> tuple[list, list]:
    """Of a step: the value that it gives back at a rate of 0, and what it takes off what it changes, divided by the rate."""
    rates = rates_of(step)
    at_rest = step(**duplicate(words(step, arguments)) | dict.fromkeys(rates, 0.0))
    before, given = arrays_of(arguments, keys), duplicate(arguments)
    found = step(**words(step, given) | rates)
    for one in found if isinstance(found, tuple) else ():  # new parameters, in the form of the old
        if isinstance(one, dict | list | tuple):
            same = (key for key, old in given.items() if type(old) in (dict, list) and len(old) == len(one))
            given |= dict.fromkeys(list(same)[:1], one)
    values = [one for one in (at_rest if isinstance(at_rest, tuple) else (at_rest,)) if is_number(one)]
    after, rate = arrays_of(given, keys), next(iter(rates.values()))
    taken = [(name, (array - after[name]) / rate) for name, array in before.items()]
    taken = [(name, change) for name, change in taken if np.any(change)]
    stretched = any(
        one.ndim == 2 and 1 not in one.shape and np.allclose(one, one[0]) and np.ptp(one) for _, one in taken
    )
    if len(values) != 1 or not taken or stretched:  # what is taken off a row, and was handed several
        raise UnlikeError
    return values, taken


def arrays_of(arguments: Arrays, keys: Mapping[str, list[str]]) -> Arrays:
    """The arrays of floats among arguments, and in those that hold several, by name."""
    found: Arrays = {}
    for name, value in arguments.items():
        inner = value.items() if isinstance(value, dict) else ()
        if isinstance(value, list | tuple):
            entries = [one for each in value for one in (each if isinstance(each, tuple) else (each,))]
            inner = zip(keys[name], entries, strict=True) if len(entries) == len(keys.get(name, ())) else ()
        found |= {f"{name}[{key}]": np.array(one) for key, one in inner if is_float(one)}
        if is_float(value):
            found[name] = np.array(value)
    return found
