"""Finds arrays for arguments: shapes that fit together, told by the arguments' names and by trying.

A shape is written in letters: N or M examples, D features, K units, G of 2 K, A outputs, T steps, H × W pixels, C channels; U is K, or 3 K or
4 K for cells with gates. What fits is tried again with other sizes, which no accident outlives.
"""

from __future__ import annotations

import collections
import functools
import itertools
import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..styles.text.names import plain
from . import begun
from .cells import cells
from .chains import BIAS, OPTIONS, chained, of_others
from .directed import Directed, in_order

FIRST = {
    "N": 5,
    "D": 3,
    "K": 4,
    "G": 8,
    "A": 2,
    "M": 7,
    "T": 6,
    "C": 4,
    "H": 4,
    "W": 5,
    "R": 12,
    "Z": 16,
    "S": 7,
    "E": 6,
}
OTHER = {
    "N": 4,
    "D": 5,
    "K": 3,
    "G": 6,
    "A": 6,
    "M": 6,
    "T": 7,
    "C": 8,
    "H": 5,
    "W": 4,
    "R": 9,
    "Z": 12,
    "S": 8,
    "E": 4,
}
FREE = FIRST | {"N": 4, "T": 7, "H": 5, "W": 6}  # for objects of whose sizes only these can vary
EQUAL = dict.fromkeys(FIRST, 4) | {"G": 8, "R": 12, "Z": 16}
SIZES = FIRST, OTHER, FREE, EQUAL
ALIKE = 3  # the place of the last among SIZES, for which objects too are made of equal sizes
SECONDS = 0.7  # for trying shapes
TRIES = 4000

# what an argument of a name may be, the likeliest first: a kind, and the letters of its shape. Kinds: f floats, i class or row numbers,
# j those of two classes, o one-hot rows, c one-hot columns, b 0 and 1, s -1 and 1, p a single number, e one of a dict that is trained, n and m whole numbers, 2 and 3, t the word train, q rows that sum to 1, y symmetric
# shares of pairs, l whole numbers of steps, at least 1
LENGTHS = r"(?:seq|sequence|sentence|doc|x|input)?(?:lengths?|lens?)|n?valid"
NAMED: tuple[tuple[str, str], ...] = (
    (r"h|s|c|state|prev\w*|\w*prev|hidden|h0|c0|q|query|context", "fNK fND fK fD fTD fKN fK1"),
    (r"(?:w|u|v|weights?|kernel|filters?|theta|table|emb\w*|e|centers?|centres?|memory|mu|m|means)(?:[a-z]{1,3}|\d)?|a\d?|w\w{1,3}|.*weights?|.*matrix|.*vectors?|pesos",
     "fDU fUD fKU fUK fUU fU fD fUA fDD fUCHH fND fNU fNN fU1 f1U fCDD"),
    (r"b[a-z]?\d?|bias\w*|beta|gamma|scale|shift|gain|offset", "fU fD fA fC fN f1U f1D f1A fU1 f1C11 fC11"),
    (r"y|t|ts|labels?|targets?|ytrue|truth|tags?|actions?|acts?|classes|same|events?|done|mask\w*|seg\w*|.*ids?|.*idx|.*ind\w*|tokens?|i|k|j",
     "iN fNU fNA bN fND n oNU sN fN iND iNT bNT fN1 fU1 fDN iT bND"),
    (r"k|v|keys?|values?|queries|memory", "fTD fND fTK"),
    (r"lam\w*|reg\w*|l1|l2|margin|alpha|eta|lr|rate|eps\w*|slope|temperature|tau|p|rho|step\w*|clip\w*|weight|lo|hi|h|dt|scale|factor|floor", "p fNK fN fND fD"),
    (r"n|g|groups?|heads?|num\w*|r|f|stride|pad|size|steps|kernelsize|poolsize", "n m p fN"),
    (r"adv\w*|returns?|rewards?|r|logp\w*|risk|time|event|scores?|pos|neg|done|energy", "fN fND bN"),
    (r"adj\w*|a|graph", "fNN bNN"),
    (r"axis|dim", "n"),
    (LENGTHS, "lN"),
)  # fmt: skip
ANY = "fND fNU fDN fD fN fK fTD fNTD fNHWC fNCHW fDK p f iN fNN bN n fN1 fKD fHW fED fD1 fA1 fKN iNT iT fTD1"

BESIDE = re.compile("iNT?|bN|f[NDK]?|fA|f[ND][DKA]|fNK|oNA|fKD|[pn]")  # padded sequences
WORDS = {"p": 0.7, "t": "train", "n": 2, "m": 3}
SINGLE = {"p", "f", "n", "m"}  # kinds of single numbers
SPREAD = re.compile(r"(?<!log)(?<!log_)(?:var|variance|std)\]?$", re.I)  # which are above 0
DATA = {"x", "xs", "inputs", "input", "features", "data"}  # which may hold any numbers

# names of arrays that are trained, as a whole, which are never alike to data
WEIGHTS = re.compile(
    r"[WUV]\w{0,3}|w\w?\d?|b[a-z]?\d?|b_\w+|w_\w+|(?:weight|bias|kernel|filter)(?:s|es)?|table|theta|gamma|beta",
    re.ASCII,
)


INDEX = "iN n iNT iT m bN"


def likely(name: str, index: bool = False) -> list[str]:
    """What an argument may be, the likeliest first. index: it chooses rows."""
    found: dict[str, None] = dict.fromkeys(INDEX.split() if index else ())
    _, _, key = name.partition("[")
    if key:  # an entry of a dict, which is rather a parameter
        name = key[:-1]
        if name in OPTIONS:
            return [OPTIONS[name]]
        found |= dict.fromkeys((NAMED[2] if BIAS.fullmatch(name) else NAMED[1])[1].split())
    for pattern, kinds in NAMED:
        if re.fullmatch(pattern, plain(name)):
            found |= dict.fromkeys(kinds.split())
    others = [kind for kind in ANY.split() if kind not in "pnm" or not re.fullmatch(NAMED[0][0], plain(name))]
    return list(found | dict.fromkeys(others))


def made(kind: str, sizes: Mapping[str, int], seed: int, positive: bool) -> Any:
    """An argument of this kind."""
    if kind in WORDS:
        return WORDS[kind]
    if kind[0] == "l":
        shape = tuple(1 if letter == "1" else sizes[letter] for letter in kind[1:])
        return np.random.default_rng(seed).integers(1, sizes["T"] + 1, shape)
    return drawn(kind[0], tuple(1 if letter == "1" else sizes[letter] for letter in kind[1:]), seed, positive).copy()


@functools.lru_cache(20_000)  # shapes are tried by the thousand
def drawn(kind: str, shape: tuple[int, ...], seed: int, positive: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind in "ij":
        return rng.integers(0, 3 if kind == "i" else 2, shape)
    if kind == "o":
        return np.eye(shape[1])[rng.integers(0, shape[1], shape[0])]
    if kind == "c":
        return np.eye(shape[0])[:, rng.integers(0, shape[0], shape[1])]
    if kind == "b":
        found = rng.integers(0, 2, shape).astype(float)
        found.flat[:2] = 1, 0
        return found
    if kind in "qy":
        found = rng.uniform(0.15, 0.9, shape)
        if kind == "q":
            return found / found.sum(axis=1, keepdims=True)
        found = (found + found.T) * (1 - np.eye(len(found)))
        return found / found.sum()
    if kind == "s":
        return np.where(rng.integers(0, 2, shape) > 0, 1.0, -1.0)
    if positive:
        return np.asarray(rng.uniform(0.15, 0.9, shape))
    x = rng.standard_normal(shape)
    return np.asarray(x + 0.05 * np.sign(x))


def choices(
    names: Sequence[str],
    given: Mapping[str, Any],
    indices: Collection[str] = (),
    entries: Mapping[str, str] | None = None,
) -> Iterator[dict[str, str]]:
    """A kind for each argument: first those where all are alike, then those whose names tell most. entries: the kinds that are known."""
    free = [name for name in names if name not in given]
    told = {name: "given" for name in names if name in given}
    weights = any(WEIGHTS.fullmatch(name.partition("[")[2].rstrip("]") or name) for name in free)
    if entries and entries.keys() <= set(free):
        yield from (told | one for one in begun.beside(entries, free, lambda name: likely(name, name in indices)))
    yield from (told | one for one in itertools.chain(cells(free), sequences(free), padded(free, indices)))
    if len(free) > 1 and not weights:
        for kind in ("fND", "fN", "fTD", "fD", "fNK"):
            yield told | dict.fromkeys(free, kind)
    options = [likely(name, name in indices) for name in free]
    for kinds, layout in chained(free) if weights else ():
        others = [name for name in free if name not in kinds]
        ranked = [list(dict.fromkeys([*of_others(name, layout), *likely(name, name in indices)])) for name in others]
        for places in itertools.islice(in_order([len(one) for one in ranked]), 60):
            yield (
                told
                | kinds
                | {name: one[i].replace("U", "K") for name, one, i in zip(others, ranked, places, strict=True)}
            )
    passes = [("K", 0, 800), ("Z", 0, 400), ("R", 0, 400), ("K", 800, TRIES)]
    if any(re.fullmatch(r"(?:prev|next)?c(?:prev|0|ell)?", plain(name)) for name in free):
        passes.insert(0, passes.pop(1))  # the cell of an LSTM, which has four gates
    for units, begin, end in passes if weights else (("K", 0, TRIES),):
        for places in itertools.islice(in_order([len(kinds) for kinds in options]), begin, end):
            yield told | {
                name: kinds[i].replace("U", units) for name, kinds, i in zip(free, options, places, strict=True)
            }


def sequences(names: Sequence[str]) -> Iterator[dict[str, str]]:
    """The kinds of scores, classes and a mask of the steps of sequences, or of examples."""
    data = [name for name in names if re.fullmatch(r"x|scores?|logits|pred\w*|y_?hat|y_?pred|out\w*|probs", name)]
    masks = [name for name in names if re.fullmatch(r"\w*mask\w*", name)]
    others = [name for name in names if name not in (*data, *masks)]
    if len(data) == len(masks) == len(others) == 1:
        for of_data, target in (("NTD", "iNT"), ("ND", "iN"), ("NTD", "fNTD"), ("ND", "fND")):
            of_mask = of_data if target[0] == "f" else target[1:]
            yield {data[0]: f"f{of_data}", others[0]: target, masks[0]: f"b{of_mask}"}


def padded(names: Sequence[str], indices: Collection[str]) -> Iterator[dict[str, str]]:
    """The kinds of sequences of which only some steps are real, examples first or steps first, their lengths, and what else there is."""
    lengths = [name for name in names if re.fullmatch(LENGTHS, plain(name))]
    data = [name for name in names if re.fullmatch(r"x|xs|\w*(?:seq|inp|emb|tok|hid|out|state|data)\w*", plain(name))]
    data = [name for name in data if name not in lengths]
    if len(lengths) != 1 or not data:
        return
    others = [name for name in names if name not in (lengths[0], data[0])]
    options = [[kind for kind in likely(name, name in indices) if BESIDE.fullmatch(kind)] for name in others]
    for places in itertools.islice(in_order([len(one) for one in options]), 400):
        rest = {name: one[i] for name, one, i in zip(others, options, places, strict=True)}
        yield from ({data[0]: kind, lengths[0]: "lN"} | rest for kind in ("fNTD", "fTND"))


def constants(fitting: Fitting, trained: Collection[str]) -> Iterator[Fitting]:
    """The same shapes with other numbers where no gradient is asked for: what holds only for one-hot rows, shares, signs, symmetry."""
    for name, kind in fitting.chosen.items():
        if kind[0] == "i" and name not in fitting.given:
            yield replace(fitting, chosen={**fitting.chosen, name: "b" + kind[1:]})
        if kind[0] != "f" or name in trained or len(kind) not in (2, 3) or plain(name) in DATA:
            continue
        if re.fullmatch(LENGTHS, plain(name)):
            continue  # of which -1 and 1 would show little
        if kind[1:2] == kind[2:3] and WEIGHTS.fullmatch(name):
            continue  # which are never symmetric
        for other in ("y",) if kind[1:2] == kind[2:3] else ("o", "q", "c", "b") if len(kind) == 3 else ("b", "s"):
            if not (other in "oq" and "1" in kind) and not (other == "c" and kind[1] == "1"):
                yield replace(fitting, chosen={**fitting.chosen, name: other + kind[1:]})


def of_other_counts(fitting: Fitting) -> Iterator[Fitting]:
    """The same with one argument of as many examples as no other has, which real and fake logits may be."""
    if any(kind[0] in "ibos" and len(kind) > 1 for kind in fitting.chosen.values()):
        return  # a class for each example
    for name, kind in fitting.chosen.items():
        if kind[:2] in ("fN", "fT") and not fitting.given:
            other = kind.replace("N", "M") if kind[1] == "N" else kind.replace("T", "R")
            yield replace(fitting, chosen={**fitting.chosen, name: other})


def of_other_axes(fitting: Fitting) -> Iterator[Fitting]:
    """The only argument with one axis more, and with two."""
    if list(fitting.chosen.values()) == ["fND"] and not fitting.given:
        yield from (replace(fitting, chosen=dict.fromkeys(fitting.chosen, kind)) for kind in ("fNTD", "fNHWD"))


def of_two_axes(fitting: Fitting, name: str) -> Iterator[Fitting]:
    """An argument that is a vector as a matrix, of as many rows, or of as many columns. A vector hides a sum over rows: of one, or of none."""
    kind = fitting.chosen[name]
    if len(kind) == 2 and kind[0] == "f" and name not in fitting.given:
        other = "M" if kind[1] != "M" else "K"
        yield from (
            replace(fitting, chosen={**fitting.chosen, name: two}) for two in (f"f{other}{kind[1]}", kind + other)
        )


@dataclass
class Fitting:
    """Arguments that fit together: call(which sizes, seed). second: the sizes besides the first that fit too. held: the sizes of what
    an object or file holds itself, by letters of their own."""

    chosen: Mapping[str, str]
    given: Mapping[str, Any]
    positive: bool
    second: int = 0
    held: Mapping[str, int] = field(default_factory=dict)

    def __call__(self, sizes: int, seed: int) -> dict[str, Any]:
        found: dict[str, Any] = {"sizes": sizes if sizes == ALIKE else sizes % 2}
        for place, (name, kind) in enumerate(self.chosen.items()):
            value = (
                self.given[name]
                if name in self.given
                else made(
                    kind, SIZES[sizes] | self.held, 100 * seed + place, self.positive or bool(SPREAD.search(name))
                )
            )
            one, _, key = name.partition("[")
            if key:
                found.setdefault(one, {})[key[:-1]] = value[()] if kind == "f" else value
            else:
                found[one] = value
        return found


def fitted(
    names: Sequence[str],
    given: Mapping[str, Any],
    takes: Any,
    seconds: Sequence[int],
    indices: Collection[str] = (),
    entries: Mapping[str, str] | None = None,
    most: int = 8,
) -> Iterator[Fitting]:
    """The first choices that `takes`, a `Fits`, accepts at the first sizes and at others; None from it says that a value was not finite."""
    spent, count, seen = 0.0, 0, collections.Counter()
    free = [name for name in names if name not in given]
    search = Directed({name: [kind.replace("U", "K") for kind in likely(name, name in indices)] for name in free})

    def sought() -> Iterator[dict[str, str]]:
        """All others, where none of the likely choices fits: what is rather not meant may be right by accident."""
        if count == 0:
            yield from ({**dict.fromkeys(given, "given"), **found} for found in search)

    for chosen in itertools.chain(choices(names, given, indices, entries), sought()):
        if search.conflict(chosen):
            continue
        start = time.process_time()
        fitting = Fitting(chosen, given, False)
        accepted = takes.on(fitting, 0, 0)
        if accepted is False:
            search.refuse(takes.blamed, chosen)
        if accepted is None:  # such as a logarithm of random numbers
            fitting.positive = True
            accepted = takes.on(fitting, 0, 0)
        if accepted:
            fitting.second = next((sizes for sizes in seconds if takes.on(fitting, sizes, 1)), 0)
        spent += time.process_time() - start
        axes = tuple(len(kind) for kind in chosen.values())
        if accepted and (fitting.second or given) and seen[axes] < 2:
            seen[axes] += 1
            count += 1
            yield fitting
        if count == most or spent > SECONDS:
            return
