"""Which arguments of a function are sizes, told by where they stand."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Collection, Iterator
from typing import Any

from .written import tree_of

SHAPED = {"reshape", "zeros", "ones", "eye", "empty", "range"}  # what is handed shapes and counts


def sizes_in(function: Any, names: Collection[str], seen: frozenset[Any] = frozenset()) -> set[str]:
    """Which of these arguments are sizes: they stand in a shape or count, here or in a function of the file that is handed them."""
    found: set[str] = set()
    for node in ast.walk(tree_of(function)) if function not in seen else ():
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        of_numpy = getattr(getattr(node.func, "value", None), "id", "") in ("np", "numpy")
        other = getattr(function, "__globals__", {}).get(name)
        if name in SHAPED:
            found |= {one for part in node.args[of_numpy and name == "reshape" :] for one in counted(part)}
        elif inspect.isfunction(other):
            handed = dict(zip(inspect.signature(other).parameters, node.args, strict=False))
            theirs = sizes_in(other, list(handed), seen | {function})
            found |= {one.id for key, one in handed.items() if key in theirs and isinstance(one, ast.Name)}
    return found & set(names)


def counted(node: ast.expr) -> Iterator[str]:
    """The names in a shape: h and d of (h, d + 1)."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Tuple | ast.BinOp | ast.UnaryOp):
        for part in ast.iter_child_nodes(node):
            yield from counted(part)
