"""Arguments that hold arrays: objects of a class of their file which does nothing else, a dataclass or a named tuple, read as `params.W`;
and lists of dicts, `for layer in layers: layer["W"]`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from .written import through, tree_of


class Fields(list):
    """What the fields of such an argument are called, in order. cls: its class."""

    def __init__(self, cls: type):
        super().__init__(fields_in(cls))
        self.cls = cls

    def packed(self, arrays: Iterable[Any]) -> Any:
        return self.cls(*arrays)


class Dicts(list):
    """What the entries of a list of two dicts are called, in order. keys: those of each."""

    def __init__(self, keys: Collection[str]):
        super().__init__(f"{i}][{key}" for i in (0, 1) for key in keys)
        self.keys = keys

    def packed(self, arrays: Iterable[Any]) -> list[dict[str, Any]]:
        found = iter(arrays)
        return [{key: next(found) for key in self.keys} for _ in (0, 1)]


def dicts_of(functions: Iterable[Any], names: Collection[str]) -> dict[str, Dicts]:
    """The arguments that are lists of dicts of which keys are read: of `layer`, where a loop takes it out, or of `layers[i]`."""
    found: dict[str, dict[str, None]] = {}
    for function in functions:
        nodes = [*ast.walk(tree_of(function))]
        loops = [
            pair
            for one in nodes
            if isinstance(one, ast.For | ast.comprehension)
            for pair in through(one.target, one.iter)
        ]
        taken = {getattr(target, "id", ""): getattr(source, "id", "") for target, source in loops}
        for node in nodes:
            key = getattr(node.slice, "value", None) if isinstance(node, ast.Subscript) else None
            if not isinstance(key, str) or not isinstance(node.ctx, ast.Load):
                continue
            inner = node.value.value if isinstance(node.value, ast.Subscript) else None
            name = taken.get(getattr(node.value, "id", "")) or getattr(inner, "id", "")
            if name in names:
                found.setdefault(name, {})[key] = None
    return {name: Dicts(keys) for name, keys in found.items()}


def fields_in(cls: type) -> list[str]:
    """The names of the fields of a dataclass or named tuple; none, of any other class."""
    return list(getattr(cls, "_fields", getattr(cls, "__dataclass_fields__", ())))


def fields_of(functions: Iterable[Any], names: Collection[str]) -> dict[str, Fields]:
    """The arguments whose attributes are the fields of a class of the file, where no array has them."""
    read: dict[str, set[str]] = {}
    classes: list[type] = []
    for function in functions:
        classes = classes or [one for one in function.__globals__.values() if inspect.isclass(one)]
        for node in ast.walk(tree_of(function)):
            name = getattr(getattr(node, "value", None), "id", "") if isinstance(node, ast.Attribute) else ""
            if name in names and not hasattr(np.ndarray, node.attr):
                read.setdefault(name, set()).add(node.attr)
    return {name: Fields(cls) for name, keys in read.items() for cls in classes if keys == {*fields_in(cls)}}


def fields_held(thing: Any) -> Mapping[str, Any] | None:
    """The arrays of an object of such a class, by field; None for all else."""
    named = {name: getattr(thing, name) for name in fields_in(type(thing))}
    return named if named and all(isinstance(one, np.ndarray | float) for one in named.values()) else None
