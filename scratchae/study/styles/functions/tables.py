"""A table that names the derivatives of each function of a file, {multiply: (in the first argument, in the second)}."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..readings.several import Several
from ..text.calls import parameters_of, required

EXTRA = {
    0: lambda g, y: (),
    1: lambda g, y: (g,),
    2: lambda g, y: (g, y),
}  # what a derivative is handed before the arguments


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
        if (
            function in functions.values()
            and len(slopes) == len(needed) > 0
            and len(extra) == 1
            and extra <= set(EXTRA)
        ):
            yield f"{title}[{function.__name__}]", of_entry(function, slopes, *extra)


def of_entry(function: Callable, slopes: tuple, extra: int) -> Several:
    return Several(
        function.__name__,
        slopes[0],
        required(function),
        lambda arguments, upstream: run(function, slopes, extra, arguments, upstream),
        {},
        parts=(function, *slopes),
    )


def run(function: Callable, slopes: tuple, extra: int, arguments: Mapping[str, Any], upstream: Callable) -> tuple:
    names = [p.name for p in parameters_of(function)]
    given = [arguments[name] for name in names if name in arguments]
    y = function(*given)
    g = upstream(y)
    found = [slope(*EXTRA[extra](g, y), *given) * (1 if extra else g) for slope in slopes]
    return [y], [(f"d{name}", array) for name, array in zip(names, found, strict=False)]
