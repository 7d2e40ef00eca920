"""The trials of what gives gradients and no value: arguments that fit an output and its target, and each usual loss of them."""

from __future__ import annotations

import inspect
import itertools
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from ..diagnosis.finding import finding
from ..styles.readings.several import Several, UnlikeError
from ..styles.text.names import IS_COST, IS_SLOPE
from ..styles.text.written import indices_in, text_of
from .begun import of_entries
from .fits import Fits
from .fitting import Fitting, fitted
from .readings import diagnosed, partly
from .result import RIGHT, WRONG, Result
from .several import trials
from .terms import arguments_of, evaluated
from .whole import beside_script, found_for, has_other_terms, is_penalised

DIVIDES = re.compile(
    r"mean\(|average\(|/=? *(?:\(? *\d+\.? *\* *)?(?:float\()?(?:len\(|[mnN]\b|\w+\.shape|\w*(?:batch|size|count|num)|n_|N_|self\.[mnN]\b)"
)
MEASURES = re.compile(r"abs|acc|argmax|sqrt", re.I)  # what is shown, and not descended
SECONDS = 4.0  # after which nothing further is tried


def best(groups: Iterable[list[Several]]) -> Result | None:
    """Right if one reading is; wrong if some of its gradients are right, and others are not; None for all else."""
    worst, end = None, time.process_time() + SECONDS
    with np.errstate(all="ignore"):
        for group in groups:
            for fitting in itertools.islice(fittings(group[0]), 3):
                for thing in group:
                    result = trials(thing, fitting, False)
                    if result.report is None:
                        continue
                    if thing.updates and (
                        result.code == RIGHT or is_penalised(thing.complete(fitting(0, 0), 0), result)
                    ):
                        result.tried.only.append("for a multiple of a usual loss of its output")
                        result = replace(result, code=RIGHT)
                    if result.code == RIGHT:
                        return of_mean(thing, fitting, result) or result
                    doubtful = thing.updates and has_other_terms(*lines_of(thing))
                    worst = worst or (result if partly(result) and not doubtful else None)
                if time.process_time() > end:
                    break
            if time.process_time() > end:
                break
    return diagnosed(worst) if worst is not None else None


def lines_of(thing: Several) -> list[Callable]:
    """What gives the gradients, with the methods of its class that it calls: what else the class does is beside them."""
    called = re.findall(r"self\.(\w+)\(", text_of(thing.source)) if thing.cls is not None else ()
    methods = [getattr(thing.cls, name, None) for name in called]
    return [*thing.parts, *filter(inspect.isroutine, methods)]


def of_mean(thing: Several, fitting: Fitting, result: Result) -> Result | None:
    """Wrong if the gradients of a function are summed over the examples, where each cost of its file is a mean over them, and nothing else
    divides by how many there are."""
    if not thing.updates or thing.cls is not None or thing.source.__module__ not in sys.modules:
        return None
    file = [one for one in vars(sys.modules[thing.source.__module__]).values() if inspect.isfunction(one)]
    own = [one for one in file if one.__module__ == thing.source.__module__]
    costs = [text_of(one) for one in own if IS_COST.search(one.__name__) and not IS_SLOPE.search(one.__name__)]
    rest = text_of(sys.modules[thing.source.__module__])
    for one in costs:
        rest = rest.replace(one, "")
    if (
        not costs
        or not all(DIVIDES.search(one) and not MEASURES.search(one) for one in costs)
        or DIVIDES.search(rest)
    ):
        return None
    once = thing.complete(fitting(0, 0), 0)
    twice = dict(once)
    for name, kind in fitting.chosen.items():
        if "N" in kind[1:] and isinstance(once.get(name), np.ndarray):
            twice[name] = np.concatenate([once[name]] * 2, axis=kind.index("N") - 1)
    found = [evaluated(thing, arguments)[1] for arguments in (once, twice)]
    if not all(np.allclose(2 * one, other, rtol=1e-9) for (_, one), (_, other) in zip(*found, strict=True)):
        return None
    names = tuple(check.name for check in result.report.checks)
    evidence = "with each example twice, the gradients are twice as large, and the cost of the file is a mean"
    return Result(WRONG, "", findings=(finding("not_averaged", names, evidence),))


def fittings(thing: Several) -> Iterator[Fitting]:
    if thing.cls is not None:
        yield from found_for(thing)
    elif thing.fixed:
        yield from beside_script(thing)
    else:
        names, takes = arguments_of(thing, ()), Fits(thing, True, False)
        try:
            yield from fitted(names, {}, takes, (1,), indices_in(thing.parts, names), of_entries(thing.parts, names))
        except UnlikeError:
            return
