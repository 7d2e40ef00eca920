"""Which entries of a dict functions read: those of `W, b = p["W"], p["b"]`, and W1, W2 of `p["W" + str(i)]`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence

from .written import tree_of


def keys_of(functions: Iterable[Callable], names: Sequence[str]) -> dict[str, list[str]]:
    """The arguments from which keys are read, here or where they are handed on, as in `W, b = p["W"], p["b"]`, and those keys."""
    found: dict[str, list[str]] = {}
    for function in functions:
        for node in ast.walk(tree_of(function)):
            if isinstance(node, ast.GeneratorExp | ast.ListComp) and isinstance(node.elt, ast.Subscript):
                held, among = node.elt.value, getattr(node.generators[0].iter, "elts", ())
                if isinstance(held, ast.Name) and held.id in names:
                    found.setdefault(held.id, []).extend(
                        one.value for one in among if isinstance(getattr(one, "value", None), str)
                    )
            if (
                isinstance(node, ast.Subscript)
                and isinstance(node.value, ast.Name)
                and node.value.id in names
                and isinstance(node.slice, ast.Constant)
                and isinstance(node.slice.value, str)
            ):
                keys = found.setdefault(node.value.id, [])
                if node.slice.value not in keys:
                    keys.append(node.slice.value)
            if (
                isinstance(node, ast.Subscript)
                and getattr(node.value, "id", "") in names
                and (start := beginning(node.slice))
            ):
                keys = found.setdefault(node.value.id, [])
                keys += [key for key in (f"{start}1", f"{start}2") if key not in keys]
    return found


def beginning(node: ast.expr) -> str:
    """W of the keys "W" + str(l) and f"W{l}"."""
    first = node.left if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) else None
    if isinstance(node, ast.JoinedStr) and len(node.values) == 2:
        first = node.values[0]
    value = getattr(first, "value", None)
    return value if isinstance(value, str) else ""
