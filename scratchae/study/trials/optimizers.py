"""An optimizer against its definition, over several steps, and the mistakes that people make in it."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..diagnosis.finding import Finding, finding
from ..styles.names import plain
from ..styles.updating import Arrays, Updating, ways
from .definitions import DECAYS, FAMILIES, NAMES, RATES, WRONG_DECAYS
from .inputs import constructed, variants
from .result import RIGHT, UNUSABLE, WRONG, Result, Tried
from .settings import SETTINGS, family, filled, setting

STEPS = 6
Step = Callable[[dict[str, Any], np.ndarray, np.ndarray, int, Mapping[str, float]], np.ndarray]


# Definitions: what is taken off the parameters in step t. `s` keeps what lasts from step to step. Behind each name follow the
# mistakes, which are the same lines with one thing wrong.


def problem(seed: int, count: int) -> tuple[Arrays, list[Arrays]]:
    """Parameters, and a gradient for each step that does not depend on them."""
    rng = np.random.default_rng(seed)
    shapes = (((3, 2), (2,)), ((4,), (4, 1)), ((2, 3, 2), (1, 2)))[seed % 3][:count]
    return [rng.standard_normal(shape) for shape in shapes], [
        [rng.standard_normal(shape) for shape in shapes] for _ in range(STEPS)
    ]


def path_of(step: Callable[[Arrays, Arrays, int], Arrays], p: Arrays, gradients: list[Arrays]) -> list[Arrays]:
    """The parameters after each step."""
    found = []
    for t, g in enumerate(gradients, 1):
        p = step(p, g, t)
        found.append([value.copy() for value in p])
    return found


def defined(
    which: str, h: Mapping[str, float], bug: str, form: Mapping[str, Any], decay: Callable, rate: Callable
) -> Callable[[Arrays, Arrays, int], Arrays]:
    """A definition as a step over several parameters."""
    function, states = FAMILIES[which][0], {}

    def step(p: Arrays, g: Arrays, t: int) -> Arrays:
        found = []
        for i, (value, gradient) in enumerate(zip(p, g, strict=True)):
            now = dict(h) | {"lr": rate(h, t)}
            gradient, beside = decay(value, gradient, now)
            found.append(
                value - function(states.setdefault(i, {}), value, gradient, t, now, bug=bug, **form) - beside
            )
        return found

    return step


def equal(a: list[Arrays], b: list[Arrays]) -> bool:
    return first_difference(a, b) is None


def first_difference(a: list[Arrays], b: list[Arrays]) -> int | None:
    """The first step, from 1, after which two paths differ."""
    for t, (left, right) in enumerate(zip(a, b, strict=True), 1):
        for one, other in zip(left, right, strict=True):
            if one.shape != other.shape or not np.allclose(one, other, rtol=1e-6, atol=1e-8, equal_nan=True):
                return t
    return None


def rights(which: str, found: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], Callable, Callable]]:
    """Every form, weight decay and rate that is right for these settings."""
    decays = [d for name, d in DECAYS.items() if name == "none" or setting(found, "wd")]
    if setting(found, "wd") and any(key in found for key in SETTINGS["wd"][:-2]):
        decays = decays[1:]  # a setting of that name has to do something
    rates = [r for name, r in RATES.items() if name == "constant" or setting(found, "slow")]
    yield from itertools.product(FAMILIES[which][1], decays, rates)


def running(make: Callable[[], Updating], seed: int) -> tuple[Arrays, list[Arrays], list[Arrays], Updating]:
    theirs = make()
    p, gradients = problem(seed, theirs.count)
    with np.errstate(all="ignore"):
        return p, gradients, path_of(theirs.update, p, gradients), theirs


def usable(make: Callable[[], Updating]) -> bool:
    """Whether an optimizer runs in this way, and moves its parameters."""
    for seed in (0, 1, 2):
        try:
            p, _, path, _ = running(make, seed)
        except NotImplementedError:
            raise
        except Exception:
            return False
        if len(path[0]) != len(p) or any(a.shape != b.shape for a, b in zip(p, path[0], strict=True)):
            return False
        if all(np.array_equal(a, b) for a, b in zip(p, path[-1], strict=True)):
            return False
    return True


def examine(name: str, value: Any, cls: type | None) -> Result:
    """Check an optimizer against its definition. value: an object or function; cls: its class, to make others of it."""
    tried = Tried()
    makes = [(lambda: value, {}, "")]
    if cls is not None:
        for options in [{}, *variants_of(cls)]:
            unknown = [key for key, option in options.items() if isinstance(option, bool) and not is_setting(key)]
            if unknown:  # it makes another optimizer of it, such as centered=True
                tried.left_out.append(", ".join(unknown))
                continue
            said = ", ".join(f"{k}={v!r}" for k, v in options.items())
            makes.append((lambda options=options: constructed(cls, **options).value, options, said))
    way = next(
        (
            w
            for w in range(7)
            if w < len(list(ways(makes[0][0], cls, {}))) and usable(list(ways(makes[0][0], cls, {}))[w])
        ),
        None,
    )
    if way is None:
        error = first_error(next(ways(makes[0][0], cls, {})))
        return Result(UNUSABLE, "", error=error)
    for make, options, said in makes:
        built = list(ways(make, cls, options))
        if way >= len(built) or not usable(built[way]):
            continue
        for seed in (0, 1, 2):
            try:
                p, gradients, path, theirs = running(built[way], seed)
            except NotImplementedError:
                raise
            except Exception:
                continue
            found = theirs.settings()
            which = family(name, found)
            if which is None:
                return Result(
                    UNUSABLE,
                    "",
                    error=UnknownError(
                        f"{name} is none of {', '.join(FAMILIES)}, so that there is no definition to compare it with"
                    ),
                )
            if (
                which != "momentum"
                and any(plain(key) == "momentum" and option for key, option in options.items())
                and which != "sgd"
            ):
                tried.left_out.append(
                    f"momentum in {NAMES[which].partition(',')[0]}"
                )  # of which there is no definition here
                break
            h = {key: setting(found, key) for key in SETTINGS}
            choices = list(filled(h, theirs))
            h = choices[0]
            tried.trials += 1
            if said:
                tried.options.append(said)
            tried.shapes += [str(a.shape) for a in p if str(a.shape) not in tried.shapes]
            ways_to_be_right = itertools.product(choices, rights(which, found))
            if not any(
                equal(path, path_of(defined(which, one, "", *choice), p, gradients))
                for one, choice in ways_to_be_right
            ):
                return Result(
                    WRONG,
                    "",
                    where=f"with {said}" if said else "",
                    findings=(named(which, found, h, p, gradients, path),),
                    tried=tried,
                )
    tried.left_out.append("gradients of other sizes than about 1")
    return Result(RIGHT, "", tried=tried, findings=(), shape=None)


def is_setting(name: str) -> bool:
    return any(plain(name) in names for names in SETTINGS.values())


def variants_of(cls: type) -> Iterator[dict[str, Any]]:
    """Other settings, the learning rate and the decay too."""
    yield from variants(cls)
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return
    for parameter in parameters:
        if isinstance(parameter.default, float) and plain(parameter.name) in SETTINGS["lr"]:
            yield {parameter.name: 0.05}
        if (
            parameter.default == 0
            and not isinstance(parameter.default, bool)
            and plain(parameter.name) in SETTINGS["mu"] + SETTINGS["wd"]
        ):
            yield {parameter.name: 0.3}


class UnknownError(Exception):
    """No definition is known for an optimizer."""


def first_error(make: Callable[[], Updating]) -> Exception:
    try:
        running(make, 0)
    except NotImplementedError:
        raise
    except Exception as error:
        return error
    return UnknownError(
        "update(parameters, gradient) changes nothing: it has to work in place, `parameters -= lr * gradient`, or to return the new parameters"
    )


def named(
    which: str,
    found: Mapping[str, Any],
    h: Mapping[str, float],
    p: Arrays,
    gradients: list[Arrays],
    path: list[Arrays],
) -> Finding:
    """What is wrong with an optimizer: the mistake whose path is the same, or what can be said without one."""
    _, forms, bugs = FAMILIES[which]
    decays = list(DECAYS.values()) if h["wd"] else [DECAYS["none"]]
    right = list(rights(which, found))
    best = max(
        right, key=lambda choice: first_difference(path, path_of(defined(which, h, "", *choice), p, gradients)) or 99
    )
    wanted = path_of(defined(which, h, "", *best), p, gradients)
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
    for form, decay in itertools.product(forms, decays):
        for bug, said in bugs.items():
            if equal(path, path_of(defined(which, h, bug, form, decay, RATES["constant"]), p, gradients)):
                return finding("optimizer", (), evidence, which=said)
    for form in forms:
        for decay, said in WRONG_DECAYS.values():
            if h["wd"] and equal(path, path_of(defined(which, h, "", form, decay, RATES["constant"]), p, gradients)):
                return finding("optimizer", (), evidence, which=said)
        if h["wd"] and equal(
            path, path_of(defined(which, h, "", form, DECAYS["none"], RATES["constant"]), p, gradients)
        ):
            return finding("optimizer", (), evidence, which="the weight decay does nothing: g + λ p")
    if place > 0 and all(np.allclose(x[0], y[0], rtol=1e-6, atol=1e-8) for x, y in zip(path, wanted, strict=True)):
        return finding(
            "optimizer",
            (),
            evidence,
            which="the first parameter is right and the second is not: each needs a state of its own (v, m, t), and t grows once a step",
        )
    step, should = p[0] - path[0][0], p[0] - wanted[0][0]
    quotient = step / np.where(should == 0, np.nan, should)
    if t == 1 and np.nanmax(quotient) - np.nanmin(quotient) < 1e-6 * abs(np.nanmax(quotient)):
        return finding(
            "optimizer",
            (),
            evidence,
            which=f"the first step is {float(np.nanmax(quotient)):.6g} times what it should be",
        )
    part = (
        "what it keeps from step to step is not updated as in"
        if t > 1
        else "the first step is already another than that of"
    )
    return finding("optimizer", (), evidence, which=f"{part} {NAMES[which]}")
