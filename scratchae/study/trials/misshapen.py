"""A gradient of another shape than its parameter, where all else of a reading is right: db is one number, and b begins as zeros((n, 1)).

In the update it is broadcast, or makes the parameter grow, and nothing raises.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..diagnosis.finding import finding
from ..styles.readings.assigned import assigned, last_of
from ..styles.readings.several import Arrays, Several, UnlikeError
from ..styles.text.names import stem
from ..styles.text.written import beginning, tree_of
from .result import RIGHT, WRONG, Result
from .terms import tensors_of

BEGUN = {"zeros", "ones", "randn", "rand", "normal", "uniform", "standard_normal", "full", "empty"}


def others(way: Mapping[str, np.ndarray], tensors: Mapping[str, np.ndarray]) -> list[str]:
    """The tensors whose gradients have another shape, if it is one that an update takes, and others have theirs."""
    found = [name for name, array in way.items() if np.shape(array) != tensors[name].shape]
    fitting = all(in_shape(np.asarray(way[name]), tensors[name].shape) is not None for name in found)
    return found if fitting and len(found) < len(way) else []


def in_shape(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """A gradient in the shape of its tensor: the same numbers, one for many, or what of many comes on average."""
    if array.size == np.prod(shape):
        return array.reshape(shape)
    try:
        whole = np.broadcast_shapes(array.shape, shape)
    except ValueError:
        return None
    if whole == shape:
        return np.broadcast_to(array, shape).copy()
    surplus = tuple(
        i for i, (a, b) in enumerate(zip(whole, (1,) * (len(whole) - len(shape)) + shape, strict=True)) if a != b
    )
    return array.mean(axis=surplus).reshape(shape) if whole == array.shape else None


def examine(thing: Several, check: Callable[[Several], Result | None]) -> Result | None:
    """Wrong if gradients have other shapes than their tensors, and all else is right; None if that is not so, or may be meant."""
    seen: dict[str, tuple] = {}

    def run(arguments: Arrays, upstream: Callable) -> tuple[list, list]:
        outputs, labelled = thing.run(arguments, upstream)
        tensors = tensors_of(arguments)
        for way, _ in assigned(labelled, tensors):
            if names := others(way, tensors):
                seen.update((name, (np.shape(way[name]), tensors[name].shape)) for name in names)
                return outputs, [
                    (name, in_shape(np.asarray(array), tensors[name].shape)) for name, array in way.items()
                ]
        raise UnlikeError

    result = check(replace(thing, run=run, value=None, refused={}))
    if result is None or result.code not in (RIGHT, WRONG) or result.report is None or not seen:
        return None
    wrong = {check.name for check in result.report.checks if not check.passed}
    right = {check.name for check in result.report.checks} - seen.keys()
    if not (wrong <= seen.keys() and right and all(told(thing, name, right) for name in seen)):
        return None
    faults = [finding("shape", (name,), "", found=found, wanted=wanted) for name, (found, wanted) in seen.items()]
    return Result(WRONG, "", findings=tuple(faults), tried=result.tried)


def told(thing: Several, name: str, right: set[str]) -> bool:
    """Whether a tensor is meant to be an array of several numbers: another of its kind is, or the file makes it of sizes."""
    return any(kind(one) == kind(name) for one in right) or any(kind(one) == kind(name) for one in begun(thing))


def kind(name: str) -> str:
    """b of params[b1] and of b2."""
    return re.sub(r"\d", "", stem(last_of(name)))


def begun(thing: Several) -> Iterator[str]:
    """The names of the arrays that the functions of a file make of sizes."""
    for function in vars(inspect.getmodule(inspect.unwrap(thing.source))).values():
        for node in ast.walk(tree_of(function)) if inspect.isfunction(function) else ():
            pairs: list[tuple[Any, ast.expr | None]] = []
            if isinstance(node, ast.Assign):
                pairs = [(one, node.value) for one in node.targets]
            elif isinstance(node, ast.Dict):
                pairs = list(zip(node.keys, node.values, strict=True))
            for target, value in pairs:
                if value is not None and any(map(is_array, ast.walk(value))):
                    place = target.slice if isinstance(target, ast.Subscript) else target
                    yield str(getattr(place, "value", getattr(place, "id", "")) or beginning(place))


def is_array(node: ast.AST) -> bool:
    """Whether this makes an array whose sizes are no numbers that are written in."""
    if not (isinstance(node, ast.Call) and getattr(node.func, "attr", "") in BEGUN):
        return False
    sizes = [part for one in node.args for part in getattr(one, "elts", [one])]
    return any(isinstance(one, ast.Name | ast.Attribute | ast.Subscript) for one in sizes)
