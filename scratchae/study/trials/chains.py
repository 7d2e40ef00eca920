"""Shapes for the weights and biases of a net: those of one layer end in the size with which those of the next begin."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

BIAS = re.compile(r"b(?:eta)?_?\w{0,3}|b_\w+|.*bias\w*|sesgo\w*|.*_b")
WEIGHT = re.compile(r"[WwUV]_?\w{0,3}|[wW]_\w+|.*weights?\w*|.*kernel\w*|theta\d?|pesos\w*")
CODED = re.compile(r"[WwUV]_?([xhyio])([xhyio])")  # W_xh leads from x to h
# the sizes from layer to layer: D features, K units, A outputs, G of 2 K, which is a mean and a variance; "" ends in a number
SIZES = {1: ("DA", "DD", "D "), 2: ("DKA", "DKD", "DK "), 3: ("DKMA", "DKMD", "DKM "), 4: ("DKMKA",)}
OF_X = {"rows": "fND fNTD fD fNA", "columns": "fDN fND fD1 fD fTD fTD1", "in time": "fTD iT fNTD fTD1 fDN fND"}
OF_Y = {
    "rows": "iN fNA fND fN bN oNA fNK n",
    "columns": "fAN fA1 fDN fA n iN bN fN iT",
    "in time": "iT n fTA iN fNA fTD",
}
OPTIONS = {
    "mode": "t",
    "seed": "n",
    "p": "p",
    "keep_prob": "p",
    "eps": "p",
    "momentum": "p",
    "reg": "p",
}  # keys that are none of arrays
LAYOUTS = ("rows", "columns")


def bare(name: str) -> str:
    """The key of an entry of a dict, or the name itself."""
    return name.partition("[")[2].rstrip("]") or name


def chained(names: Sequence[str]) -> Iterator[tuple[dict[str, str], str]]:
    """The kinds of weights and biases among arguments, in the ways that fit together, and whether examples are rows or columns."""
    names = [name for name in names if "[" not in name or bare(name) not in OPTIONS]
    letters = {bare(name) for name in names if "[" in name and len(bare(name)) == 1}
    vectors = (
        {one for one in letters if one.islower()} if any(map(str.isupper, letters)) else set()
    )  # beside matrices
    biases = [name for name in names if BIAS.fullmatch(bare(name)) or ("[" in name and bare(name) in vectors)]
    weights = [name for name in names if name not in biases and (WEIGHT.fullmatch(bare(name)) or "[" in name)]
    coded = [CODED.fullmatch(bare(name)) for name in weights]
    if weights and all(coded):
        for last, layout in ((last, layout) for last in "AD" for layout in LAYOUTS):
            size = {"x": "D", "i": "D", "h": "K", "y": last, "o": last}
            ends = [(size[one[1]], size[one[2]]) for one in coded]
            of_biases = [size.get(bare(name)[-1], "K") for name in biases]
            for found, _ in kinds(weights, ends, biases, of_biases, layout):
                yield found, "in time"
        return
    if len(weights) not in SIZES or len(biases) not in (0, len(weights)) or len(weights) + len(biases) < 2:
        return
    every = [*SIZES[len(weights)], *(["GKD"] if len(weights) == 2 else [])]
    for sizes, layout in ((sizes, layout) for sizes in every for layout in LAYOUTS):
        ends = list(itertools.pairwise(sizes)) if sizes != "GKD" else [("D", "G"), ("K", "D")]
        yield from kinds(weights, ends, biases, [end for _, end in ends][: len(biases)], layout)


def kinds(
    weights: list[str], ends: list[tuple[str, str]], biases: list[str], of_biases: list[str], layout: str
) -> Iterator[tuple[dict[str, str], str]]:
    shapes = [(a + b if layout == "rows" else b + a).strip() for a, b in ends]
    of_weights = {name: f"f{shape}" for name, shape in zip(weights, shapes, strict=True)}
    for form in ("{}", "1{}") if layout == "rows" else ("{}1", "{}"):
        found = {
            name: "f" if size == " " else f"f{form.format(size)}"
            for name, size in zip(biases, of_biases, strict=True)
        }
        yield of_weights | found, layout
        if not biases:
            return


def of_others(name: str, layout: str) -> list[str]:
    """What another argument may be beside weights, the likeliest first."""
    if layout == "in time" and re.search("^[hc]|prev|state", bare(name)):
        return ["fK1", "fNK", "fK"]
    if re.match("x|inp|data|a$|a_?prev|im", bare(name).lower()):
        return OF_X[layout].split()
    return OF_Y[layout].split() if re.match("y|t|label|out", bare(name).lower()) else []
