"""Inputs of many shapes, and objects of a class with many arguments for its constructor."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..styles.calls import parameters_of, required
from ..styles.names import plain

SIZES = (3, 4, 5, 2)  # the arguments for a constructor, one after the other
OTHER_SIZES = (2, 3, 4, 5)
# shapes of x, tried in this order: rows, images with channels last and first, sequences, columns, and sizes often written in
SHAPES = (
    (5, 3), (5, 4), (5, 6), (4, 5, 6, 3), (4, 5, 6, 1), (4, 6, 3), (5, 2), (3, 3, 6, 5), (3, 6, 4, 5), (4, 1, 6, 6), (4, 6, 2), (4, 6, 6, 2), (4, 2, 6, 6),
    (2, 5, 6), (2, 5, 8), (3, 3, 6), (2, 6, 5), (5, 12), (5, 8), (3, 1), (4, 1), (3, 5), (4, 7), (2, 8, 8, 3), (2, 3, 8, 8), (3,), (4,), (6,), (2, 4, 5, 6, 3), (5, 1), (5, 10),
    (5, 2, 4), (2, 3, 4), (2, 28, 28, 1), (2, 1, 28, 28), (2, 784), (2, 32, 32, 3), (2, 3, 32, 32),
)  # fmt: skip
INDICES = ((5,), (4, 6))  # shapes of x that chooses rows, for embeddings
DIVISIBLE = ((6, 2, 4, 2), (2, 6, 4, 2), (6, 3, 3, 3), (8, 2, 4, 2), (2, 8, 4, 2))
PARTS = (
    "heads",
    "numheads",
    "nheads",
    "nhead",
    "numhead",
    "groups",
    "numgroups",
    "ngroups",
)  # which divide other sizes
FRACTIONS = {"rate", "slope", "std", "momentum", "weight", "alpha", "p", "keep", "keepprob", "drop", "dropout", "droprate", "dropoutrate", "dropoutratio", "ratio", "prob", "beta", "decay", "sigma", "negativeslope", "rho", "scale", "temperature", "eps", "epsilon", "lam", "lambd", "reg", "gamma"}  # fmt: skip
BELOW_ONE = {
    "rate",
    "momentum",
    "p",
    "keep",
    "keepprob",
    "drop",
    "dropout",
    "droprate",
    "dropoutrate",
    "dropoutratio",
    "ratio",
    "prob",
    "decay",
    "rho",
    "beta",
}
ACTIVATIONS = {
    "activation",
    "activationfunction",
    "activationfn",
    "activationfunc",
    "actfn",
    "act",
    "func",
    "fn",
    "nonlinearity",
}
LEFT_ALONE = {
    "seed",
    "rng",
    "randomstate",
    "name",
    "dtype",
    "xp",
    "device",
    "lr",
    "learningrate",
    "verbose",
    "debug",
    "axis",
}


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


def drawn(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Random numbers of both signs, none within a step of 0, where many functions have a corner."""
    x = np.random.default_rng(seed).standard_normal(shape)
    return x + 0.05 * np.sign(x)


def indices(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Row numbers, of which some are repeated."""
    return np.random.default_rng(seed).integers(0, 3, shape)


def candidates() -> Iterator[np.ndarray]:
    yield from map(drawn, SHAPES)
    yield from map(indices, INDICES)


def argument(parameter: inspect.Parameter, sizes: Iterator[int]) -> Any:
    """What to hand to a constructor for a parameter of this name."""
    name = plain(parameter.name)
    if parameter.annotation in (float, "float") or name in FRACTIONS:
        return 0.4
    if name in ACTIVATIONS:
        return tanh
    if any(word in name for word in ("prime", "deriv", "dactivation", "activationgrad")):
        return tanh_prime
    if name in ("inputshape", "inshape", "imageshape"):
        return (2, 6, 5)  # whose first size no other argument has
    if name in ("rng", "generator"):
        return np.random.default_rng(0)
    if name in ("seed", "randomstate"):
        return 0
    if name in ("sizes", "layers", "dims", "layersizes", "layerdims", "units", "architecture", "shape"):
        return [3, 4, 2]
    if "stride" in name:
        return 2
    if name in ("pad", "padding", "p"):
        return 1
    if "pool" in name or name in (
        "kernel",
        "kernelsize",
        "ksize",
        "k",
        "size",
        "window",
        "factor",
        *PARTS,
        "fh",
        "fw",
        "poolh",
        "poolw",
    ):
        return min(next(sizes), 3) if name in ("size", "kernel", "kernelsize") else 2
    return next(sizes)


def constructed(cls: type, sizes: tuple[int, ...] = SIZES, **options: Any) -> Made:
    """An object of a class. Raises what its constructor raises."""
    if any(plain(p.name) in PARTS for p in required(cls)):  # which divide the others
        sizes = tuple(2 * size for size in sizes)
    elif len(required(cls)) > 1 and len(set(sizes)) > 1:
        return first_made(cls, (sizes, *DIVISIBLE[:: 1 if sizes == SIZES else -1]), options)
    return made_with(cls, sizes, options)


def first_made(cls: type, ways: Sequence[tuple[int, ...]], options: Mapping[str, Any]) -> Made:
    """An object of the first sizes that the constructor takes; those after the first are for one that says that they do not divide."""
    raised = None
    for sizes in ways:
        try:
            return made_with(cls, sizes, options)
        except (AssertionError, ValueError) as error:
            raised = raised or error
    raise raised


def made_with(cls: type, sizes: tuple[int, ...], options: Mapping[str, Any]) -> Made:
    numbers = itertools.chain(sizes, itertools.repeat(2))
    words, places = {}, []
    for parameter in required(cls):
        value = argument(parameter, numbers)
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
        return Made(
            cls(*places, **words, **options),
            f"{cls.__name__}({call})",
            ", ".join(f"{k}={v!r}" for k, v in options.items()),
        )
    finally:
        np.random.set_state(state)


def variants(cls: Any, guards: bool = True) -> Iterator[dict[str, Any]]:
    """Options other than the defaults of a constructor, a function, or a list of arguments, one at a time, and then all together.

    guards: also those against dividing by 0 and the like, such as eps=1e-7; a loss that clips may leave their slope out.
    """
    parameters = cls if isinstance(cls, tuple) else parameters_of(cls)
    every = {}
    for parameter in parameters:
        if not guards and isinstance(parameter.default, float) and 0 < abs(parameter.default) < 1e-4:
            continue
        others = list(other_values(parameter))
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


def other_values(parameter: inspect.Parameter) -> Iterator[Any]:
    """Values that an option may have besides its default."""
    default, name = parameter.default, plain(parameter.name)
    if default is None and "stride" in name:
        yield 1
    elif default is None and re.fullmatch("(class|pos|sample)?weights?", name):
        yield np.array([0.5, 1.3, 0.8])
    if default is parameter.empty or name in LEFT_ALONE or default is None:
        return
    if isinstance(default, bool):
        yield not default
    elif isinstance(default, int):
        if name in FRACTIONS:  # alpha=1
            yield from (0.6, 1.7) if name not in BELOW_ONE else (0.6,)
        else:
            yield from {0: (1, 2), 1: (2, 3), 2: (1, 3)}.get(default, (default - 1, default + 1))
    elif isinstance(default, float):
        if name in BELOW_ONE and 0 <= default <= 1:
            yield 0.3 if abs(default - 0.3) > 0.05 else 0.6
        else:
            yield 0.37 if abs(default - 0.37) > 0.1 else 0.8
            if default == 1.0:
                yield 1.7
    elif isinstance(default, tuple) and default and all(isinstance(item, int) for item in default):
        yield tuple(item + 1 for item in default)
    elif isinstance(default, str):
        yield from {
            "mean": ("sum",),
            "max": ("average", "avg", "mean"),
            "average": ("max",),
            "avg": ("max",),
            "sum": ("mean",),
            "valid": ("same",),
            "same": ("valid",),
            "sigmoid": ("tanh", "relu"),
            "relu": ("tanh",),
            "tanh": ("sigmoid",),
        }.get(default, ())
