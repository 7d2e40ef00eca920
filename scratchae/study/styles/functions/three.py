"""A net in three functions: forward(X, parameters), cost(output, Y), and what gives the gradients of the parameters."""

from __future__ import annotations

import ast
import difflib
import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..classes.descending import LOSSES, usual_loss
from ..losses import is_target
from ..readings.apart import settings_of, words
from ..readings.returned import is_number, labelled, names_in
from ..readings.several import Arrays, Several, UnlikeError
from ..text.calls import INPUTS, parameters_of, required
from ..text.names import IS_COST, IS_SLOPE, is_upstream, plain
from ..text.written import keys_of, returns

SETTING = re.compile(r"lam\w*|lmbd\w*|reg\w*|alpha|beta|l1|l2|\w*decay|keepprob|eps\w*|rho")


def in_three(functions: Mapping[str, Callable]) -> Iterator[Several]:
    """The readings of a net in three functions: cost(forward(X, parameters)[0], Y), and what gives the gradients of the parameters."""
    for name, slope in functions.items():
        if not IS_SLOPE.search(name):
            continue
        for first, forward in sorted(functions.items(), key=lambda pair, name=name: -likeness(pair[0], name)):
            inputs = [p.name for p in required(forward)]
            if forward is slope or (IS_SLOPE.search(first) and "forward" not in first):
                continue
            for last, cost in functions.items():
                if cost in (slope, forward) or IS_SLOPE.search(last) or not IS_COST.search(last):
                    continue
                others = [p for p in required(cost)[1:] if p.name not in inputs]
                target = [p for p in others if not SETTING.fullmatch(plain(p.name))]
                if not inputs or len(target) != 1 or required(cost)[0].name in inputs:
                    continue
                handed = {p.name for p in required(slope)}
                settings = {p.name for p in others} - {target[0].name}
                if target[0].name in handed and (handed & set(inputs) or cached(forward)) and settings <= handed:
                    parts, keys = (forward, cost, slope), keys_of(functions.values(), inputs)
                    run = functools.partial(three, *parts)
                    options = {p.name: p for one in (forward, cost) for p in settings_of(one, slope)}
                    shared = tuple(p for name, p in options.items() if name in handed_to(slope))
                    needed = [*required(forward), *others]
                    yield Several(name, slope, needed, run, keys, parts=parts, settings=shared)


def without_cost(name: str, functions: Mapping[str, Callable]) -> Iterator[list[Several]]:
    """The readings of a net in two functions, forward(X, parameters) and what gives the gradients, with the usual losses."""
    slope = functions[name]
    if any(IS_COST.search(one) and not IS_SLOPE.search(one) for one in functions):
        return
    wanted = [p.name for p in required(slope)]
    for first, forward in sorted(functions.items(), key=lambda pair: -likeness(pair[0], name)):
        inputs = [p.name for p in required(forward)]
        targets = [one for one in wanted if one not in inputs and is_target(one)]
        if not targets and not any(map(is_upstream, wanted)):  # an autoencoder, whose target is its input
            targets = [one for one in inputs if plain(one) in INPUTS]
        linked = set(wanted) & set(inputs) or cached(forward)
        if (
            forward is not slope
            and not IS_SLOPE.search(first.replace("forward", ""))
            and len(targets) == 1
            and linked
        ):
            keys, needed = keys_of(functions.values(), inputs), required(forward)
            needed = needed + [parameter(one) for one in targets if one not in inputs]
            ways = [functools.partial(three, forward, usual(loss, targets[0]), slope) for loss in LOSSES]
            about = {"parts": (forward, slope), "updates": True, "descends": True}
            yield [Several(name, slope, needed, run, keys, **about) for run in ways]


def parameter(name: str) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def usual(loss: str, target: str) -> Callable:
    """A usual loss as a cost of an output and a target of this name."""

    def cost(output: np.ndarray, **words: Any) -> Any:
        return usual_loss(loss, np.asarray(output), np.asarray(words[target]))

    cost.__signature__ = inspect.Signature([parameter("output"), parameter(target)])
    return cost


def likeness(forward: str, backward: str) -> float:
    """How much two names are alike, of forward_with_dropout and backward_with_dropout."""
    return difflib.SequenceMatcher(None, forward.replace("forward", "backward"), backward).ratio()


def handed_to(slope: Callable) -> set[str]:
    return {p.name for p in parameters_of(slope)}


def cached(forward: Callable) -> bool:
    """Whether a forward returns a cache with its output."""
    return any(isinstance(node, ast.Tuple) for node in returns(forward))


def three(
    forward: Callable, cost: Callable, slope: Callable, arguments: Arrays, upstream: Callable
) -> tuple[list, list]:
    found = forward(**words(forward, arguments))
    output, cache = (found[0], found[1:]) if isinstance(found, tuple) else (found, ())
    value = cost(output, **{p.name: arguments[p.name] for p in parameters_of(cost)[1:] if p.name in arguments})
    if not is_number(value):
        raise UnlikeError
    handed, kept = [], list(cache)
    options = {p.name: p.default for p in parameters_of(forward) if p.default is not p.empty}
    others = [p.name for p in required(slope) if p.name not in (*arguments, *options)]
    if len(others) == len(cache) + 1 > 1 and required(cost)[0].name not in others:  # all that the forward gives
        given = dict(zip(names_in(forward) or others, (output, *cache), strict=False))
        rest = [one for name, one in given.items() if name not in others]  # in its order, where no name tells
        arguments = arguments | {name: given[name] if name in given else rest.pop(0) for name in others}
    for p in required(slope):
        if p.name in arguments:
            handed.append(arguments[p.name])
        elif p.name in options:
            handed.append(options[p.name])
        elif p.name == required(cost)[0].name or not kept:
            handed.append(output)
        elif kept:
            handed.append(kept.pop(0))
    settings = {
        name: arguments[name] for name in handed_to(slope) & arguments.keys() - {p.name for p in required(slope)}
    }
    return [value], list(labelled(slope(*handed, **settings), names_in(slope)))
