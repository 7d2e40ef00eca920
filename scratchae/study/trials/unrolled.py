"""A cost of parameters that are unrolled into one vector, cost(theta, visible_size, hidden_size, lambda_, data) or cost(theta, layers, X, y):
the sizes are arguments, or a list; the length of the vector is the only one that its reshapes take; the shapes of the data are found by
trying."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..styles.objects.constructed import is_size
from ..styles.readings.several import Several, UnlikeError
from ..styles.text.names import plain
from ..styles.text.sizes import sizes_in
from .directed import in_order
from .fits import Fits
from .fitting import Fitting, made
from .result import RIGHT, Result
from .several import promising, trials

SECONDS = 2.0  # for trying
LONGEST = 100
MOST = 4  # readings that run
THETA = re.compile(
    r"(?:nn|initial|init|flat|all|unrolled)?(?:theta|thetas|params?|parameters|weights|w|vec|vector|p)(?:vec|flat|unrolled|vector|all|0)?"
)
SETTING = re.compile(
    r"lam\w*|lmbda|reg\w*|beta|alpha|gamma|mu|rho|spars\w*|target_?act\w*|\w*decay\w*|c|l1|l2|eps\w*|weight|\w*penalty\w*|\w*cost"
)
LABELS = re.compile(r"y\w*|labels?|targets?|t|classes|ground_?truth|truth")
MASK = re.compile(r"r|mask\w*|rated|observed|known|m")
LAYERS = re.compile(
    r"layers?(?:sizes|dims|shape|units)?|(?:net|network)?(?:sizes|dims|shape|structure|architecture|topology|units|nodes)|arch"
)
# the sizes, one after the other, and the number of examples; the last has the order of the first
NUMBERS = {0: ((3, 4, 5, 7), 6), 1: ((4, 3, 6, 5), 7), 2: ((2, 5, 4, 6), 7)}


@dataclass
class Unrolled(Fitting):
    """Arguments of a cost: the kind of each, in letters a, b, c, … of the sizes and N; lengths: of the vector, for the sizes."""

    parameters: Sequence[str] = ()
    theta: str = ""
    lengths: dict[int, int] = field(default_factory=dict)

    def __call__(self, sizes: int, seed: int) -> dict[str, Any]:
        numbers, N = NUMBERS[sizes]
        letters = dict(zip("abcd", numbers, strict=True)) | {"N": N}
        found: dict[str, Any] = {"sizes": sizes % 2}
        for place, name in enumerate(self.parameters):
            kind = self.kinds[name]
            if name == self.theta:
                found[name] = 0.5 * made("fN", {"N": self.lengths[sizes]}, 100 * seed, False)
            elif kind == "size":
                found[name] = letters[
                    "abcd"[[one for one in self.parameters if self.kinds[one] == "size"].index(name)]
                ]
            elif kind.startswith("list"):
                found[name] = list(numbers[: int(kind[4:])])
            elif kind == "setting":
                found[name] = 0.2 if re.search("rho|spars|act", plain(name)) else 0.7 * 0.85**place
            else:
                found[name] = made(kind, letters, 100 * seed + place, False)
        return found

    @property
    def kinds(self) -> Mapping[str, str]:
        return self.held  # of which the trials of other numbers know nothing


def theta_of(thing: Several) -> str | None:
    """The argument that is the vector, if there is one: the first."""
    names = [p.name for p in thing.parameters]
    return names[0] if names and THETA.fullmatch(plain(names[0])) else None


def kinds_of(name: str, letters: str, sized: bool) -> list[str]:
    """What an argument may be, the likeliest first. sized: it stands in a shape."""
    if LAYERS.fullmatch(plain(name)):
        return ["list3", "list4", "list2", *(["size"] if sized else [])]
    if sized or is_size(name) or re.search("size$|^num|^n_|units|classes$|features$", name.lower()):
        return ["size"]
    if SETTING.fullmatch(plain(name)) and name != "R":
        return ["setting"]
    pairs = [a + b for a in letters for b in letters if a != b]
    rows, columns = [f"N{a}" for a in letters], [f"{a}N" for a in letters]
    if MASK.fullmatch(plain(name)):
        return [f"b{one}" for one in (*pairs, *rows, *columns, "N")]
    if LABELS.fullmatch(plain(name)):
        whole = (
            ["iN"]
            + [f"o{one}" for one in rows[::-1]]
            + ["iN1"]
            + [f"f{one}" for one in (*pairs, *columns, *rows)]
            + ["fN"]
        )
        return whole if name[0].islower() else sorted(whole, key=lambda kind: kind[0] == "i")
    return [f"f{one}" for one in (*rows, *columns, *pairs)]


def found_for(thing: Several, theta: str) -> Iterator[Unrolled]:
    """Arguments that a cost takes, and whose gradient is as long as the vector."""
    names, takes, end = [p.name for p in thing.parameters], Fits(thing, True, False), time.process_time() + SECONDS
    sized = set().union(*(sizes_in(one, names) for one in thing.parts))
    first = [kinds_of(name, "ab", name in sized)[0] for name in names if name != theta]
    letters = "abcd"[: 4 if "list3" in first else max(1, first.count("size"))]
    options = [["theta"] if name == theta else kinds_of(name, letters, name in sized) for name in names]
    for places in in_order([len(one) for one in options]):
        kinds = {name: kinds[i] for name, kinds, i in zip(names, options, places, strict=True)}
        one = Unrolled({}, {}, False, 0, kinds, names, theta)
        if length_of(one, takes, 0):
            one.second = next((sizes for sizes in (1, 2) if length_of(one, takes, sizes)), 0)
            if one.second:
                yield one
        if time.process_time() > end:
            return


def length_of(one: Unrolled, takes: Fits, sizes: int) -> int | None:
    """The length of the vector that a cost takes for these sizes, which is kept."""
    for length in range(2, LONGEST):
        one.lengths[sizes], takes.unlike = length, 0
        if takes(one(sizes, 0)):
            return length
    return None


def best(things: Sequence[Several]) -> Result | None:
    """Right if one reading is, else the first that is wrong; None if no arguments were found."""
    worst = None
    for thing in things:
        theta = theta_of(thing)
        if theta is None:
            continue
        try:
            for count, one in enumerate(found_for(thing, theta)):
                if count < 1 or promising(thing, one):
                    result = trials(thing, one, False)
                    if result.code == RIGHT:
                        return result
                    worst = worst or (result if result.report is not None else None)
                if count == MOST:
                    break
        except UnlikeError:
            continue
    return worst
