"""What several readings of functions or of a class come to: right if one is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..diagnosis import diagnose
from ..styles.readings.several import Several
from ..styles.text.names import IS_COST, IS_SLOPE
from ..styles.text.written import indices_in
from .alike import beside_held, choices, equal, told_apart
from .begun import narrower, of_entries
from .fits import Fits
from .fitting import ALIKE, Fitting
from .result import RIGHT, UNUSABLE, WRONG, Result
from .several import examine, promising, trials
from .terms import arguments_of

SEARCHED = 5.0  # seconds after which nothing further is tried


def best(
    readings: Iterable[Several], given: Mapping[str, Any], strict: bool = False, by_trying: bool = True
) -> Result | None:
    """Right if one reading is; else the first that is wrong, or right in part; None if nothing could be read."""
    worst, part, open_, deadline = None, None, None, time.process_time() + SEARCHED
    readings = list(readings)
    with np.errstate(all="ignore"):
        for thing in readings:
            result = examine(thing, given, deadline, strict)
            if result is not None and result.code == RIGHT:
                if result.layer is None:
                    return result
                part = part or result
            if result is not None and result.code == WRONG and is_believed(thing, result):
                worst = result.rather_than(worst)
            if result is not None and result.code == UNUSABLE:
                open_ = open_ or result
            if time.process_time() > deadline:
                break
        unread = readings if by_trying and not (strict or worst or part or open_) else []
        for thing in unread if time.process_time() < deadline else ():
            result = by_sizes(thing)
            if result is not None and result.code == RIGHT and result.layer is None:
                return result
            worst = worst or (result if result is not None and result.code == WRONG else None)
        return diagnosed(worst) if worst is not None else None if strict else part or open_


def by_sizes(thing: Several) -> Result | None:
    """Right or wrong for shapes that only trying tells; wrong only if some of its gradients are right, since it may be read amiss."""
    takes, worst, names = Fits(thing, True, False), None, arguments_of(thing, ())
    indices = indices_in(thing.parts, names)

    def apart(one: Fitting) -> Fitting:
        return Fitting(told_apart(one.chosen, takes, 0), {}, one.positive, 1)

    try:
        held = thing.held({"sizes": 0})
        found = [] if thing.fixed else [*equal(names, indices, takes)]
        entries = of_entries(thing.parts, names)
        right = [one for one in found if not narrower(thing, entries, one.chosen) and promising(thing, one)]
        wider = [other for one in right for other in found if other not in right and narrows(one, other)]
        right = [one for one in right if not any(narrows(one, other) for other in wider)]
        for one in wider[:1] if not (held or right) else ():
            worst = trials(thing, apart(one), False)
        for one in right if not held else ():
            if (result := trials(thing, apart(one), False)).code == RIGHT:
                return result
            worst = worst or (result if result.where else None)  # right at first, and wrong with an option
        shapes = [told_apart(one.chosen, takes, ALIKE) for one in right] if found else choices(names, indices)
        for fitting in beside_held(shapes, held, takes) if held else ():
            result = trials(thing, fitting, False)
            if result.code == RIGHT:
                return result
            worst = worst or result
        if found and not (right or worst):
            worst = replace(
                trials(thing, found[0], False), where="where all sizes are equal, and for others it does not run"
            )
            alike = [one for one in found[1:] if len(kinds := {*one.chosen.values()}) == 1 and "1" not in str(kinds)]
            for one in alike[:1] if not partly(worst) else ():
                other = trials(thing, apart(one), False)
                worst = other if partly(other) else worst
    except NotImplementedError:
        raise
    except Exception:  # an object cannot be made, or its form is another
        return None
    return worst if worst is not None and worst.report is not None and believed(thing, worst) else None


def narrows(one: Fitting, other: Fitting) -> bool:
    """Whether arrays of three axes or more have a size of 1 in one choice where they have any in another: 1 hides means and scales."""
    pairs = [(kind, other.chosen[name]) for name, kind in one.chosen.items()]
    return one.chosen != other.chosen and all(
        kind == wide or (len(kind) == len(wide) > 3 and kind.replace("1", "N") == wide) for kind, wide in pairs
    )


def believed(thing: Several, result: Result) -> bool:
    """Whether what is wrong for shapes found by trying is wrong: some gradients are right; or their names tell of what they are, and there
    is only one, or the file has the shapes."""
    checks = result.report.checks
    if thing.told or partly(result):
        return True
    names = [getattr(one, "__name__", "") for one in thing.parts]
    if len(names) == 1 and (len(checks) == 1 or thing.fixed):  # a cost with its own gradient
        return bool(IS_COST.search(names[0]))
    return (
        (len(checks) == 1 or thing.fixed)
        and len(names) == 2
        and bool(IS_COST.search(names[0]) and IS_SLOPE.search(names[1]))
    )


def is_believed(thing: Several, result: Result) -> bool:
    """Whether what is wrong is wrong: a step may descend another measure than the value, unless that is told, or some of it is right; and
    so may several gradients whose value is one for each example."""
    if thing.of_each and result.report is not None and len(result.report.checks) > 1:
        return partly(result)
    return not thing.descends or thing.updates or partly(result)


def partly(result: Result) -> bool:
    """Whether some of the gradients are right."""
    return result.report is not None and any(
        check.passed and np.any(check.analytic) for check in result.report.checks
    )


def diagnosed(result: Result) -> Result:
    """A wrong result with what is wrong."""
    if result.report is None:
        return result
    found = tuple(diagnose(result.layer, tuple(result.layer.inputs)))
    return replace(result, report=replace(result.report, findings=found), layer=None)
