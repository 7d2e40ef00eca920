"""A table that names the derivatives of each function of a file, {multiply: (in the first argument, in the second)}; and functions that
look up which they are in a table, forward[name](z)."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..readings.several import Arrays, Several
from ..text.calls import parameters_of, required
from ..text.written import text_of


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


def by_key(value: Callable, slope: Callable, file: Mapping[str, Any]) -> Iterator[tuple[str, Callable, Callable]]:
    """A value and its derivative for each key of the table in which both look up an argument of one name."""
    shared = [p.name for p in required(value) if p.name in {p.name for p in required(slope)}]
    for name in shared:
        tables = [table_of(one, name, file) for one in (value, slope)]
        if all(tables):
            for key in tables[0]:
                yield key, with_key(value, name, key), with_key(slope, name, key)
            return


def table_of(function: Callable, name: str, file: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The table of functions in which a function looks up its argument of this name."""
    named = re.findall(rf"\b(\w+)(?:\[|\.get\(){name}\b", text_of(function))
    found = next((file[one] for one in named if isinstance(file.get(one), dict)), {})
    entries = [one for entry in found.values() for one in (entry if isinstance(entry, tuple) else (entry,))]
    return found if entries and all(map(callable, entries)) and all(isinstance(key, str) for key in found) else None


def with_key(function: Callable, name: str, key: str) -> Callable:
    """A function with this argument set."""
    others = [p for p in parameters_of(function) if p.name != name]
    place = [p.name for p in parameters_of(function)].index(name)

    def twin(*arguments: Any, **options: Any) -> Any:
        return function(*arguments[:place], key, *arguments[place:], **options)

    twin.__name__, twin.__signature__, twin.source = function.__name__, inspect.Signature(others), function
    return twin
