"""What an object holds that tells for which x it is meant."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..text.names import plain
from ..text.written import text_of
from .constructed import PARTS


def holds_shape(value: Any, x: np.ndarray) -> set[tuple[int, ...]]:
    """The shape of x, or that of one of its rows, if the object was told it, and so is meant for no other."""
    held = [tuple(one) for one in getattr(value, "__dict__", {}).values() if isinstance(one, tuple | list)]
    return {x.shape, x.shape[1:]} & {one for one in held if len(one) > 1 and all(isinstance(n, int) for n in one)}


def leaves_a_rest(value: Any, x: np.ndarray) -> bool:
    """Whether the groups or heads of an object do not divide the axis of x that its class divides by them."""
    held = getattr(value, "__dict__", {})
    if not {*map(plain, held)} & {*PARTS}:
        return False
    return any(
        isinstance(held.get(name), int) and held[name] > 1 and -x.ndim <= axis < x.ndim and x.shape[axis] % held[name]
        for name, axis in divided(ast.parse(textwrap.dedent(text_of(type(value)))))
    )


def divided(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """The groups or heads of an object by which a size is divided without a rest, with the axis of that size: n, c = x.shape; c // self.groups."""
    axes = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.value, "attr", "") == "shape":
            names = getattr(node.targets[0], "elts", ())
            axes |= {one.id: place for place, one in enumerate(names) if isinstance(one, ast.Name) and one.id != "_"}
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv):
            name, size = getattr(node.right, "attr", ""), node.left
            if plain(name) in PARTS and getattr(size, "id", None) in axes:
                yield name, axes[size.id]
            elif plain(name) in PARTS and ast.unparse(size).endswith((".shape[1]", ".shape[-1]", ".shape[2]")):
                yield name, int(ast.unparse(size).rpartition("[")[2][:-1])
