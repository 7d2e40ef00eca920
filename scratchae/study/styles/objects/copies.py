"""Copies of a person's objects, and forwards that draw the same random numbers at each call."""

from __future__ import annotations

import contextlib
import copy
import functools
import random
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def duplicate(thing: T) -> T:
    """A deep copy. Modules, such as `self.xp = np`, and what cannot be copied are shared with the original."""
    try:
        return copy.deepcopy(thing)
    except Exception:
        memo = {id(module): module for module in [*sys.modules.values()]}
    try:
        return copy.deepcopy(thing, memo)
    except Exception:
        return piecewise(thing, memo)


def piecewise(thing: T, memo: dict[int, Any]) -> T:
    """A copy of an object of which some attribute cannot be copied: that one is shared."""
    if not hasattr(thing, "__dict__"):
        return thing
    twin = copy.copy(thing)
    for name, value in vars(thing).items():
        with contextlib.suppress(Exception):
            vars(twin)[name] = copy.deepcopy(value, memo)
    return twin


class Drawing:
    """Whether anything was drawn in a block, from `np.random`, from `random` or from a generator made without a seed."""

    used = False


@functools.cache
def states(seed: int) -> tuple[Any, Any]:
    return np.random.RandomState(seed).get_state(), random.Random(seed).getstate()


def generators(thing: Any, depth: int = 3) -> Iterator[Any]:
    """The random generators that an object holds, in attributes, dicts, lists and objects there."""
    if isinstance(thing, np.random.Generator | np.random.RandomState | random.Random):
        yield thing
    elif depth and not isinstance(thing, type | ModuleType):
        inner = thing.values() if isinstance(thing, dict) else thing if isinstance(thing, list | tuple) else ()
        for value in [*inner, *getattr(thing, "__dict__", {}).values()]:
            yield from generators(value, depth - 1)


def reseed(generator: Any, seed: int) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = type(generator.bit_generator)(seed).state
    else:
        generator.seed(seed)


DRAWINGS: list[Drawing] = []  # of the blocks that are entered


@functools.lru_cache(8)
def seeded_kind(kind: type, seed: int) -> type:
    """A generator of a kind that begins from a seed where it is given none. To make a class takes longer than to run many a forward."""

    class Seeded(kind):
        def __init__(self, given: Any = None):
            for drawing in DRAWINGS[-1:]:
                drawing.used = drawing.used or given is None
            super().__init__(seed if given is None else given)

    return Seeded


@contextlib.contextmanager
def repeatable(seed: int = 0, thing: Any = None) -> Iterator[Drawing]:
    """In the block, `np.random` and `random` begin from a seed, and so do generators made without one, and those that `thing`
    holds. Afterwards `np.random` and `random` are as before."""
    before, theirs, default_rng = np.random.get_state(), random.getstate(), np.random.default_rng
    RandomState = np.random.RandomState
    first, second = states(seed)
    drawing = Drawing()
    for generator in generators(thing):
        reseed(generator, seed)
        drawing.used = True

    def seeded(given: Any = None) -> np.random.Generator:
        drawing.used = drawing.used or given is None
        return default_rng(seed if given is None else given)

    np.random.set_state(first)
    random.setstate(second)
    np.random.default_rng, np.random.RandomState = seeded, seeded_kind(RandomState, seed)
    DRAWINGS.append(drawing)
    try:
        yield drawing
    finally:
        DRAWINGS.pop()
        np.random.default_rng, np.random.RandomState = default_rng, RandomState
        now = np.random.get_state()
        drawing.used = drawing.used or now[2:4] != first[2:4] or random.getstate() != second
        np.random.set_state(before)
        random.setstate(theirs)
