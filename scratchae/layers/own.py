"""What the library finds out about a person's own layer by reading its class."""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any

import numpy as np

from ..backend import Array
from ..description import ours


def taking_rng(forward: Callable[..., Array]) -> Callable[..., Array]:
    """A forward that can be called as forward(x, rng), even if it is written as forward(x)."""
    parameters = [*inspect.signature(forward).parameters.values()][1:]
    by_place = [p for p in parameters if p.kind is not p.KEYWORD_ONLY and p.kind is not p.VAR_KEYWORD]
    if len(by_place) > 1 or any(p.kind is p.VAR_POSITIONAL for p in by_place):
        return forward
    by_name = len(parameters) > len(by_place)  # forward(x, *, rng)

    @functools.wraps(forward)
    def with_rng(self: Any, x: Array, rng: np.random.Generator | None = None) -> Array:
        return forward(self, x, rng=rng) if by_name else forward(self, x)

    return with_rng


@functools.cache
def gradient_names(kind: type) -> frozenset[str]:
    """The names p for which a method of the class mentions self.dp, except those that forward sets."""
    found: set[str] = set()
    for cls in kind.__mro__:
        for method in () if ours(cls) or cls is object else vars(cls).values():
            code = getattr(inspect.unwrap(method) if callable(method) else None, "__code__", None)
            found |= set() if code is None else attribute_names(code)
    return frozenset(name[1:] for name in found if name[:1] == "d" and len(name) > 1) - set_by_forward(kind)


@functools.cache
def set_by_forward(kind: type) -> frozenset[str]:
    """The attributes that forward sets. It keeps them for backward, so they are not parameters."""
    code = getattr(inspect.unwrap(kind.forward), "__code__", None)
    stored = () if code is None else dis.get_instructions(code)
    return frozenset(step.argval for step in stored if step.opname == "STORE_ATTR")


def attribute_names(code: CodeType) -> set[str]:
    """The attributes that a function mentions, and those that the functions inside it mention."""
    inside = (attribute_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*inside)


def defining(kind: type, method: str) -> type:
    """The class, among `kind` and its bases, that defines the method."""
    return next(cls for cls in kind.__mro__ if method in vars(cls))


def is_float(value: Any) -> bool:
    """Whether this can be a parameter: an array of floats, or a float."""
    return isinstance(value, float) or getattr(getattr(value, "dtype", None), "kind", "") == "f"
