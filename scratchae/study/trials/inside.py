"""The trials of what gives gradients and no value: arguments that fit an output and its target, and each usual loss of them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from ..styles.readings.several import Several, UnlikeError
from ..styles.text.written import indices_in
from .begun import of_entries
from .fits import Fits
from .fitting import Fitting, fitted
from .readings import diagnosed, partly
from .result import RIGHT, Result
from .several import trials
from .terms import arguments_of
from .whole import beside_script, found_for, has_other_terms, is_penalised

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
                        return result
                    doubtful = thing.updates and has_other_terms(thing)
                    worst = worst or (result if partly(result) and not doubtful else None)
                if time.process_time() > end:
                    break
            if time.process_time() > end:
                break
    return diagnosed(worst) if worst is not None else None


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
