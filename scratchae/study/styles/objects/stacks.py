"""A net made of layers, Network(*layers) or Sequential(layers): one of the layers of its file."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..text.calls import method_of, parameters_of, required
from ..text.names import BACKWARD, FORWARD, plain
from .constructed import constructed
from .copies import repeatable
from .held import held_by

LAYERS = re.compile(r"layers|modules|blocks|stack")


def stacked(cls: type) -> Any:
    """Such a net: a layer from 3 features to 4, an activation if the file has one, and a layer to 2; None where it cannot be made."""
    asked = [p for p in parameters_of(cls) if LAYERS.fullmatch(plain(p.name))]
    others = [p for p in required(cls) if p not in asked]
    if len(asked) != 1 or others:
        return None
    for between in [*activations(cls), None]:
        try:
            first, last = (next(dense(cls, *sizes)) for sizes in ((3, 4), (4, 2)))
            layers = [one for one in (first, between, last) if one is not None]
            return cls(*layers) if asked[0].kind is asked[0].VAR_POSITIONAL else cls(layers)
        except Exception:  # there is none, or it is made of something else
            continue
    return None


def classes(net: type) -> Iterator[type]:
    """The layers of the file of a net."""
    for cls in list(vars(sys.modules[net.__module__]).values()):
        own = inspect.isclass(cls) and cls is not net and cls.__module__ == net.__module__
        if own and method_of(cls, FORWARD) and method_of(cls, BACKWARD):
            yield cls


def dense(net: type, *sizes: int) -> Iterator[Any]:
    """Layers of two sizes with a matrix of these."""
    for cls in classes(net):
        if len(required(cls)) == 2:
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
