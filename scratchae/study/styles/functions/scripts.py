"""Functions of a script that read its arrays, `W1` at the level of the module: these are arguments too, in the shapes that the file gives them."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..readings.several import Arrays, Several


def globals_of(function: Callable) -> dict[str, np.ndarray]:
    """The arrays of floats of a file that a function reads, or one that it calls, in the order of the file; those in a dict as params[W1]."""
    found: dict[str, np.ndarray] = {}
    seen, waiting = set(), [inspect.unwrap(function)]
    while waiting:
        one = waiting.pop(0)
        if not inspect.isfunction(one) or one in seen:
            continue
        seen.add(one)
        for name in one.__code__.co_names:
            value = one.__globals__.get(name)
            entries = value.items() if isinstance(value, dict) else ()
            for place, array in [(name, value), *((f"{name}[{key}]", array) for key, array in entries)]:
                if isinstance(array, np.ndarray) and array.dtype.kind == "f" and 0 < array.size <= 1000:
                    found[place] = array
            if isinstance(value, np.ndarray | dict):
                continue
            if getattr(value, "__module__", None) == one.__module__:
                waiting.append(value)
    file = list(getattr(inspect.unwrap(function), "__globals__", ()))
    return dict(sorted(found.items(), key=lambda entry: file.index(entry[0].partition("[")[0])))


@contextlib.contextmanager
def in_place_of(file: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> Iterator[None]:
    """In the block, a file's arrays are others."""
    before = {name.partition("[")[0]: file[name.partition("[")[0]] for name in arrays}
    for place, array in arrays.items():
        name, _, key = place.partition("[")
        file[name] = {**file[name], key[:-1]: array} if key else array
    try:
        yield
    finally:
        file.update(before)


def with_globals(reading: Several) -> Several:
    """A reading of functions, in which the arrays that they read from their file are moved and have gradients too."""
    shared = {name: array for one in reading.parts for name, array in globals_of(one).items()}
    for p in reading.parameters:
        shared.pop(p.name, None)
    if not shared:
        return reading

    def run(arguments: Arrays, upstream: Callable) -> tuple[list, list]:
        file = inspect.unwrap(reading.source).__globals__
        with in_place_of(file, {name: arguments[name] for name in shared if name in arguments}):
            return reading.run(arguments, upstream)

    return replace(reading, run=run, held=lambda arguments: dict(shared), fixed=True)
