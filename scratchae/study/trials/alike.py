"""Arguments whose shapes no name tells: first all sizes are equal, so that only numbers of axes are to be found; then sizes are told apart.

Where all sizes are equal, products with a transpose too many run as well, and are wrong in their numbers.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .directed import in_order
from .fitting import ALIKE, Fitting, likely

SECONDS = 0.8  # for trying
# sizes that differ from each other and from N, beside the first sizes and beside equal ones
LETTERS = {0: {"D": 3, "K": 4, "A": 2, "M": 7, "T": 6}, ALIKE: {"M": 7, "T": 6, "W": 5}}
Takes = Callable[[dict], bool | None]


class Equal(Fitting):
    """Arguments of which all sizes are equal, whichever are asked for."""

    def __call__(self, sizes: int, seed: int) -> dict[str, Any]:
        return super().__call__(ALIKE, seed)


def axes(kind: str) -> str:
    """A kind of which all sizes are those of N: fDK is fNN."""
    return kind[0] + "".join(letter if letter == "1" else "N" for letter in kind[1:])


def choices(names: Sequence[str], indices: Collection[str]) -> Iterator[dict[str, str]]:
    """A kind for each argument, the likeliest first, of equal sizes."""
    options = [list(dict.fromkeys(map(axes, likely(name, name in indices)))) for name in names]
    for places in in_order([len(kinds) for kinds in options]):
        yield {name: kinds[i] for name, kinds, i in zip(names, options, places, strict=True)}


def equal(names: Sequence[str], indices: Collection[str], takes: Takes, most: int = 6) -> Iterator[Equal]:
    """The first choices of equal sizes that are taken."""
    end, count = time.process_time() + SECONDS, 0
    for chosen in choices(names, indices):
        for positive in (False, True):
            fitting = Equal(chosen, {}, positive)
            accepted = takes(fitting(0, 0))
            if accepted:
                count += 1
                yield fitting
            if accepted is not None:  # else a value was not finite, such as a logarithm of random numbers
                break
        if count == most or time.process_time() > end:
            return


def told_apart(chosen: Mapping[str, str], takes: Takes, sizes: int) -> dict[str, str]:
    """The same with sizes that differ wherever they may: those that have to agree are found by changing some, and running it.

    sizes: the others stay as they are there; those of what an object holds do not change.
    """
    places = [(name, i) for name, kind in chosen.items() for i, letter in enumerate(kind) if i and letter == "N"]
    for letter in LETTERS[sizes]:
        for first in list(places):
            others = [place for place in places if place != first]
            groups = (
                (first, *more) for size in range(min(5, len(places))) for more in itertools.combinations(others, size)
            )
            ways = ((group, with_letter(chosen, group, letter)) for group in groups)
            found = next(
                (way for way in ways if takes(Fitting(way[1], {}, False, 0, LETTERS[sizes])(sizes, 0))), None
            )
            if found is not None:
                chosen, places = found[1], [place for place in places if place not in found[0]]
                break
    return dict(chosen)


def with_letter(chosen: Mapping[str, str], places: Iterable[tuple[str, int]], letter: str) -> dict[str, str]:
    found = dict(chosen)
    for name, i in places:
        found[name] = found[name][:i] + letter + found[name][i + 1 :]
    return found


def beside_held(choices: Iterable[dict[str, str]], held: Mapping[str, np.ndarray], takes: Takes) -> Iterator[Fitting]:
    """Choices in which the sizes of N may be those of what an object or file holds."""
    end, sizes = time.process_time() + SECONDS, sorted({n for array in held.values() for n in array.shape if n > 1})
    pool = {chr(ord("a") + i): size for i, size in enumerate(sizes[:5])}
    for alike in choices:
        free = [(name, i) for name, kind in alike.items() for i, letter in enumerate(kind) if i and letter == "N"]
        for letters in itertools.product(["N", *pool], repeat=len(free)) if len(free) < 6 else ():
            if time.process_time() > end:
                return
            chosen = dict(alike)
            for place, letter in zip(free, letters, strict=True):
                chosen = with_letter(chosen, [place], letter)
            fitting = Fitting(chosen, {}, False, 0, pool)
            if takes(fitting(0, 0)):
                yield replace(fitting, second=2 if takes(fitting(2, 1)) else 0)
