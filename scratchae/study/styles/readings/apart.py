"""A value and its gradients, in two calls: what each is handed."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..text.calls import parameters_of, required
from ..text.names import is_upstream, plain, stem, stems_of_gradient
from ..text.written import returns, upstream_option
from .returned import is_number, labelled, names_in, reduces_nothing
from .several import Arrays, UnlikeError


def call(function: Callable, arguments: Arrays) -> Any:
    """What a function gives for those of the arguments that it takes; for all, in order, if it takes any number."""
    if not required(function) and any(p.kind is p.VAR_POSITIONAL for p in parameters_of(function)):
        return function(*arguments.values())
    return function(**words(function, arguments))


def words(function: Callable, arguments: Arrays) -> Arrays:
    """Those of the arguments that a function takes."""
    return {p.name: arguments[p.name] for p in parameters_of(function) if p.name in arguments}


def by_name(thing: Any, method: str, arguments: Arrays) -> Any:
    """What a method of an object gives for those of the arguments that it takes by name."""
    return getattr(thing, method)(**words(getattr(thing, method), arguments))


def apart(
    value: Callable, slope: Callable, arguments: Arrays, upstream: Callable, reduced: Callable | None = None
) -> tuple[list, list]:
    """Of a value and its gradients in two calls: the second is handed upstreams, the cache, and arguments of the first by name. reduced:
    what makes one number of the values of several examples."""
    found = call(value, arguments)
    by_name = {plain(name): argument for name, argument in arguments.items()}
    wanted = required(slope)
    numbers = [p for p in wanted if plain(p.name) not in by_name]
    above = [p for p in numbers if is_upstream(p.name)]
    if len(wanted) == 1 and not above and numbers and not isinstance(found, tuple):
        above = numbers
    outputs = list(found) if isinstance(found, tuple) else [found]
    states = found if isinstance(found, list) and found else None
    if states is not None:  # of which the last is the result
        outputs = [states[-1]]
    if not above:
        outputs = [reduced(outputs[0])] if reduced and np.ndim(outputs[0]) == 1 else outputs[:1]
        if not is_number(outputs[0]) or (reduces_nothing(value) and not upstream_option(slope)):
            raise UnlikeError  # a forward that reduces nothing gives no loss, even where it gives one number
    cache = outputs[len(above) :] if above else list(found[1:]) if isinstance(found, tuple) else []
    outputs = outputs[: max(1, len(above))]
    if len(outputs) < len(above):
        raise UnlikeError
    drawn = {p.name: upstream(np.asarray(y)) for p, y in zip(above, outputs, strict=False)}
    handed, filled = [], Filled(arguments)
    for p in wanted:
        name = plain(p.name)
        if p.name in drawn:
            handed.append(drawn[p.name])
        elif name in ("grads", "gradients") and name not in by_name:
            handed.append(filled)
        elif name in by_name:
            handed.append(by_name[name])
        elif cache:
            handed.append(held_in(cache, name))
            cache = cache[1:] if len(cache) > 1 and name not in ("cache", "caches") else cache
        elif states is not None and name in returned_by(value):
            handed.append(states)
        elif outputs and name in ("y", "out", "output", "xs", "ys", "states"):
            handed.append(outputs[0])
        else:
            raise UnlikeError
    settings = {
        p.name: arguments[p.name] for p in parameters_of(slope) if p.default is not p.empty and p.name in arguments
    }
    for name in upstream_option(slope) if not above else ():
        settings[name], outputs = 1.7, [1.7 * np.asarray(y) for y in outputs]
    rest = [p.name for p in required(value) if p.name not in {one.name for one in wanted}]
    names = [
        f"d{rest[0]}" if name in drawn and len(rest) == 1 else name for name in names_in(slope)
    ]  # ∂L/∂y, taken back to x
    returned = list(labelled(slope(*handed, **settings), names))
    return outputs, [*returned, *labelled(dict(filled), ())]


class Filled(dict):
    """A dict of gradients that a derivative is handed, and adds to: zeros in the shape of the argument of which the key tells."""

    def __init__(self, arguments: Arrays):
        super().__init__()
        inner = [one for one in arguments.values() if isinstance(one, dict)]
        self.arrays = {key: array for one in (arguments, *inner) for key, array in one.items()}

    def __missing__(self, key: str) -> np.ndarray:
        stems = stems_of_gradient(key) | {stem(key)}
        self[key] = next(
            np.zeros_like(one) for name, one in self.arrays.items() if name == key or stem(name) in stems
        )
        return self[key]


def held_in(cache: list, name: str) -> Any:
    """What a derivative is handed as its cache, of what its value gives besides y: the last if it holds several things."""
    if name not in ("cache", "caches") or len(cache) == 1:
        return cache[0]
    return cache[-1] if isinstance(cache[-1], tuple | list | dict) else tuple(cache)


def settings_of(value: Callable, slope: Callable | None = None) -> tuple[inspect.Parameter, ...]:
    """The options of a value that its gradients know of: they take them too, or are handed no arguments of the value."""
    options = [p for p in parameters_of(value) if p.default is not p.empty and p.kind is not p.VAR_KEYWORD]
    if slope is None:
        return tuple(options)
    theirs = {p.name for p in parameters_of(slope)}
    apart = bool(theirs & {p.name for p in required(value) if p.name != "self"})
    return tuple(p for p in options if p.name in theirs or not apart)


def returned_by(value: Callable) -> set[str]:
    """The name of what a function returns, if it returns a single one."""
    return {plain(node.id) for node in returns(value) if isinstance(node, ast.Name)}
