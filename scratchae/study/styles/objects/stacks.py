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
from .constructed import constructed, is_size
from .copies import duplicate, repeatable
from .held import held_by

LAYERS = re.compile(r"layers|modules|blocks|stack")
IS_SOURCE = re.compile(r"rng|seed|generator|randomstate")  # of random numbers
SHAPES = (5, 3), (2, 3, 4, 4)  # of inputs with 3 features, or channels
ADDING = ("add", "add_layer", "addLayer", "append", "push")


def stacked(cls: type) -> Any:
    """Such a net: a layer from 3 features to 4, an activation if the file has one, and a layer to 2; or of activations, where it has no
    other, or of what keeps the shape of its input; None where it cannot be made. Where the net is handed the size of its input, its layers are handed one size each."""
    for layers in of_file(cls) if of_given(cls) else ():
        try:
            return of_layers(cls, layers)
        except Exception:  # it is made of something else
            continue
    return None


def of_file(net: type) -> Iterator[list[Any]]:
    """The layers of a net, the likeliest first."""
    between, sized = [*activations(net)], bool(sizes_of(net))
    for one in [*between, None]:
        first, last = (next(dense(net, *sizes), None) for sizes in (((4,), (2,)) if sized else ((3, 4), (4, 2))))
        if first is not None and last is not None:
            yield [layer for layer in (first, one, last) if layer is not None]
    if between and not sized:
        yield between[:2]
    elif not sized:
        yield from keeping(net)


def asked_of(cls: type) -> list[inspect.Parameter]:
    """The arguments of a constructor that are layers."""
    return [p for p in parameters_of(cls) if LAYERS.fullmatch(plain(p.name))]


def sizes_of(cls: type) -> list[inspect.Parameter]:
    """The arguments of a constructor besides layers."""
    return [p for p in required(cls) if p not in asked_of(cls)]


def of_given(cls: type) -> bool:
    """Whether a net may be made of layers that are put into it."""
    asked, others = asked_of(cls), sizes_of(cls)
    if others:
        return len(asked) == len(others) == 1 and is_size(others[0].name)
    return len(asked) == 1 or (not asked and method_of(cls, ADDING) is not None)


def of_layers(cls: type, layers: list[Any]) -> Any:
    asked, sizes = asked_of(cls), {p.name: 3 for p in sizes_of(cls)}
    if asked and asked[0].kind is asked[0].VAR_POSITIONAL:
        return cls(*sizes.values(), *layers)
    if asked:
        return cls(**sizes, **{asked[0].name: layers})
    net, adding = cls(), method_of(cls, ADDING)
    for one in layers:
        getattr(net, adding)(one)
    return net


def runs(net: Any) -> bool:
    """Whether a net takes examples of 3 features, as rows or as columns."""
    forward = method_of(net, FORWARD)
    for shape in (SHAPES[0], (3, 5), SHAPES[1]) if forward else ():
        with contextlib.suppress(Exception):
            return getattr(duplicate(net), forward)(np.ones(shape)).shape in ((5, 2), (2, 5), shape)
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
    """Layers of these sizes with a matrix, which has two sizes, if there are two."""
    for cls in classes(net):
        if len([p for p in required(cls) if not IS_SOURCE.fullmatch(plain(p.name))]) == len(sizes):
            try:
                thing = constructed(cls, sizes).value
            except Exception:
                continue
            matrices = [array.shape for _, array in held_by(thing).values() if array.ndim == 2]
            if matrices if len(sizes) == 1 else any(shape in (sizes, sizes[::-1]) for shape in matrices):
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


def keeping(net: type) -> Iterator[list[Any]]:
    """Two layers of one class that give what has the shape of their input, such as norms, and draw no numbers."""
    for cls in classes(net):
        for shape in SHAPES:
            with contextlib.suppress(Exception):
                one, other, thing = (constructed(cls).value for _ in range(3))
                with repeatable(0, thing) as drawing:
                    y = getattr(thing, method_of(thing, FORWARD))(np.random.default_rng(0).standard_normal(shape))
                if not drawing.used and y.shape == shape:
                    yield [one, other]
                    break
