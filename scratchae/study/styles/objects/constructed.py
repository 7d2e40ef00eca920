"""Objects of a class, made with small sizes."""

from __future__ import annotations

import copy
import inspect
import itertools
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..text.calls import parameters_of, required
from ..text.names import plain
from ..text.written import text_of
from .built import built

IS_SIZE = re.compile(
    r"^n|dim|size|num|count|units|^in|^out|hidden|^d\d*$|^[kh]$|width|seed|rng|^lr|vocab|len|depth|heads|rank"
)


def is_size(name: str) -> bool:
    """Whether an argument of a constructor is rather a size or a setting than an array."""
    return bool(IS_SIZE.search(plain(name)))


SIZES = (3, 4, 5, 2)  # the arguments for a constructor, one after the other
OTHER_SIZES = (2, 3, 4, 5)
DIVISIBLE = ((6, 2, 4, 2), (2, 6, 4, 2), (6, 3, 3, 3), (8, 2, 4, 2), (2, 8, 4, 2))
# which divide other sizes
PARTS = (
    "heads", "numheads", "nheads", "nhead", "numhead", "groups", "numgroups", "ngroups",
)  # fmt: skip
WINDOWS = {*PARTS, "kernel", "kernelsize", "ksize", "k", "size", "window", "factor", "fh", "fw"}
FRACTIONS = {"rate", "slope", "std", "momentum", "weight", "alpha", "p", "keep", "keepprob", "drop", "dropout", "droprate", "dropoutrate", "dropoutratio", "ratio", "prob", "beta", "decay", "sigma", "negativeslope", "rho", "scale", "temperature", "eps", "epsilon", "lam", "lambd", "reg", "gamma"}  # fmt: skip
LISTS = {"sizes", "layers", "layersizes", "layerdims", "architecture", "shape"}  # of all layers
ONE_OR_SEVERAL = {"units", "dims"}
SHAPED = {"inputshape", "inshape", "imageshape", "inshp", "imgshape"}
SHAPES = (2, 6, 5), (5, 8)  # of an input, whose first size no other argument has
ACTIVATIONS = {
    "activation", "activationfunction", "activationfn", "activationfunc", "actfn", "act", "func", "fn", "nonlinearity",
}  # fmt: skip


def tanh(x: np.ndarray) -> np.ndarray:
    """For a layer that is handed its function."""
    return np.tanh(x)


def tanh_prime(x: np.ndarray) -> np.ndarray:
    return 1 - np.tanh(x) ** 2


@dataclass(frozen=True)
class Made:
    """An object, and how it was made: the arguments, and which of them differ from the first choice."""

    value: Any
    call: str
    option: str = ""
    alike: bool = False  # whether all its sizes are equal


def argument(
    parameter: inspect.Parameter,
    sizes: Iterator[int],
    lists: bool = False,
    window: int = 2,
    shape: Sequence[int] = SHAPES[0],
) -> Any:
    """What to hand to a constructor for a parameter of this name. lists: a list for what may be one size or several; window: the size
    of one; shape: that of an input."""
    name = plain(parameter.name)
    if parameter.annotation in (float, "float") or name in FRACTIONS:
        return 0.4
    if name in ACTIVATIONS:
        return tanh
    if any(word in name for word in ("prime", "deriv", "dactivation", "activationgrad")):
        return tanh_prime
    if name in SHAPED:
        return shape
    if name in ("rng", "generator"):
        return np.random.default_rng(0)
    if name in ("seed", "randomstate"):
        return 0
    if name in LISTS or (lists and name in ONE_OR_SEVERAL):
        return [3, 4, 2]
    if "stride" in name:
        return 2
    if name in ("pad", "padding", "p"):
        return 1
    if "pool" in name or name in WINDOWS:
        return min(next(sizes), 3) if name in ("size", "kernel", "kernelsize") and window == 2 else window
    return next(sizes)


def settings_in(module: Any, name: str) -> Any:
    """What a file has under the name of an argument, if it holds settings, such as config = {"batch_size": 16}."""
    found = getattr(module, name, None)
    entries = vars(found) if isinstance(found, SimpleNamespace) else found
    told = isinstance(entries, dict) and all(isinstance(one, int | float | str | None) for one in entries.values())
    return copy.copy(found) if told and entries else None


def key_in(cls: type, name: str) -> Any:
    """The first key of a table of the file in which an argument is looked up, such as ACTIVATIONS[name]."""
    file = vars(sys.modules.get(cls.__module__, object))
    looked_up = (file.get(table) for table in re.findall(rf"(\w+)(?:\[|\.get\(){name}\b", text_of(cls)))
    return next((key for one in looked_up if isinstance(one, dict) for key in one if isinstance(key, str)), None)


def wants_odd(cls: Any) -> bool:
    """Whether a class or function speaks of odd numbers, or looks whether a number is odd."""
    return bool(re.search(r"\bodd\b|%\s*2\b", text_of(cls)))


def constructed(cls: type, sizes: tuple[int, ...] = SIZES, **options: Any) -> Made:
    """An object of a class. Raises what its constructor raises."""
    counts = [options.get(p.name, p.default) for p in parameters_of(cls) if plain(p.name) in PARTS]
    parts = math.lcm(*(n for n in counts if isinstance(n, int) and n > 1))
    if parts > 1:  # of an option, such as groups=2
        sizes = tuple(n if (n := math.lcm(size, parts)) <= 2 * parts + 2 else 2 * parts for size in sizes)
    if any(plain(p.name) in PARTS for p in required(cls)):  # which divide the others
        sizes = tuple(2 * size for size in sizes)
    elif len(required(cls)) > 1 and len(set(sizes)) > 1:
        return first_made(cls, (sizes, *DIVISIBLE[:: 1 if sizes == SIZES else -1]), options)
    return first_made(cls, (sizes,), options)


def first_made(cls: type, ways: Sequence[tuple[int, ...]], options: Mapping[str, Any]) -> Made:
    """An object of the first sizes that the constructor takes; those after the first are for one that says that they do not divide, or that
    takes the shape of an input apart."""
    raised, shaped = None, any(plain(p.name) in SHAPED for p in required(cls))
    for shape, sizes in itertools.product(SHAPES if shaped else SHAPES[:1], ways):
        try:
            return made_with(cls, sizes, options, shape=shape)
        except (AssertionError, ValueError) as error:
            raised = raised or error
    raise raised


def made_with(
    cls: type,
    sizes: tuple[int, ...],
    options: Mapping[str, Any],
    lists: bool = False,
    shape: Sequence[int] = SHAPES[0],
) -> Made:
    numbers = itertools.chain(sizes, itertools.repeat(2))
    words, places = {}, []
    with_slope = any(re.search("prime|deriv", plain(p.name)) for p in required(cls))
    for parameter in required(cls):
        value = settings_in(sys.modules.get(cls.__module__), parameter.name)
        value = key_in(cls, parameter.name) if value is None else value
        value = argument(parameter, numbers, lists, 3 if wants_odd(cls) else 2, shape) if value is None else value
        if with_slope and plain(parameter.name) in ("f", "g", "phi", "sigma"):
            value = tanh
        if len(set(sizes)) == 1 and value in (2, [3, 4, 2]):  # sizes that are all equal
            value = sizes[0] if value == 2 else [sizes[0]] * 3
        if parameter.kind is parameter.KEYWORD_ONLY:
            words[parameter.name] = value
        else:
            places.append(value)
    call = ", ".join([*(repr(value) for value in places), *(f"{k}={v!r}" for k, v in (words | options).items())])
    state = np.random.get_state()
    np.random.seed(0)  # so that the weights of a class that draws them itself are the same at each check
    try:
        said = ", ".join(f"{k}={v!r}" for k, v in options.items())
        thing = built(cls(*places, **words, **options), [next(numbers), *sizes])
        return Made(thing, f"{cls.__name__}({call})", said)
    except (TypeError, IndexError):
        if lists or not any(plain(p.name) in ONE_OR_SEVERAL for p in required(cls)):
            raise
        return made_with(cls, sizes, options, True, shape)
    finally:
        np.random.set_state(state)
