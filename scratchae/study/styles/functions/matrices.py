"""A Hessian beside a gradient, or a Jacobian beside a function: the matrix times r is the gradient of Σ r g."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..classes.methods import of_methods
from ..objects.copies import duplicate
from ..objects.held import held_by
from ..objects.paths import put
from ..readings.apart import call
from ..readings.several import Arrays, Several, UnlikeError
from ..text.calls import required
from ..text.names import plain

SECOND = re.compile(r"hess(?:ian)?(?:_matrix)?|(?:\w+_)?hess(?:ian)?|jac(?:obian)?|(?:\w+_)?jac(?:obian)?", re.I)
FIRST = re.compile(r"grad(?:ient)?|(?:\w+_)?grad(?:ient)?|d_?f|f_prime", re.I)


def pairs(functions: Mapping[str, Callable]) -> Iterator[tuple[str, str]]:
    """What is differentiated, and its matrix: of the same arguments, by their names."""
    for name, matrix in functions.items():
        if not SECOND.fullmatch(name):
            continue
        asked = [plain(p.name) for p in required(matrix)]
        for other, function in functions.items():
            first = (
                FIRST.fullmatch(other)
                if "hess" in name.lower()
                else not FIRST.search(other) and stem_of(name) in ("", stem_of(other))
            )
            if other != name and first and asked and [plain(p.name) for p in required(function)] == asked:
                yield other, name


def stem_of(name: str) -> str:
    return re.sub(r"_?jac(?:obian)?|_?hess(?:ian)?", "", name).strip("_")


def through(g: Any, matrix: Any, x: Any, upstream: Callable, name: str) -> tuple[list, list]:
    """The outputs g, and r times its matrix, in the shape of the first argument."""
    g, matrix = np.asarray(g, float), np.asarray(matrix, float)
    if not g.ndim or matrix.shape != (g.size, np.size(x)):
        raise UnlikeError
    return [g], [(f"d{name}", (upstream(g).ravel() @ matrix).reshape(np.shape(x)))]


def of_functions(functions: Mapping[str, Callable]) -> Iterator[Several]:
    for first, second in pairs(functions):
        f, matrix, needed = functions[first], functions[second], required(functions[first])

        def run(
            arguments: Arrays,
            upstream: Callable,
            f: Callable = f,
            matrix: Callable = matrix,
            name: str = needed[0].name,
        ) -> tuple:
            return through(call(f, arguments), call(matrix, arguments), arguments[name], upstream, name)

        yield Several(second, matrix, needed, run, {}, parts=(f, matrix))


def of_class(cls: type, made: Any, make: Callable[..., Any]) -> Iterator[Several]:
    methods = {
        n: m
        for n, m in inspect.getmembers(cls, inspect.isfunction)
        if required(m)[:1] and required(m)[0].name == "self"
    }
    for first, second in pairs(methods):
        reading = of_methods(
            second,
            (lambda *words, **more: duplicate(made)) if made is not None else make,
            [],
            first,
            second,
            cls,
            made is not None,
        )
        reading.run = of_object(
            reading, make if made is None else (lambda *words, **more: duplicate(made)), first, second
        )
        yield reading


def of_object(reading: Several, make: Callable, first: str, second: str) -> Callable:
    names = [p.name for p in reading.parameters]

    def run(arguments: Arrays, upstream: Callable) -> tuple[list, list]:
        fresh = make(arguments.get("sizes", 0), **(arguments.get("options") or {}))
        for name, (path, array) in held_by(fresh).items():
            put(fresh, path, np.array(arguments.get(name, array)))
        own = {name: arguments[name] for name in names}
        return through(
            call(getattr(fresh, first), own), call(getattr(fresh, second), own), own[names[0]], upstream, names[0]
        )

    return run
