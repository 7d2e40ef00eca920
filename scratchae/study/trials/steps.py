"""Steps of an optimizer beside those of a definition: which of them agree, and which mistake makes them differ."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..diagnosis.finding import Finding, finding
from ..styles.optimizers.handed import Arrays
from ..styles.optimizers.updating import SLOPE, Updating
from ..styles.text.names import plain
from .decays import DECAYING, DECAYS, OTHER_DECAYS, RATES, WITHOUT_RATE, WRONG_DECAYS
from .definitions import FAMILIES, NAMES
from .settings import SETTINGS, setting

STEPS = 6


@dataclass
class Problem:
    """Parameters, and a gradient for each step, which does not depend on them unless it is asked for by the optimizer itself."""

    start: Arrays
    gradients: list[Arrays]
    asked: bool = False

    def slope(self, p: np.ndarray, g: np.ndarray) -> np.ndarray:
        return g + SLOPE * p if self.asked else g


def problem(seed: int, theirs: Updating, size: float = 1.0, alike: bool = False) -> Problem:
    """alike: all parameters have one shape."""
    count = theirs.count
    rng = np.random.default_rng(seed)
    shapes = (((3, 2), (2,), (2, 4), (4,)), ((4,), (4, 1), (1, 3), (3,)), ((2, 3, 2), (1, 2), (2, 3), (1, 3)))[
        seed % 3
    ][:count]
    shapes = theirs.shapes or (shapes[:1] * count if alike else shapes)
    start = [(0.01 if seed == 2 else 1) * rng.standard_normal(shape) for shape in shapes]
    # at last small, so that averages of squares shrink too
    sizes = [size] * STEPS if seed != 2 else [size, size, size / 2, *[size / 100] * (STEPS - 3)]
    return Problem(start, [[one * rng.standard_normal(shape) for shape in shapes] for one in sizes], theirs.asks)


def path_of(step: Callable[[Arrays, Arrays, int], Arrays], given: Problem) -> list[Arrays]:
    """The parameters after each step."""
    p, found = given.start, []
    for t, g in enumerate(given.gradients, 1):
        p = step(p, g, t)
        found.append([value.copy() for value in p])
    return found


@dataclass(frozen=True)
class Choice:
    """One of the ways to write an optimizer that are right. remark: what is to be said of it, as others write it in another way. only: the
    parameters that decay, a name among DECAYING."""

    form: Mapping[str, Any] = field(default_factory=dict)
    decay: str = "none"
    rate: str = "constant"
    remark: str = ""
    only: str = "all"


def defined(
    which: str, h: Mapping[str, Any], bug: str, choice: Choice, given: Problem, decay: Callable | None = None
) -> list[Arrays]:
    """The path of a definition. decay: in place of that of the choice."""
    function, states = FAMILIES[which][0], {}
    decay = decay or DECAYS[choice.decay]

    def step(p: Arrays, g: Arrays, t: int) -> Arrays:
        found = []
        for i, (value, gradient) in enumerate(zip(p, g, strict=True)):
            now, state = dict(h) | {"lr": RATES[choice.rate](h, t)}, states.setdefault(i, {})
            gradient = given.slope(value, gradient)
            if given.asked and "nesterov" in choice.form.get("form", "") and bug != "not_ahead":
                ahead = value - now["lr"] * h["mu"] * state.get("v", 0)  # where the gradient is asked for
                gradient = given.slope(ahead, g[i])
            if h["maximize"]:
                gradient = -gradient
            gradient, beside = decay(value, gradient, now) if DECAYING[choice.only][0](i, value) else (gradient, 0.0)
            form = dict(choice.form)
            if given.asked and "nesterov" in form.get("form", ""):
                form["form"] = "averaged" if "averaged" in form["form"] else "plain"
            found.append(value - function(state, value, gradient, t, now, bug=bug, **form) - beside)
        return found

    return path_of(step, given)


def equal(a: list[Arrays], b: list[Arrays]) -> bool:
    return first_difference(a, b) is None


def first_difference(a: list[Arrays], b: list[Arrays]) -> int | None:
    """The first step, from 1, after which two paths differ."""
    for t, (left, right) in enumerate(zip(a, b, strict=True), 1):
        for one, other in zip(left, right, strict=True):
            if one.shape != other.shape or not np.allclose(one, other, rtol=1e-6, atol=1e-8, equal_nan=True):
                return t
    return None


def rights(which: str, name: str, h: Mapping[str, Any], found: Mapping[str, Any], source: str) -> Iterator[Choice]:
    """Every form, weight decay and rate that is right for this name and these settings, what is usual first."""
    title, forms = plain(name), FAMILIES[which][1]
    if which == "momentum" and (h["nesterov"] or any(word in title for word in ("nesterov", "nag"))):
        forms = [form for form in forms if "nesterov" in form["form"]]
    elif which == "momentum" and h["nesterov"] is False:
        forms = [form for form in forms if "nesterov" not in form["form"]]
    if which == "rmsprop" and (h["centered"] is not None or "centered" in title or "centred" in title):
        forms = [form for form in forms if ("centred" in form["form"]) == (h["centered"] is not False)]
    if which == "adam" and not re.search("maximum|amsgrad|nadam|nesterov", source.lower()):
        forms = [form for form in forms if not re.search("amsgrad|nadam", form["form"])]
    decays = [d for d in DECAYS if d == "none" or setting(found, "wd")]
    if setting(found, "wd") and any(key in found for key in SETTINGS["wd"][:-2]):
        decays = decays[1:]  # a setting of that name has to do something
    if title.endswith(("adamw", "sgdw", "lion")) or "decoupled" in title:
        decays = [d for d in decays if d != "in the gradient"]
    if which == "lion":
        decays = [d for d in decays if d != "beside the step, without the rate"]
    rates = [r for r in RATES if r == "constant" or setting(found, "slow")]
    parts = [one for one, (_, told) in DECAYING.items() if re.search(told, source)]
    for only, decay, form, rate in itertools.product(parts, decays, forms, rates):
        if only == "all" or decay != "none":
            yield Choice(form, decay, rate, WITHOUT_RATE if decay.endswith("without the rate") else "", only)


def named(which: str, right: list[Choice], h: Mapping[str, Any], given: Problem, path: list[Arrays]) -> Finding:
    """What is wrong with an optimizer: the mistake whose path is the same, or what can be said without one."""
    wanted = max(
        (defined(which, h, "", choice, given) for choice in right), key=lambda one: first_difference(path, one) or 99
    )
    t = first_difference(path, wanted) or 1
    place = next(
        i
        for i, (a, b) in enumerate(zip(path[t - 1], wanted[t - 1], strict=True))
        if not np.allclose(a, b, rtol=1e-6, atol=1e-8)
    )
    a, b = path[t - 1][place], wanted[t - 1][place]
    index = (
        np.unravel_index(np.nanargmax(np.abs(np.nan_to_num(a, nan=1e9) - b)), b.shape) if a.shape == b.shape else ()
    )
    evidence = f"after step {t} a parameter{list(map(int, index))} is {a[index]:.6g}, and should be {b[index]:.6g}"
    if t > 1:
        evidence += f"; the first {'step is' if t == 2 else f'{t - 1} steps are'} right"
    return finding("optimizer", (), evidence, which=mistake(which, right, h, given, path, wanted, place, t))


def mistake(
    which: str,
    right: list[Choice],
    h: Mapping[str, Any],
    given: Problem,
    path: list[Arrays],
    wanted: list[Arrays],
    place: int,
    t: int,
) -> str:
    """In words why a path differs from the wanted one first in step t, in the parameter at a place."""
    _, forms, bugs = FAMILIES[which]
    allowed, decays = list({repr(one.form): one.form for one in right}.values()), {one.decay: None for one in right}
    for form in allowed:
        for decay, said in WRONG_DECAYS.values() if h["wd"] else ():
            if equal(path, defined(which, h, "", Choice(form), given, decay)):
                return said
        if h["wd"] and equal(path, defined(which, h, "", Choice(form), given)):
            return "the weight decay does nothing: g + λ p"
        for decay, said in OTHER_DECAYS.items() if h["wd"] else ():
            if equal(path, defined(which, h, "", Choice(form, decay), given)):
                return said
    for form, decay in itertools.product(allowed, decays):
        for bug, said in bugs.items():
            if equal(path, defined(which, h, bug, Choice(form, decay), given)):
                return said
    for form in forms:
        if form not in allowed and equal(path, defined(which, h, "", Choice(form), given)):
            return f"these are the steps of another optimizer: {form['form']}"
    if place > 0 and all(np.allclose(x[0], y[0], rtol=1e-6, atol=1e-8) for x, y in zip(path, wanted, strict=True)):
        return "the first parameter is right and the second is not: each needs a state of its own (v, m, t), and t grows once a step"
    step, should = given.start[place] - path[0][place], given.start[place] - wanted[0][place]
    quotient = step / np.where(should == 0, np.nan, should)
    if t == 1 and np.nanmax(quotient) - np.nanmin(quotient) < 1e-6 * abs(np.nanmax(quotient)):
        return f"the first step is {float(np.nanmax(quotient)):.6g} times what it should be"
    part = f"step {t} is another than that of" if t > 1 else "the first step is already another than that of"
    return f"{part} {NAMES[which]}"
