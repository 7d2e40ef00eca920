"""What is varied of a value of several arrays besides their sizes: options, whole numbers, numbers of examples, axes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..styles.readings.several import Several
from ..styles.text.written import text_of, transposed_in
from .fits import Fits
from .fitting import WORDS, Fitting, of_other_axes, of_other_counts, of_two_axes
from .functions import source_of
from .inputs import variants

MOVES = re.compile(r"stride|hop|step|dilat|shift", re.I)
OTHER = {"n": "m", "m": "n"}  # kinds of whole numbers


def varied(thing: Several, make: Fitting, trained: Collection[str]) -> Iterator[tuple[str, dict[str, Any], Fitting]]:
    """Where something is varied, in words; the arguments besides; and the others. trained: what has a gradient."""
    for other in of_other_counts(make):
        yield "for arguments with different numbers of examples", {}, other
    settings = list(variants(thing.settings, guards=False, text="\n".join(map(text_of, thing.parts))))
    for name in sorted(transposed_in(thing.parts, make.chosen) - {*trained}):
        for words, other in itertools.product(({}, *settings), of_two_axes(make, name)):
            yield f"{f'with {said(words)}, ' if words else ''}where {name} has two axes", words, other
    for other in of_other_axes(make):
        for words in ({}, *settings):
            yield "for arguments with more axes", words, other
    for name, kind in make.chosen.items():
        if kind in OTHER and "[" in name:  # a whole number in a dict of options
            yield f"with {name}={WORDS[OTHER[kind]]}", {}, replace(make, chosen={**make.chosen, name: OTHER[kind]})
    for options in [] if thing.cls is None else variants(thing.cls, guards=False):
        yield f"with {said(options)}", {"options": options}, make
        for other in longer(thing, make, {"options": options}, options):
            yield f"with {said(options)}", {"options": options}, other
    for options in masks(thing, make(0, 4)):
        yield f"with {said(options)}", options, make
    for options in [*settings, *of_numbers(make, settings, source_of(thing.cls or thing.source))]:
        yield f"with {said(options)}", options, make
        for other in longer(thing, make, options, options):
            yield f"with {said(options)}", options, other


def longer(thing: Several, make: Fitting, words: dict[str, Any], options: dict[str, Any]) -> Iterator[Fitting]:
    """One array with more along an axis, for options that tell how far a window is moved, which has one place only where there is no room."""
    if not any(MOVES.search(name) and isinstance(value, int) and value > 1 for name, value in options.items()):
        return
    places = [(name, i) for name, kind in make.chosen.items() for i in range(1, len(kind)) if kind[0] == "f"]
    for name, i in places if not make.given else ():
        kind = make.chosen[name]
        other = replace(make, chosen={**make.chosen, name: f"{kind[:i]}R{kind[i + 1 :]}"})
        if Fits(thing, True, False)(other(0, 4) | words):
            yield other


def masks(thing: Several, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Masks for an option that is None by default, of the shapes that the arguments suggest; each row is masked in part."""
    names = [p.name for p in thing.settings if p.default is None and "mask" in p.name.lower()]
    arrays = [one for one in arguments.values() if isinstance(one, np.ndarray) and one.ndim > 1]
    if not names or not arrays:
        return
    pairs = [a.shape[:-1] + b.shape[-2:-1] for a, b in zip(arrays, arrays[1:2] or arrays, strict=False)]
    for shape in dict.fromkeys([*pairs, arrays[0].shape, arrays[0].shape[:-1]]):
        mask = (
            np.arange(int(np.prod(shape))).reshape(shape) % 3
            == np.arange(shape[0]).reshape(-1, *(1,) * (len(shape) - 1)) % 2
        )
        yield from ({name: kind} for name in names for kind in (mask, mask.astype(float)))


def of_numbers(make: Fitting, settings: list[dict], source: str) -> Iterator[dict[str, Any]]:
    """Whole numbers among the arguments, such as sizes and strides, with other values, and in every mode; and -1 among numbers of
    classes and rows, where the text says that some are left out."""
    left_out, made = bool(re.search(r"-1\b|>= 0|< 0|ignore|pad", source)), make(0, 4)
    modes = [option for option in settings if all(isinstance(value, str) for value in option.values())]
    for name, kind in make.chosen.items():
        found = []
        if kind in ("n", "m") and "[" not in name:
            found = [{name: other} for other in (1, 3, 2)]
        elif kind[:1] == "i" and "[" not in name and left_out:
            places = np.arange(made[name].size).reshape(made[name].shape)
            found = [{name: np.where(places % 4 == 1, -1, made[name])}]
        yield from (one | mode for one in found for mode in ({}, *modes))


def said(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={brief(value)}" for name, value in options.items())


def brief(option: Any) -> str:
    return f"an array of shape {option.shape}" if isinstance(option, np.ndarray) else repr(option)
