"""Objects that make their arrays in a method which is handed sizes after the constructor, such as build(n_inputs, rng) or build(shape)."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..text.calls import RNG, method_of, required
from ..text.names import BACKWARD, FORWARD, plain
from ..text.written import tree_of


def built(thing: Any, sizes: Sequence[int]) -> Any:
    """A layer, after what makes the arrays that its forward reads, if there are such. sizes: of its input, the likeliest first."""
    cls = type(thing)
    forward, backward = method_of(cls, FORWARD), method_of(cls, BACKWARD)
    if not forward or not backward:
        return thing
    loaded, stored = attributes_in(getattr(cls, forward))
    missing = {name for name in loaded - stored if not hasattr(thing, name)}
    for name, method in inspect.getmembers(cls, inspect.isfunction) if missing else ():
        if name in (forward, backward) or not missing & attributes_in(method)[1]:
            continue
        for arguments in answers(method, sizes):
            try:
                getattr(thing, name)(*arguments)
                return thing
            except Exception:  # it wants another shape
                continue
    return thing


@functools.lru_cache(1000)
def attributes_in(method: Callable) -> tuple[set[str], set[str]]:
    """The attributes of self that a method reads, and those that it sets."""
    of_self = [
        node
        for node in ast.walk(tree_of(method))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    ]
    stored = {node.attr for node in of_self if isinstance(node.ctx, ast.Store)}
    return {node.attr for node in of_self} - stored, stored


def answers(method: Callable, sizes: Sequence[int]) -> Iterator[list[Any]]:
    """Arguments for a method that is handed sizes, shapes and a generator; none, if it wants anything else."""
    names = [plain(p.name) for p in required(method)[1:]]
    shapes = [(sizes[0],), (5, sizes[0]), (2, 6, 5), (4, 5, 6, 3)] if any("shape" in name for name in names) else [()]
    for shape in shapes:
        numbers, found = itertools.chain(sizes, itertools.repeat(2)), []
        for name in names:
            if name in RNG:
                found.append(np.random.default_rng(0))
            elif "shape" in name:
                found.append(shape)
            elif re.search(r"^n|dim|size|in|fan|features|units|channels|^d$", name) and not re.search("init", name):
                found.append(next(numbers))
            else:
                return
        yield found
