"""The trials of a value of several arrays, whose gradients come in any writing: other sizes, other numbers, other options."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ..diagnosis.experiment import FunctionExperiment
from ..diagnosis.finding import Finding, finding
from ..differences import EPS, STEP, GradientReport, compare, resolution
from ..styles.readings.assigned import assigned, last_of, reordered
from ..styles.readings.several import Several, UnlikeError
from ..styles.text.written import indices_in, notes_of
from .begun import narrower, of_entries
from .experiments import experiment_of, rate_of, way_of
from .fits import Fits, UnsettledError, shows_less, unsettled
from .fitting import SINGLE, WEIGHTS, Fitting, constants, fitted
from .functions import source_of, tolerance_of
from .layers import ELEMENTS, some
from .misshapen import examine as of_another_shape
from .result import RIGHT, UNUSABLE, WRONG, Result, Tried
from .terms import arguments_of, copied, evaluated, tensors_of, upstream
from .varied import varied

NOT_SYMMETRIC = re.compile(r"non-? ?symm|not\s+(?:\w+\s+)?symm|unsymm|asymm|general", re.I)
# numbers for which alone a gradient is right, by the letter of their kind
KINDS = {
    "y": "a symmetric {}",
    "o": "one-hot rows of {}",
    "c": "one-hot columns of {}",
    "q": "rows of {} that sum to 1",
    "b": "{} of 0 and 1",
    "s": "{} of -1 and 1",
}


@dataclass
class Part:
    """What stands for the layer in a result that is right in part: the parameters of which no gradient comes back."""

    untrained: tuple[str, ...]


def examine(thing: Several, given: Mapping[str, Any], deadline: float, strict: bool) -> Result | None:
    """Right if one choice of arguments is; otherwise what is said of the first that fits; None if none fits."""
    known = {
        p.name: given[p.name]
        for p in thing.parameters
        if isinstance(given.get(p.name), np.ndarray | float | int | dict)
    }
    names = arguments_of(thing, known)
    indices = indices_in(thing.parts, names)
    seconds = (2,) if thing.fixed else (1, 2) if thing.cls is not None else (1,)
    entries = of_entries(thing.parts, names)
    worst, accused, near = None, {}, False
    for ours, whole in [*([(known, True)] if known else []), ({}, True), *([] if strict else [({}, False)])]:
        if time.process_time() > deadline:
            return worst
        takes = Fits(thing, whole, strict)
        try:
            for fitting in fitted(names, ours, takes, seconds, indices, entries):
                if strict and any(kind in SINGLE for kind in fitting.chosen.values()):
                    continue
                if narrower(thing, entries, fitting.chosen):
                    continue
                if any(
                    kind in SINGLE and accused.get(name, kind) not in SINGLE for name, kind in fitting.chosen.items()
                ):
                    continue  # a single number in place of an array hides what is wrong with the array
                if worst is not None and shows_less(thing, worst, fitting.chosen, accused):
                    continue
                if worst is None or promising(thing, fitting):
                    result = trials(thing, fitting, bool(ours))
                    if result.code == RIGHT or result.where:
                        return result
                    worst, accused = worst or result, accused or fitting.chosen
                if worst.report is not None:
                    for other in constants(fitting, {check.name for check in worst.report.checks}):
                        symmetric = any(kind[0] == "y" for kind in other.chosen.values())
                        if (
                            symmetric and any(NOT_SYMMETRIC.search(notes_of(one)) for one in thing.parts)
                        ) or not promising(thing, other):
                            continue
                        result = trials(thing, other, bool(ours))
                        if result.code == RIGHT and moves_as_much(result, worst):
                            changed = next(
                                name for name, kind in other.chosen.items() if kind != fitting.chosen[name]
                            )
                            result.tried.only.append(f"for {KINDS[other.chosen[changed][0]].format(changed)}")
                            return result
                if time.process_time() > deadline:  # what is left might be right
                    return Result(UNUSABLE, "", error=UnsettledError(unsettled(thing))) if worst is not None else None
        except UnlikeError:
            return worst
        if worst is not None:
            return worst
        near = near or takes.near
    check = partial(examine, given=given, deadline=deadline, strict=False)
    return of_another_shape(thing, check) if near and not strict else None


def moves_as_much(result: Result, first: Result) -> bool:
    """Whether no gradient vanishes that did not vanish for other numbers: two zeros agree, and show nothing."""
    moving = {check.name for check in first.report.checks if np.nanmax(np.abs(check.numeric), initial=0) > 1e-9}
    return all(
        check.name not in moving or np.nanmax(np.abs(check.numeric), initial=0) > 1e-9
        for check in result.report.checks
    )


def promising(thing: Several, fitting: Fitting) -> bool:
    """Whether the slopes along a random direction are those of the gradients, for two draws."""
    try:
        return any(moves(thing, thing.complete(fitting(0, seed), seed)) for seed in (0, 1)) and all(
            slopes_agree(thing, thing.complete(fitting(sizes, seed), seed))
            for sizes, seed in ((0, 0), (fitting.second, 1))
        )
    except NotImplementedError:
        raise
    except Exception:
        return False


def moves(thing: Several, arguments: Mapping[str, Any]) -> bool:
    """Whether the value changes where all tensors do: two zeros agree, and show nothing."""
    moved = copied(arguments)
    for place, tensor in enumerate(tensors_of(moved).values()):
        tensor[...] += 1e-3 * np.random.default_rng(place).standard_normal(tensor.shape)
    before, after = evaluated(thing, arguments)[0], evaluated(thing, moved)[0]
    return not np.allclose(before, after, rtol=1e-9, atol=1e-12)


def slopes_agree(thing: Several, arguments: Mapping[str, Any]) -> bool:
    """Whether one way to assign the gradients has the slopes along random directions of each tensor."""
    tensors, labelled = tensors_of(arguments), evaluated(thing, arguments)[1]
    known: dict[tuple[str, int], tuple[np.ndarray, float, float]] = {}

    def slope(name: str, seed: int) -> tuple[np.ndarray, float, float]:
        if (name, seed) not in known:
            direction = 1e-6 * np.random.default_rng([len(name), seed]).standard_normal(tensors[name].shape)
            sides = []
            for sign in (1, -1):
                moved = copied(arguments)
                tensors_of(moved)[name][...] += sign * direction
                sides.append(evaluated(thing, moved)[0])
            change = float((sides[0] - sides[1]).sum()) / 2
            known[name, seed] = direction, change, 1e-15 * float(np.abs(sides[0]).sum())
        return known[name, seed]

    def agree(gradients: Mapping[str, np.ndarray]) -> bool:
        rows = []
        for name in gradients:
            for seed in (0, 1) if thing.updates else (0,):
                direction, change, noise = slope(name, seed)
                parts = np.asarray(gradients[name], float) * direction
                rows.append((change, parts.sum(), 1e-5 * np.sqrt((parts**2).sum()), noise))
        change, ours, slack, noise = np.array(rows).T
        factor = change @ ours / (ours @ ours) if thing.updates and np.any(ours) else 1.0
        if thing.updates and not downhill(thing, factor):
            return False
        return bool((np.abs(change - factor * ours) <= abs(factor) * slack + noise).all())

    ways = [found for found, _ in assigned(labelled, tensors)]
    if thing.updates:
        ways += [{name: np.asarray(g) - tensors[name] for name, g in way.items()} for way in ways]
    return any(map(agree, ways))


def trials(thing: Several, make: Fitting, known: bool) -> Result:
    """Two sizes with two draws each, and every option."""
    tried, first = Tried(), None
    for sizes, seed in ((0, 0), (0, 2)) if known else ((0, 0), (make.second, 1), (0, 2), (make.second, 3)):
        result = attempt(thing, thing.complete(make(sizes, seed), seed), tried, first is None)
        if result is None:
            continue
        if result.code == WRONG:
            return result
        first = first or result
    if first is None:
        return Result(UNUSABLE, "", tried=tried)
    for where, words, other in varied(thing, make, {check.name for check in first.report.checks}):
        if where.endswith("axes") and not Fits(thing, True, False)(other(0, 6) | words):
            continue
        result = attempt(thing, thing.complete(other(0, 4) | words, 4), tried, False)
        if result is None:
            continue
        if where.startswith("with ") and not where.endswith("axes"):
            tried.options.append(where.removeprefix("with "))
        if result.code == WRONG:
            return replace(result, where=where)
    arguments = thing.complete(make(0, 0), 0)
    if fault := added_in_part(thing, arguments):
        return Result(WRONG, "", findings=(fault,), tried=tried)
    seen = {check.name for check in first.report.checks}
    unseen = [name for name in tensors_of(arguments) if name not in seen and matters(thing, arguments, name)]
    # a function and its gradient in one argument
    one_asked = evaluated(thing, arguments)[0].size == 1 and len(seen) == 1
    expected = () if thing.one_of > 1 or one_asked else unseen
    trained = tuple(name.removeprefix("self.") for name in expected if WEIGHTS.fullmatch(last_of(name)))
    if reordered(evaluated(thing, arguments)[1], tensors_of(arguments)):
        tried.only.append("for a caller who knows that the gradients come back in another order than the arguments")
    if rest := [name for name in unseen if name.removeprefix("self.") not in trained]:
        tried.left_out.append(f"{', '.join(rest)}: taken for constants, because no gradient of them comes back")
    return replace(first, layer=Part(trained)) if trained else first


def added_in_part(thing: Several, arguments: Mapping[str, Any]) -> Finding | None:
    """A finding if a second step is added to some gradients of an object, and sets others anew."""
    with contextlib.suppress(Exception):
        added, anew = thing.twice(copied(arguments), upstream) if thing.twice else ([], [])
        if added and anew:
            evidence = f"a second step is added to {', '.join(added)}, and {', '.join(anew)} hold the second alone"
            return finding("added_in_part", (), evidence)
    return None


def attempt(thing: Several, arguments: Mapping[str, Any], tried: Tried, whole: bool) -> Result | None:
    """One trial; None if it does not run. whole: every number is compared, not only a slope, if that is right."""
    try:
        right = not whole and slopes_agree(thing, arguments)
        report, diagnosed = (None, None) if right else report_of(thing, arguments)
    except NotImplementedError:
        raise
    except Exception:
        return None
    tried.trials += 1
    whole_numbers = {
        name: value for name, value in arguments.items() if isinstance(value, np.ndarray) and value.dtype.kind == "i"
    }
    given = {
        name: array for name, array in (tensors_of(arguments) | whole_numbers).items() if not name.startswith("self.")
    }
    shape = " and ".join(str(array.shape) for array in given.values())
    if shape and shape not in tried.shapes:
        tried.shapes.append(shape)
    if right or report.passed:
        return Result(RIGHT, "", report=report, tried=tried)
    return Result(WRONG, "", report=report, tried=tried, layer=diagnosed)


def matters(thing: Several, arguments: dict[str, Any], name: str) -> bool:
    """Whether the value changes with a tensor."""
    moved = copied(arguments)
    tensors_of(moved)[name][...] *= 1.1
    try:
        return not np.array_equal(evaluated(thing, moved)[0], evaluated(thing, arguments)[0])
    except Exception:
        return True


def report_of(thing: Several, arguments: Mapping[str, Any]) -> tuple[GradientReport, FunctionExperiment]:
    """The gradients against central differences, in every way to assign them; the first that passes. And what a diagnosis runs.

    What is called an update may be the gradient times a number, turned round, or the parameter with that added.
    """
    terms, labelled = evaluated(thing, arguments)
    tensors, reports, down = tensors_of(arguments), [], not thing.updates or downhill(thing, 1.0)
    for found, _ in sorted(assigned(labelled, tensors), key=lambda way: way[1]):
        gradients = {name: np.asarray(g, float) for name, g in found.items()}
        ways = [gradients]
        if thing.updates and not thing.descends:
            ways.append({name: g - tensors[name] for name, g in gradients.items()})
        for less, way in enumerate(ways):
            by = 1.0 if down else -1.0
            report = compared(thing, arguments, terms, way if down else {name: -g for name, g in way.items()})
            if thing.updates and (factor := common_factor(report)) and downhill(thing, factor if down else -factor):
                scaled = {name: (factor if down else -factor) * g for name, g in way.items()}
                other = compared(thing, arguments, terms, scaled)
                better = sum(c.passed for c in other.checks) > sum(c.passed for c in report.checks)
                report, by = (other, factor * by) if better or not thing.descends else (report, by)
            reports.append((report, found, bool(less), by))
            if report.passed:
                return report, None
    # a diagnosis takes long, so that the other tensors are held
    report, found, less, by = reports[0]
    wrong, right = (
        [check.name for check in report.checks if bool(check.passed) is passed] for passed in (False, True)
    )
    if thing.updates:  # one number is always a multiple of another
        right = [name for name in right if np.size(tensors[name]) > 1]
    rate = rate_of(thing, arguments) if thing.updates and not right else None
    by = (-1 if less else np.sign(by)) / rate if rate else by
    way = way_of(labelled, found, less, by)
    return report, experiment_of(thing, arguments, way, wrong[:3], right, thing.updates and not right and not rate)


def downhill(thing: Several, factor: float) -> bool:
    """Whether an update may be the gradient divided by this: what the author says is added leads down, and what is subtracted up."""
    if thing.descends:
        return factor > 0
    notes = notes_of(thing.source)
    return factor < 0 if re.search(r"\badd", notes) else factor > 0 if re.search(r"\bsubtract", notes) else True


def common_factor(report: GradientReport) -> float:
    """By what gradients are to be multiplied: those of most tensors that are multiples of the differences, or else nearly all."""
    moved = [(c.analytic[~np.isnan(c.numeric)], c.numeric[~np.isnan(c.numeric)]) for c in report.checks]
    whole = tuple(np.concatenate([pair[i].ravel() for pair in moved]) for i in (0, 1))
    factors = [float(a @ b / (a @ a)) if np.any(a) else 0.0 for a, b in [(a.ravel(), b.ravel()) for a, b in moved]]
    pairs = sorted(zip(factors, moved, strict=True), key=lambda pair: -pair[1][0].size)  # of a matrix before a bias
    fitting = [f for f, (a, b) in pairs if f and np.allclose(f * a, b, rtol=1e-5, atol=1e-7)]
    if fitting:
        return max(fitting, key=lambda f: sum(abs(f - other) < 1e-5 * abs(f) for other in fitting))
    return float(whole[0] @ whole[1] / (whole[0] @ whole[0])) if np.any(whole[0]) else 0.0


def compared(thing: Several, arguments: Mapping[str, Any], terms: np.ndarray, gradients: dict) -> GradientReport:
    moving = copied(arguments)
    tensors = {name: tensor for name, tensor in tensors_of(moving).items() if name in gradients}

    def evaluate() -> np.ndarray:
        return evaluated(thing, moving, slopes=False)[0].copy()

    def change(plus: np.ndarray, minus: np.ndarray) -> np.ndarray:
        return (plus - minus).sum()

    known_to = EPS * max(float(np.abs(terms).sum()), 1e-2)
    rounding, step = resolution(evaluate, next(iter(tensors.values())), change, known_to)
    tolerance = max(tolerance_of(source_of(thing.source)), 10 * step**2 if step > STEP else 0)
    return compare(
        thing.name, tensors, gradients, evaluate, rounding, tolerance, change=change, chain=True, step=step,
        elements=some(ELEMENTS),
    )  # fmt: skip
