"""Copies of a person's objects, and forwards that draw the same random numbers at each call."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import functools
import random
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
SIZE = 624 * 4 + 4  # bytes of a Mersenne twister: its numbers, and the place among them


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


@functools.cache
def numbers_of(seed: int) -> bytes:
    return packed(states(seed)[0])


def packed(state: Any) -> bytes:
    return state[1].tobytes() + np.int32(state[2]).tobytes()


def numbers() -> bytes:
    """The state of `np.random` as it lies in memory, which is read in a hundredth of the time that `get_state` takes."""
    twister = np.random.get_bit_generator()
    try:
        return ctypes.string_at(twister.ctypes.state_address, SIZE) if type(twister) is np.random.MT19937 else b""
    except Exception:  # memory cannot be read
        return packed(np.random.get_state())


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
    theirs, default_rng, RandomState = random.getstate(), np.random.default_rng, np.random.RandomState
    first, second = states(seed)
    begun = numbers() == numbers_of(seed)  # in another block, where nothing was drawn yet
    before = first if begun else np.random.get_state()
    drawing = Drawing()
    for generator in generators(thing):
        reseed(generator, seed)
        drawing.used = True

    def seeded(given: Any = None) -> np.random.Generator:
        drawing.used = drawing.used or given is None
        return default_rng(seed if given is None else given)

    if not begun:
        np.random.set_state(first)
    random.setstate(second)
    np.random.default_rng, np.random.RandomState = seeded, seeded_kind(RandomState, seed)
    DRAWINGS.append(drawing)
    try:
        yield drawing
    finally:
        DRAWINGS.pop()
        np.random.default_rng, np.random.RandomState = default_rng, RandomState
        drawn = numbers() != numbers_of(seed)
        drawing.used = drawing.used or drawn or random.getstate() != second
        if drawn or not begun:
            np.random.set_state(before)
        random.setstate(theirs)
