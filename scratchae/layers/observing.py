"""The one way to look on while layers and models run, or to step in between."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..backend import Array
from .layer import Layer

Call = Callable[..., Any]


@contextlib.contextmanager
def wrapped(things: Iterable[object], **wrappers: Callable[[Any, Call], Call]) -> Iterator[None]:
    """While the block runs, replace methods of some objects by `wrapper(thing, method)`, which may call the method.

    Blocks nest: the inner wrapper calls the outer one, which is put back afterwards. A copy of an object, such as a twin in
    `models/parallel.py`, is not wrapped.
    """
    before: list[tuple[object, str, Any]] = []
    try:
        for thing in things:
            for name, wrapper in wrappers.items():
                replacement = instead(thing, name, wrapper(thing, getattr(thing, name)))
                before.append((thing, name, vars(thing).get(name)))
                setattr(thing, name, replacement)
        yield
    finally:
        for thing, name, earlier in reversed(before):
            if earlier is None:
                vars(thing).pop(name, None)  # now the class's own method is found again
            else:
                setattr(thing, name, earlier)


def instead(thing: object, name: str, call: Call) -> types.MethodType:
    """A bound method. Copying the object binds it to the copy, and there it calls the class's own method."""

    def method(self: object, *arguments: Any, **options: Any) -> Any:
        if self is thing:
            return call(*arguments, **options)
        return getattr(type(self), name)(self, *arguments, **options)

    return types.MethodType(method, thing)


def watched(
    layers: Iterable[Layer], note: Callable[[Layer, Array, Array], None]
) -> contextlib.AbstractContextManager:
    """While the block runs, note(layer, x, y) is called after each forward of these layers."""

    def noting(layer: Layer, forward: Call) -> Call:
        def forward_and_note(x: Array, rng: np.random.Generator | None = None) -> Array:
            y = forward(x, rng)
            note(layer, x, y)
            return y

        return forward_and_note

    return wrapped(layers, forward=noting)


def in_inference(layers: Iterable[Layer]) -> contextlib.AbstractContextManager:
    """While the block runs, these layers get no generator: so there is no noise, no dropout and no statistics of the batch."""
    return wrapped(layers, forward=lambda layer, forward: lambda x, rng=None: forward(x))
