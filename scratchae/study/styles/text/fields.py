"""Arguments that are objects of a class of their file which only holds arrays: a dataclass or a named tuple, read as `params.W`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from .written import tree_of


class Fields(list):
    """What the fields of such an argument are called, in order. cls: its class."""

    def __init__(self, cls: type):
        super().__init__(fields_in(cls))
        self.cls = cls

    def packed(self, arrays: Iterable[Any]) -> Any:
        return self.cls(*arrays)


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
