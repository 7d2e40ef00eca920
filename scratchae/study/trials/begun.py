"""The shapes of the entries of a dict, told by a function of the file that begins it: init(n_x, n_h) -> {"Wr": …, "br": …}."""

from __future__ import annotations

import functools
import inspect
import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..styles.objects.constructed import FRACTIONS, is_size
from ..styles.objects.copies import repeatable
from ..styles.readings.several import Several
from ..styles.text.calls import parameters_of, required
from ..styles.text.fields import fields_held, fields_in
from ..styles.text.names import RATES, plain
from .cells import INPUT, STATE
from .chains import LAYOUTS, OPTIONS, bare, of_others
from .directed import in_order

BEGINS = re.compile(r"init|create|make|build|new_|param|weights|random|begin|zeros", re.I)
SIZES = 3, 4, 2  # that it is handed
# of these, and of D + K, 2 K, 3 K, 4 K
LETTERS = {3: "D", 4: "K", 2: "A", 7: "S", 8: "G", 12: "R", 16: "Z"}
MOST = 300


def of_entries(functions: Sequence[Callable], names: Collection[str]) -> dict[str, str]:
    """The kinds of those of the names that are entries of a dict, params[W1], or of dicts in a list, layers[0][W]; empty if nothing of the
    file begins it."""
    keys: dict[str, list[str]] = {}
    for name in names:
        one, _, key = name.partition("[")
        if key and key[:-1] not in OPTIONS:
            keys.setdefault(one, []).append(key[:-1])
    file = getattr(functions[0], "__globals__", {}) if functions and keys else {}
    found: dict[str, str] = {}
    makers = [one for name, one in functions_in(file) if BEGINS.search(name)]
    listed = [{f"{i}][{key}": kind for i in (0, 1) for key, kind in begun(one, i).items()} for one in makers]
    for made in [*map(begun, makers), *listed]:
        for one, wanted in keys.items():
            if {*wanted} <= made.keys():
                found = {f"{one}[{key}]": made[key] for key in wanted} | found
    return found


def narrower(thing: Several, entries: Mapping[str, str], chosen: Mapping[str, str]) -> bool:
    """Whether entries have a size of 1 that the file begins with more, of code whose gradients raised an error: for 1 that does not show."""
    return bool(thing.raised) and any(
        "1" in chosen.get(name, "") and "1" not in kind for name, kind in entries.items()
    )


def functions_in(file: Mapping[str, Any]) -> Iterator[tuple[str, Callable]]:
    """The functions of a file, and those of its classes that need no object."""
    for name, value in list(file.items()):
        if inspect.isfunction(value):
            yield name, value
        for key, one in list(vars(value).items()) if inspect.isclass(value) and fields_in(value) else ():
            if isinstance(one, staticmethod | classmethod):
                yield key, getattr(value, key)


@functools.cache
def begun(function: Callable, first: int = 0) -> dict[str, str]:
    """The kinds of the arrays and numbers in the dict that a function makes of one to three sizes, from this one on; empty if it makes none."""
    try:
        sizes = [p for p in parameters_of(function) if type(p.default) is int and p.default > 1 and is_size(p.name)]
        asked = [p for p in required(function) or sizes if p.name not in ("rng", "seed")]
        told = 0 < len(asked) <= len(SIZES) - first and all(
            is_size(p.name) or p.name in ("m", "fan_in", "fan_out") for p in asked
        )
        with repeatable():
            others = {p.name: np.random.default_rng(0) for p in required(function) if p.name == "rng"}
            given = dict(zip((p.name for p in asked), SIZES[first:], strict=False))
            made = function(**given, **others) if told else None
    except Exception:
        return {}
    made = fields_held(made) or made
    if not isinstance(made, dict) or not all(isinstance(one, np.ndarray | int | float) for one in made.values()):
        return {}
    kinds = {
        str(key): [LETTERS.get(size, "1" if size == 1 else "") for size in np.shape(one)] for key, one in made.items()
    }
    if not all(map(all, kinds.values())) or not any(kinds.values()):
        return {}
    numbers = {
        str(key): "n" if isinstance(one, int) else "p" if plain(key) in FRACTIONS | RATES else "e"
        for key, one in made.items()
        if not np.ndim(one)
    }
    return {key: "f" + "".join(kind) for key, kind in kinds.items()} | numbers


def beside(
    known: dict[str, str], names: Sequence[str], likely: Callable[[str], list[str]]
) -> Iterator[dict[str, str]]:
    """The kinds of all names, those of the others the likeliest first."""
    others = [name for name in names if name not in known]
    options = []
    for name in others:
        usual = (
            "fTND fNTD fND fTD" if INPUT.fullmatch(bare(name)) else "fNK fK" if STATE.fullmatch(bare(name)) else ""
        )
        laid = (kind for layout in (*LAYOUTS, "in time") for kind in of_others(name, layout))
        kinds = [*dict.fromkeys([*usual.split(), *laid, *likely(name)])][:12]
        # rather one of several examples than of the sizes of the entries
        whole = kinds[0][0] == "f" and len(kinds[0]) > 1
        options.append(sorted(kinds, key=lambda kind: "N" not in kind) if whole else kinds)
    for places in itertools.islice(in_order([len(kinds) for kinds in options]), MOST):
        yield known | {
            name: kinds[i].replace("U", "K") for name, kinds, i in zip(others, options, places, strict=True)
        }
