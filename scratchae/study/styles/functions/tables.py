"""A table that names the derivatives of each function of a file, {multiply: (in the first argument, in the second)}."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..readings.several import Arrays, Several
from ..text.calls import parameters_of, required


def of_table(
    title: str, table: Mapping[Any, Any], functions: Mapping[str, Callable]
) -> Iterator[tuple[str, Several]]:
    """The entries of a table: a function or its name, and as many derivatives as it has arguments; each is handed g, or g and y, before
    them, or is to be multiplied by g."""
    for key, entry in table.items():
        function = functions.get(key) if isinstance(key, str) else key
        slopes = (entry,) if callable(entry) else tuple(entry) if isinstance(entry, tuple | list) else ()
        needed = required(function) if callable(function) else []
        extra = {len(required(slope)) - len(needed) for slope in slopes if callable(slope)}
        fits = function in functions.values() and function not in slopes and len(slopes) == len(needed) > 0
        if fits and len(extra) == 1 and extra <= {0, 1, 2}:
            name, run = function.__name__, functools.partial(run_entry, function, slopes, *extra)
            yield f"{title}[{name}]", Several(name, slopes[0], needed, run, parts=(function, *slopes))


def run_entry(function: Callable, slopes: tuple, extra: int, arguments: Arrays, upstream: Callable) -> tuple:
    """extra: how many of g and y a derivative is handed before the arguments."""
    names = [p.name for p in parameters_of(function)]
    given = [arguments[name] for name in names if name in arguments]
    y = function(*given)
    g = upstream(y)
    found = [slope(*(g, y)[:extra], *given) * (1 if extra else g) for slope in slopes]
    return [y], [(f"d{name}", array) for name, array in zip(names, found, strict=False)]
