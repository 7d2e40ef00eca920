"""What a forward may be handed besides x, and is not by default, such as the state with which it begins, or a mask."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...layers import Layer
from ..gradcheck import parameters
from ..styles.layers.adapted import Adapted
from ..styles.text.calls import is_flag, parameters_of
from ..styles.text.names import plain
from .inputs import variants

STATE = re.compile(r"[hcs]_?(?:0|prev|init)?|.*(?:start|state|initial|init|hidden|prev|memory|carry).*", re.I)
MASK = re.compile(r".*mask.*|keep|valid", re.I)


def arrays(layer: Layer, x: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """By argument, arrays of the shapes that it may have; of a mask each row is left out in part."""
    rng = np.random.default_rng(13)
    for p in layer.call.others if isinstance(layer, Adapted) else ():
        if p.default is not None or is_flag(p) or p.name == layer.call.rng:
            continue
        if MASK.fullmatch(plain(p.name)):
            for shape in dict.fromkeys([x.shape[:2], x.shape, (*x.shape[:2], x.shape[1]) if x.ndim > 1 else x.shape]):
                mask = (
                    np.arange(int(np.prod(shape))).reshape(shape) % 3
                    != np.arange(shape[0]).reshape(-1, *(1,) * (len(shape) - 1)) % 2
                )
                yield from ((p.name, kind) for kind in (mask, mask.astype(float)))
        elif STATE.fullmatch(p.name):
            widths = sorted({size for array in parameters(layer).values() for size in array.shape})
            yield from ((p.name, 0.7 * rng.standard_normal((len(x), width))) for width in widths)


def with_more(layer: Layer, x: np.ndarray, start: Callable[[], Layer]) -> Iterator[tuple[str, Callable[[], Layer]]]:
    """In words, and how it is made: a layer whose forward is handed such an array, of the first shape for which y has the shape that it
    has without, and other numbers, and for which backward runs."""
    found: set[str] = set()
    for name, array in arrays(layer, x):
        if name in found:
            continue
        make = maker(start, {name: array})
        try:
            y, twin = start().forward(x.copy()), make()
            other = np.array(twin.forward(x.copy()))
            fits = np.shape(y) == other.shape and np.isfinite(other).all() and not np.array_equal(y, other)
            twin.backward(np.ones_like(other))
        except Exception:
            continue
        if fits:
            found.add(name)
            yield f"{name} of shape {array.shape}", make


def of_options(layer: Layer, x: np.ndarray, start: Callable[[], Layer]) -> Iterator[tuple[str, Callable[[], Layer]]]:
    """A layer whose forward is handed options other than their defaults; its backward too, where that takes them. Not those with which a
    forward changes what the next one gives."""
    if not isinstance(layer, Adapted):
        return
    options = tuple(p for p in layer.call.others if p.default is not p.empty and not is_flag(p))
    theirs = {p.name for p in parameters_of(getattr(layer.theirs, layer.methods[1]))}
    for words in variants(options, guards=False):

        def make(words: dict[str, Any] = words) -> Layer:
            told = maker(start, words)()
            told.words = {name: value for name, value in words.items() if name in theirs}
            return told

        with contextlib.suppress(Exception):  # it does not take this option
            twice = make()
            if np.array_equal(np.array(twice.forward(x.copy())), twice.forward(x.copy())):
                yield ", ".join(f"{name}={value!r}" for name, value in words.items()) + " in forward", make


def maker(start: Callable[[], Layer], words: dict[str, Any]) -> Callable[[], Layer]:
    def make() -> Layer:
        layer = start()
        layer.call = copy.copy(layer.call)
        layer.call.words = words
        return layer

    return make


def adding(layer: Layer, x: np.ndarray, start: Callable[[], Layer]) -> Iterator[tuple[str, Callable[[], Layer]]]:
    """A layer whose backward is told to add to the gradients that it holds, which are 0."""
    method = getattr(layer.theirs, layer.methods[1]) if isinstance(layer, Adapted) else None
    for p in parameters_of(method) if method else ():
        if p.default is False and re.match("accum|add", plain(p.name)):

            def make(name: str = p.name) -> Layer:
                told = start()
                told.backward(np.zeros_like(told.forward(x.copy())))
                told.words = {name: True}
                return told

            yield f"{p.name}=True in backward", make
