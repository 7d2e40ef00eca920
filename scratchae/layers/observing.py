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
    """While the block runs, methods of some objects are replaced: by `wrapper(thing, method)`, which may call the method.

    Blocks nest: the inner wrapper calls the outer one, which is there again afterwards. A copy of an object, such as a twin in
    `models/parallel.py`, has its own methods.
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
                vars(thing).pop(name, None)  # the class's own is seen again
            else:
                setattr(thing, name, earlier)


def instead(thing: object, name: str, call: Call) -> types.MethodType:
    """A bound method, which copying binds to the copy: there it is what the class has."""

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
    """While the block runs, these layers get no generator: no noise, no dropout, no statistics of the batch."""
    return wrapped(layers, forward=lambda layer, forward: lambda x, rng=None: forward(x))
