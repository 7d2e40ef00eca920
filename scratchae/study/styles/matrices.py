"""A Hessian beside a gradient, or a Jacobian beside a function: the matrix times r is the gradient of Σ r g."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from .classes import methods
from .objects.fresh import Objects
from .readings.apart import call
from .readings.returned import names_in
from .readings.several import Arrays, Several, UnlikeError
from .text.calls import required
from .text.names import plain
from .text.written import notes_of

SECOND = re.compile(r"hess(?:ian)?(?:_matrix)?|(?:\w+_)?hess(?:ian)?|jac(?:obian)?|(?:\w+_)?jac(?:obian)?", re.I)
PARAMETERS = re.compile(
    r"w\w?|theta|beta|coef\w*|params?|parameters|weights?"
)  # in which a Hessian is first looked for
WHOLE = re.compile(r"hess(?:ian)?", re.I)
FIRST = re.compile(r"grad(?:ient)?|(?:\w+_)?grad(?:ient)?|d_?f|f_prime", re.I)


def pairs(functions: Mapping[str, Callable]) -> Iterator[tuple[str, str]]:
    """What is differentiated, and its matrix: of the same arguments, by their names."""
    for name, matrix in functions.items():
        if not SECOND.fullmatch(name):
            continue
        asked = [plain(p.name) for p in required(matrix)]
        for other, function in functions.items():
            first = not FIRST.search(other) and stem_of(name) in ("", stem_of(other))
            first = FIRST.fullmatch(other) if "hess" in name.lower() else first
            if other != name and first and asked and [plain(p.name) for p in required(function)] == asked:
                yield other, name


def stem_of(name: str) -> str:
    return re.sub(r"_?jac(?:obian)?|_?hess(?:ian)?", "", name).strip("_")


def through(f: Callable, matrix: Callable, name: str, arguments: Arrays, upstream: Callable) -> tuple[list, list]:
    """The outputs of f, and r times their matrix, in the shape of the argument of this name."""
    g, M, x = np.asarray(call(f, arguments), float), np.asarray(call(matrix, arguments), float), arguments[name]
    if not g.ndim or M.shape != (g.size, np.size(x)):
        raise UnlikeError
    return [g], [(f"d{name}", (upstream(g).ravel() @ M).reshape(np.shape(x)))]


def with_matrix(functions: Mapping[str, Callable]) -> Iterator[list[Several]]:
    """The readings of functions of which another gives the matrix, and of those that return a gradient and a Hessian: one for each
    argument in which it may be."""
    found = [
        (second, functions[first], functions[second], (functions[first], functions[second]))
        for first, second in pairs(functions)
    ]
    for name, function in functions.items():
        places = [[pattern.fullmatch(one) is not None for one in names_in(function)] for pattern in (FIRST, WHOLE)]
        if all(map(any, places)) and not re.search("approx|gauss", notes_of(function), re.I):
            g, hessian = (item(function, one.index(True)) for one in places)
            found.append((f"{name}, its Hessian", g, hessian, (function,)))
    for title, f, matrix, parts in found:
        asked = required(f)
        yield [
            Several(title, parts[-1], asked, functools.partial(through, f, matrix, p.name), parts=parts)
            for p in sorted(asked, key=lambda p: not PARAMETERS.fullmatch(p.name))
        ]


def item(function: Callable, place: int) -> Callable:
    """A function that gives what another returns at a place."""

    def one(*arguments, **words):
        return function(*arguments, **words)[place]

    one.__signature__ = inspect.signature(function)
    return one


def with_matrix_method(objects: Objects) -> Iterator[Several]:
    """The same of methods."""
    named = inspect.getmembers(objects.cls, inspect.isfunction)
    for first, second in pairs({n: m for n, m in named if [p.name for p in required(m)[:1]] == ["self"]}):
        found = methods.reading(second, objects, first, second)

        def run(
            arguments: Arrays, upstream: Callable, found: Several = found, names: tuple = (first, second)
        ) -> tuple:
            fresh, own = objects(arguments), {p.name: arguments[p.name] for p in found.parameters}
            f, matrix = (getattr(fresh, name) for name in names)
            return through(f, matrix, next(iter(own)), own, upstream)

        yield replace(found, run=run)
