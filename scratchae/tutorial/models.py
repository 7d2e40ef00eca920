"""A class that is a model, and a cost of unrolled parameters: what gives gradients in them is checked one by one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..study.styles.classes import models, passes
from ..study.styles.functions.inside import of_method as in_its_lines
from ..study.styles.functions.scripts import with_globals
from ..study.styles.functions.two import in_one_or_two
from ..study.styles.objects.constructed import SIZES
from ..study.styles.objects.fresh import SECOND, Objects
from ..study.trials import boltzmann, inside, readings, unrolled
from ..study.trials import whole as trials
from ..study.trials.result import RIGHT, WRONG, Result
from .looked import methods_with_gradients

SMALL = (SIZES, SECOND), ((3, 4, 2, 2), (5, 3, 6, 2))  # of objects: as many outputs as there are classes, or fewer


def is_model(cls: type, value: Any) -> bool:
    """Whether an object of a class holds arrays that are trained, and has a method that gives gradients besides those of a loss."""
    try:
        held = Objects(cls, value).held({})
    except Exception:
        return False
    return any(array.ndim == 2 for array in held.values()) and bool(methods_with_gradients(cls))


def of_model(name: str, cls: type, value: Any) -> Result | None:
    """A class that is a model: the first of its methods that give gradients for which a value was found."""
    ran = getattr(sys.modules.get(cls.__module__), "__ran__", set())
    for method in methods_with_gradients(cls):
        before = set(ran)
        if (result := of_method(name, cls, value, method)) is not None:
            return result
        ran &= before  # what has run in vain is not looked at
    return None


def of_method(name: str, cls: type, value: Any, method: str) -> Result | None:
    """A method of a model that gives gradients or makes a step."""
    ways = [Objects(cls, value, one, widths=True) for one in (SMALL if value is None else SMALL[:1])]
    result = trials.best(reading for one in ways for reading in models.of_method(name, method, one))
    if result is None:
        result = trials.best(reading for one in ways for reading in passes.of_passes(name, one, method))
    if result is None or result.code != RIGHT:
        of_chain = boltzmann.examine(method, ways[0])
        if of_chain is not None and (result is None or of_chain.code == RIGHT):
            return of_chain
    if result is None:
        return inside.best(group for one in ways for group in in_its_lines(name, method, one))
    return readings.diagnosed(result) if result.code == WRONG else result


def of_cost(function: Callable, functions: Mapping[str, Callable]) -> Result | None:
    """A function that gives the gradient of a cost in a vector into which all parameters are unrolled, or in a script's arrays."""
    found = [with_globals(one) for one in in_one_or_two(functions) if function in one.parts]
    with np.errstate(all="ignore"):
        result = unrolled.best(found)
    if result is None:
        result = trials.best([one for one in found if one.fixed])
    return readings.diagnosed(result) if result is not None and result.code == WRONG else result
