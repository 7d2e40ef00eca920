"""What was returned, as arrays with the names that their author gives them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np

from ..text.calls import parameters_of
from ..text.fields import fields_held
from ..text.names import FORWARD, stems_of_gradient
from ..text.written import called, returned_names, returns, text_of
from .several import UnlikeError

IS_GRADIENT = re.compile(r"d[A-Z]\w*|d\w?_d\w+|grads?_\w+|\w+_grad|d[bwxz]\d?")  # what is no value
REDUCES = re.compile(r"sum|mean|norm|average|loss|cost|mse|bce|entropy|error|nll|energy|elbo|einsum|trace", re.I)
HESSIAN = re.compile(r"hess\w*", re.I)


def labelled(found: Any, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The arrays in what was returned, with their names: those in the `return`, the keys of a dict, the places in a list."""
    found = fields_held(found) or found
    if isinstance(found, dict):
        yield from ((str(key), value) for key, value in found.items())
    elif isinstance(found, tuple | list):
        for i, value in enumerate(found):
            name, value = names[i] if i < len(names) else str(i), fields_held(value) or value
            if isinstance(value, dict):
                yield from labelled(value, ())
            elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
                for one in value:
                    yield from labelled(one, ())
            elif isinstance(value, tuple | list):
                yield from ((f"{name}[{k}]", one) for k, one in enumerate(value))
            else:
                yield name, value
    elif found is not None:
        yield names[0] if names else "0", found


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def are_arrays(found: Any) -> bool:
    """Whether something is an array of floats, or holds one in a tuple, list or dict."""
    found = fields_held(found) or found
    if isinstance(found, dict):
        return any(map(are_arrays, found.values()))
    if isinstance(found, tuple | list):
        return any(map(are_arrays, found))
    return isinstance(found, np.ndarray) and found.dtype.kind == "f"


def reduces_nothing(function: Callable) -> bool:
    """Whether a function is a forward that gives no loss, even where it gives one number."""
    return getattr(function, "__name__", "") in FORWARD and not REDUCES.search(text_of(function))


def with_gradients(found: Any, source: Callable, upstream: Callable | None = None) -> tuple[list, list]:
    """Of a call that returns a value together with its gradients, or with a function that makes them of an upstream."""
    if not isinstance(found, tuple) or len(found) < 2:
        raise UnlikeError
    value, *rest = found
    if upstream and len(rest) == 1 and callable(rest[0]):
        back = rest[0]
        handed = [upstream(np.asarray(value))] if parameters_of(back) or np.ndim(value) else []  # none, of a loss
        return [value], list(labelled(back(*handed), names_in(back)))
    if (
        not is_number(value)
        or reduces_nothing(source)
        or not are_arrays(rest)
        or IS_GRADIENT.fullmatch(returned_names(source, len(found))[0])
    ):
        raise UnlikeError
    nodes, asked = returned_nodes(source, len(found)), {p.name for p in parameters_of(source)}
    if any(is_step(node, asked) for node in nodes):
        raise UnlikeError
    names = [base_of(node, name) for node, name in zip(nodes, returned_names(source, len(found)), strict=True)][1:]
    if len(rest) == 1 and isinstance(rest[0], tuple | list):
        return [value], list(labelled(rest[0], nested_names(source)))
    found = list(labelled(tuple(rest), names))
    return [value], [one for one in found if not HESSIAN.fullmatch(one[0])] or found


def is_step(node: ast.expr | None, asked: Collection[str]) -> bool:
    """Whether what is returned is an argument after a step, w - η dw; λ w, and y - t of two arguments, are gradients."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add | ast.Sub):
        return False
    first, second = (getattr(side, "id", "") in asked for side in (node.left, node.right))
    return first and not second


def returned_nodes(function: Callable, count: int) -> list[ast.expr | None]:
    """The expressions of the `return` of so many."""
    for node in returns(function):
        if isinstance(node, ast.Tuple) and len(node.elts) == count:
            return list(node.elts)
    return [None] * count


def base_of(node: ast.expr | None, name: str) -> str:
    """The name of a list or dict of which an entry is returned, unless it is that of gradients: hs for hs[-1]."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and not stems_of_gradient(node.value.id):
        return node.value.id
    return name


def names_in(function: Callable) -> list[str]:
    """The names in the `return` of a function; a lambda and an expression have none."""
    for node in returns(function):
        if isinstance(node, ast.Tuple):
            return [called(item, i) for i, item in enumerate(node.elts)]
        if isinstance(node, ast.Name):
            return [node.id]
    return []


def nested_names(function: Callable) -> list[str]:
    """The names in the inner tuple of `return loss, (da, db)`."""
    for node in returns(function):
        if isinstance(node, ast.Tuple) and len(node.elts) == 2:
            return [called(item, i) for i, item in enumerate(getattr(node.elts[1], "elts", []))]
    return []
