"""Functions that are handed objects of their file's classes: cost(w, X, y, reg) of a `reg` with the methods penalty and gradient."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..objects.constructed import constructed
from ..objects.copies import duplicate
from ..readings.several import Arrays, Several
from ..text.written import tree_of


def with_objects(reading: Several) -> Several:
    """A reading of functions in which arguments that are objects of a class of the file are such objects, new ones for each call."""
    made = {p.name: thing for p in reading.parameters if (thing := object_for(p.name, reading.parts)) is not None}
    if not made:
        return reading

    def run(arguments: Arrays, upstream: Callable) -> tuple[list, list]:
        return reading.run(arguments | duplicate(made), upstream)

    return replace(reading, parameters=[p for p in reading.parameters if p.name not in made], run=run)


def object_for(name: str, functions: tuple[Callable, ...]) -> Any:
    """An object of the class of the file that has all methods which are called of an argument; None if it is rather an array."""
    called = {method for one in functions for of, method in methods_called(one) if of == name}
    if not called or all(hasattr(np.ndarray, one) for one in called):
        return None
    file = getattr(inspect.unwrap(functions[0]), "__globals__", {})
    for cls in filter(inspect.isclass, list(file.values())):
        if cls.__module__ == functions[0].__module__ and all(hasattr(cls, one) for one in called):
            try:
                return constructed(cls).value
            except Exception:  # it cannot be made
                continue
    return None


@functools.lru_cache(1000)
def methods_called(function: Callable) -> set[tuple[str, str]]:
    """The methods that are called in a function, with the names of what has them: reg and penalty of reg.penalty(w)."""
    called = (node.func for node in ast.walk(tree_of(function)) if isinstance(node, ast.Call))
    return {(getattr(one.value, "id", ""), one.attr) for one in called if isinstance(one, ast.Attribute)}
