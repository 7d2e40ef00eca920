"""A net made of layers, Network(*layers), Sequential(layers) or net.add(layer): one of the layers of its file."""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..text.calls import method_of, parameters_of, required
from ..text.names import BACKWARD, FORWARD, plain
from .constructed import constructed
from .copies import duplicate, repeatable
from .held import held_by

LAYERS = re.compile(r"layers|modules|blocks|stack")
IS_SOURCE = re.compile(r"rng|seed|generator|randomstate")  # of random numbers
ADDING = ("add", "add_layer", "addLayer", "append", "push")


def stacked(cls: type) -> Any:
    """Such a net: a layer from 3 features to 4, an activation if the file has one, and a layer to 2; None where it cannot be made."""
    for between in [*activations(cls), None] if of_given(cls) else ():
        try:
            first, last = (next(dense(cls, *sizes)) for sizes in ((3, 4), (4, 2)))
            return of_layers(cls, [one for one in (first, between, last) if one is not None])
        except Exception:  # there is none, or it is made of something else
            continue
    return None


def of_given(cls: type) -> bool:
    """Whether a net may be made of layers that are put into it."""
    asked = [p for p in parameters_of(cls) if LAYERS.fullmatch(plain(p.name))]
    others = [p for p in required(cls) if p not in asked]
    return not others and (len(asked) == 1 or (not asked and method_of(cls, ADDING) is not None))


def of_layers(cls: type, layers: list[Any]) -> Any:
    asked = [p for p in parameters_of(cls) if LAYERS.fullmatch(plain(p.name))]
    if asked:
        return cls(*layers) if asked[0].kind is asked[0].VAR_POSITIONAL else cls(layers)
    net, adding = cls(), method_of(cls, ADDING)
    for one in layers:
        getattr(net, adding)(one)
    return net


def runs(net: Any) -> bool:
    """Whether a net takes examples of 3 features, as rows or as columns."""
    forward = method_of(net, FORWARD)
    for shape in ((5, 3), (3, 5)) if forward else ():
        with contextlib.suppress(Exception):
            return getattr(duplicate(net), forward)(np.ones(shape)).shape in ((5, 2), (2, 5))
    return False


def layers_in(net: Any) -> list[Any]:
    """The layers that a net holds in a list."""
    lists = [one for one in vars(net).values() if isinstance(one, list | tuple)]
    return [layer for one in lists for layer in one if method_of(layer, FORWARD) and method_of(layer, BACKWARD)]


def classes(net: type) -> Iterator[type]:
    """The layers of the file of a net."""
    for cls in list(vars(sys.modules[net.__module__]).values()):
        own = inspect.isclass(cls) and cls is not net and cls.__module__ == net.__module__
        if own and method_of(cls, FORWARD) and method_of(cls, BACKWARD):
            yield cls


def dense(net: type, *sizes: int) -> Iterator[Any]:
    """Layers of two sizes with a matrix of these."""
    for cls in classes(net):
        if len([p for p in required(cls) if not IS_SOURCE.fullmatch(plain(p.name))]) == 2:
            try:
                thing = constructed(cls, sizes).value
            except Exception:
                continue
            if any(array.shape in (sizes, sizes[::-1]) for _, array in held_by(thing).values()):
                yield thing


def activations(net: type) -> Iterator[Any]:
    """Layers of no sizes that take each number by itself, and draw none."""
    for cls in classes(net):
        try:
            thing, x = constructed(cls).value, np.linspace(-1, 1, 12).reshape(4, 3)
            with repeatable(0, thing) as drawing:
                y = getattr(thing, method_of(thing, FORWARD))(x)
            alone = getattr(thing, method_of(thing, FORWARD))(x[:1])
            if not drawing.used and not required(cls) and y.shape == x.shape and np.array_equal(alone, y[:1]):
                yield constructed(cls).value  # which has not run
        except Exception:
            continue
