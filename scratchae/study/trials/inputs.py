"""Inputs of many shapes, and values of options other than the defaults."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..styles.objects.constructed import FRACTIONS, wants_odd
from ..styles.text.calls import MODE_WORDS, parameters_of, word_of_mode, words_compared
from ..styles.text.names import plain
from ..styles.text.written import text_of

# shapes of x, tried in this order: rows, images with channels last and first, sequences, columns, and sizes often written in
SHAPES = (
    (5, 3), (5, 4), (5, 6), (4, 5, 6, 3), (4, 5, 6, 1), (4, 6, 3), (5, 2), (3, 3, 6, 5), (3, 6, 4, 5), (4, 1, 6, 6), (4, 1, 6, 5), (4, 6, 2), (4, 6, 6, 2), (4, 2, 6, 6),
    (2, 5, 6), (2, 5, 8), (3, 3, 6), (2, 6, 5), (5, 12), (5, 8), (3, 1), (4, 1), (3, 5), (4, 7), (2, 8, 8, 3), (2, 3, 8, 8), (3,), (4,), (6,), (2, 4, 5, 6, 3), (5, 1), (5, 10),
    (5, 2, 4), (2, 3, 4), (2, 28, 28, 1), (2, 1, 28, 28), (2, 784), (2, 32, 32, 3), (2, 3, 32, 32),
)  # fmt: skip
INDICES = ((5,), (4, 6))  # shapes of x that chooses rows, for embeddings
BELOW_ONE = {
    "rate", "momentum", "p", "keep", "keepprob", "drop", "dropout", "droprate", "dropoutrate", "dropoutratio", "ratio", "prob", "decay",
    "rho", "beta",
}  # fmt: skip
LEFT_ALONE = {
    "seed", "rng", "randomstate", "name", "dtype", "xp", "device", "lr", "learningrate", "verbose", "debug", "axis",
}  # fmt: skip


WORDS = {  # what an option may be beside its default
    "mean": "sum", "sum": "mean", "max": "average avg mean", "average": "max", "avg": "max", "valid": "same", "same": "valid",
    "sigmoid": "tanh relu", "relu": "tanh", "tanh": "sigmoid",
}  # fmt: skip


def drawn(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Random numbers of both signs, none within a step of 0, where many functions have a corner."""
    x = np.random.default_rng(seed).standard_normal(shape)
    return x + 0.05 * np.sign(x)


def indices(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Row numbers, of which some are repeated."""
    return np.random.default_rng(seed).integers(0, 3, shape)


def like(x: np.ndarray, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """New numbers of the kind of x: indices, numbers above 0, or numbers of both signs."""
    if x.dtype.kind in "iub":
        return np.random.default_rng(seed).integers(x.min(), x.max() + 1, shape)
    if x.min() >= 0 and x.max() > 0:
        least = max(x.min(), 0.05 * x.max())
        return np.random.default_rng(seed).uniform(least if least < 0.5 * x.max() else 0.5 * x.max(), x.max(), shape)
    return drawn(shape, seed)


def all_used(function: Callable, x: np.ndarray) -> bool:
    """Whether what a function gives moves with the last of x along each axis but the first: else more along it is taken, and not meant."""
    y = np.array(function(x.copy()))
    last = [(slice(None),) * axis + (-1,) for axis in range(1, x.ndim)]
    moved = [x.copy() for _ in last]
    for other, place in zip(moved, last, strict=True):
        other[place] += 0.1
    return not any(np.array_equal(function(other), y) for other in moved)


def far(x: np.ndarray) -> np.ndarray:
    """Numbers to both sides of where functions that are put together of pieces change, such as 3 or 6."""
    return np.random.default_rng(9).uniform(-10, 10, x.shape)


def longer(x: np.ndarray, takes: Callable[[np.ndarray], bool]) -> list[np.ndarray]:
    """x with each axis longer that may be, and with fewer of them: a window of another size, or one that is moved further, then has more than
    one place."""
    shapes, more = [x.shape], 5 if x.ndim < 4 else 3
    for axis in range(x.ndim > 3, x.ndim):
        other = (*shapes[0][:axis], shapes[0][axis] + more, *shapes[0][axis + 1 :])
        shapes = [other, *shapes] if takes(like(x, other, 4)) else shapes
    return [like(x, shape, 4) for shape in shapes[:-1]]


def candidates() -> Iterator[np.ndarray]:
    yield from map(drawn, SHAPES)
    yield from map(indices, INDICES)


def variants(cls: Any, guards: bool = True, text: str = "") -> Iterator[dict[str, Any]]:
    """Options other than the defaults of a constructor, a function, or a list of arguments, one at a time, and then all together.

    guards: also those against dividing by 0 and the like, such as eps=1e-7; a loss that clips may leave their slope out. text: that reads a
    list of arguments.
    """
    parameters = cls if isinstance(cls, tuple) else parameters_of(cls)
    every, odd = {}, not isinstance(cls, tuple) and wants_odd(cls)
    text = text or ("" if isinstance(cls, tuple) else text_of(cls))
    for parameter in parameters:
        if not guards and isinstance(parameter.default, float) and 0 < abs(parameter.default) < 1e-4:
            continue
        others = list(other_values(parameter))
        if odd and type(parameter.default) is int and parameter.default % 2:
            others = [one for one in (parameter.default + 2, parameter.default - 2) if one > 0]
        others += list(of_each_side(parameter, text, 2 if odd else 1))
        others += [word for word in words_asked_for(parameter, text, inspect.isclass(cls)) if word not in others]
        if plain(parameter.name) == "axis" and not inspect.isclass(cls) and not isinstance(parameter.default, tuple):
            others = [axis for axis in (0, 1) if axis != parameter.default]
        for value in others:
            yield {parameter.name: value}
        if others:  # numbers that differ, since one may stand where another belongs
            every[parameter.name] = others[len(every) % len(others)]
            if isinstance(every[parameter.name], float):
                every[parameter.name] *= 0.9 ** len(every)
    if len(every) > 1:
        yield every


def words_asked_for(parameter: inspect.Parameter, text: str, of_object: bool) -> list[str]:
    """The words with which a text compares an option that is a word, or that of the other mode, where it is compared with its default
    alone; without what is not reduced, and without those of modes, if it is of an object, which is told by other means."""
    if not isinstance(parameter.default, str) or plain(parameter.name) in LEFT_ALONE:
        return []
    found = words_compared(parameter.name, text)
    modes = [word_of_mode(parameter.default, False)] if found == [parameter.default] else []
    left = {parameter.default, "none", *(MODE_WORDS if of_object else ())}
    return [word for word in dict.fromkeys([*found, *modes]) if word not in left]


def of_each_side(parameter: inspect.Parameter, text: str, more: int) -> Iterator[tuple[int, ...]]:
    """A number for each axis or side, all different, for an option that is one number or as many as a text makes of it or takes apart."""
    name, default = re.escape(parameter.name), parameter.default
    if type(default) is not int or not re.search(
        rf"\b(?:isinstance|isscalar|type|ndim|len)\((?:self\.)?{name}\b", text
    ):
        return
    repeated = re.search(rf"\(\s*((?:self\.)?{name}\s*(?:,\s*(?:self\.)?{name}\s*)*),?\s*\)(?:\s*\*\s*(\d))?", text)
    apart = re.search(rf"^[ \t]*([\w.]+(?:\s*,\s*[\w.]+)+)\s*=\s*(?:self\.)?{name}\s*$", text, re.M)
    count = max(apart[1].count(",") + 1 if apart else 0, repeated[1].count(",") + 1 if repeated else 0)
    if repeated and repeated[2]:
        count = max(count, int(repeated[2]))
    if count > 1:
        yield tuple(default + more * place for place in range(count))


BORDERS = re.compile(
    r"pad|border|left|right|top|bottom|before|after|crop|trim|offset"
)  # widths of borders, which may be 0
STRENGTHS = {"c", "l1", "l2", "weightdecay"}  # of a penalty, beside FRACTIONS


def other_values(parameter: inspect.Parameter) -> Iterator[Any]:
    """Values that an option may have besides its default."""
    default, name = parameter.default, plain(parameter.name)
    if default is None and ("stride" in name or name in ("step", "hop")):
        yield 1
    elif default is None and re.fullmatch("(class|pos|sample)?weights?", name):
        yield np.array([0.5, 1.3, 0.8])
    elif default is None and (name in FRACTIONS or name in STRENGTHS):
        yield 0.37
    if default is parameter.empty or name in LEFT_ALONE or default is None:
        return
    if re.fullmatch("ignore(d|index|label|class|id)*|pad(ding)?(index|idx|id|label|value)", name) and isinstance(
        default, int
    ):
        yield from (1, 2)  # which are among the labels that are drawn
        return
    if isinstance(default, bool):
        yield not default
    elif isinstance(default, int):
        if name in FRACTIONS:  # alpha=1
            yield from (0.6, 1.7) if name not in BELOW_ONE else (0.6,)
        else:
            yield from {0: (1, 2), 1: (2, 3), 2: (1, 3)}.get(default, (default - 1, default + 1))
            if default and BORDERS.search(name):
                yield 0
    elif isinstance(default, float):
        if name in BELOW_ONE and 0 <= default <= 1:
            yield 0.3 if abs(default - 0.3) > 0.05 else 0.6
        else:
            yield 0.37 if abs(default - 0.37) > 0.1 else 0.8
            if default == 1.0:
                yield 1.7
    elif isinstance(default, tuple) and default and all(isinstance(item, int) for item in default):
        yield tuple(item + 1 for item in default)
        if len(set(default)) < len(default):  # equal sizes, which may be exchanged
            yield tuple(item + 1 + place for place, item in enumerate(default))
        if BORDERS.search(name) and 0 not in default:
            yield from (
                tuple(0 if place % 2 == k else item + 1 + place for place, item in enumerate(default)) for k in (0, 1)
            )
    elif isinstance(default, str):
        yield from WORDS.get(default, "").split()
