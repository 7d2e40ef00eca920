"""A second way to read what the first check cannot: as a value of several arrays, with gradients in any form."""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..study.diagnosis.finding import Finding
from ..study.differences import TensorCheck
from ..study.styles import losses, matrices
from ..study.styles.classes import descending, methods, models
from ..study.styles.functions.scripts import with_globals
from ..study.styles.functions.three import without_cost
from ..study.styles.functions.two import in_one_or_two
from ..study.styles.objects.fresh import Objects
from ..study.styles.objects.held import held_by
from ..study.styles.objects.stacks import stacked
from ..study.styles.readings.several import Several
from ..study.styles.text.calls import required
from ..study.styles.text.names import partner, plain
from ..study.styles.text.written import text_of
from ..study.trials import batches, divergences, functions, inside, layers, learning, readings, whole
from ..study.trials.fits import UnsettledError
from ..study.trials.result import RIGHT, WRONG, Result, Tried
from .looked import unnoted
from .models import is_model, of_model
from .objects import NotCheckableError

# arguments of a loss
WORDS = {
    "target", "targets", "ytrue", "prediction", "predictions", "pred", "preds", "ypred", "yhat",
}  # fmt: skip
# what a text says of a backward that is to give another gradient than that of its forward
ON_PURPOSE = re.compile(
    r"straight[-_ ]?through|\bSTE\b|surrogate[-_ ]?(?:gradient|derivative)|grad(?:ient)?[-_ ]?rever(?:s|t)", re.I
)


def of_class(name: str, cls: type, value: Any, file: Mapping[str, Any]) -> Result | None:
    """A class whose values take several arguments, or whose gradients come in another form; None if nothing of it could be read."""
    return with_promises(read_as_class(name, cls, value, file), Objects(cls, value))


def read_as_class(name: str, cls: type, value: Any, file: Mapping[str, Any]) -> Result | None:
    if (found := of_model(name, cls, value)) is not None:
        return found
    objects = Objects(cls, value)
    found = readings.best(methods.by_methods(name, objects), file)
    found = with_more(found, name, objects, file) if found is None or found.code == RIGHT else found
    return found or of_network(name, objects, file) or (of_stack(name, cls) if value is None else None)


def of_stack(name: str, cls: type) -> Result | None:
    """A net of layers that makes steps, with layers of its file: right if what a step takes off is the gradient of the value that it
    returns, wrong if it is that turned round; None for all else, as the net may be meant for other layers."""
    steps = [key for key, one in inspect.getmembers(cls, inspect.isfunction) if descending.STEP.fullmatch(key)]
    net = stacked(cls) if steps else None
    for step in steps if net is not None else ():
        found = whole.best(models.of_method(name, step, Objects(cls, net)))
        turned = found is not None and found.report is not None and all(map(is_uphill, found.report.checks))
        if found is not None and (found.code == RIGHT or turned):
            return readings.diagnosed(found) if found.code == WRONG else found
    return None


def is_uphill(check: TensorCheck) -> bool:
    """Whether a gradient is the slope turned round, times a number."""
    ours, slope = check.analytic.ravel(), np.nan_to_num(check.numeric.ravel())
    along = float(ours @ slope)
    return along < 0 and along**2 > 0.9999 * float(ours @ ours) * float(slope @ slope)


def with_more(result: Result | None, name: str, objects: Objects, file: Mapping[str, Any]) -> Result | None:
    """A right class, or one of which no gradients were found: wrong if its steps down its own loss are, or its Hessian."""
    for more in (descending.with_own_loss(name, objects), matrices.with_matrix_method(objects)):
        other = readings.best(more, file, by_trying=False)
        if other is not None and (result is None or other.code == WRONG):
            result = other
    return result


def with_promises(result: Result | None, objects: Objects) -> Result | None:
    """A class that is right, or of which nothing could be read; wrong if its value is not what it is said to be, or the loop in which it
    trains does not descend."""
    if (result is None or result.code == RIGHT) and (faults := of_object(objects)):
        return Result(WRONG, "", findings=faults, tried=result.tried if result else Tried())
    return result


def of_object(objects: Objects) -> tuple[Finding, ...]:
    """What is wrong with the value of an object whose gradients fit it, or with the loop in which it trains."""
    found: list[Finding] = []
    for look in (divergences.of_shares, divergences.of_likelihood):
        with contextlib.suppress(Exception):  # it cannot be made, or is no such value
            found += look(objects.make(0))
    with contextlib.suppress(Exception):
        found += learning.faults(objects)
    with contextlib.suppress(Exception), unnoted(vars(sys.modules[objects.cls.__module__])):
        found += batches.faults(objects)
    return tuple(found)


def of_network(name: str, objects: Objects, file: Mapping[str, Any]) -> Result | None:
    """A net without a loss: right if its gradients are those of a usual one; wrong if some are, and others are not, or if the class says
    of which loss they are."""
    found = [readings.best([one], file) for one in descending.without_loss(name, objects)]
    told = len(descending.losses_of(objects.cls)) == 1
    known = [one for one in found if one is not None and (one.code == RIGHT or told or readings.partly(one))]
    return min(known, key=lambda one: one.code, default=None)


def or_several(
    check: Callable[..., Result], name: str, value: Any, cls: type, others: type | None, file: Mapping[str, Any]
) -> Result:
    """A check of a class; where it cannot be done, or leaves parameters unseen, the class as one of several arguments. A model comes
    before a loss: it holds parameters."""
    if getattr(check, "args", None) and is_model(cls, value) and (found := of_model(name, cls, value)) is not None:
        return with_promises(found, Objects(cls, value))
    result = with_fallback(
        lambda: check(name, value, cls, others, file), lambda: read_as_class(name, cls, value, file)
    )
    if result.code == WRONG and (found := of_added(name, Objects(cls, value), file)) is not None:
        result = found
    if result.code == WRONG and (told := ON_PURPOSE.search(text_of(cls))):
        raise NotCheckableError(
            f"{name}: its gradient is not the derivative of its value, and its text says so: {told[0]}"
        )
    if result.code == RIGHT:
        result = with_promises(with_more(result, name, Objects(cls, value), file), Objects(cls, value))
    several = not hasattr(result.layer, "theirs")  # a layer has been tried with other sizes
    if result.code == RIGHT and several and value is not None and others is not None and hides(value):
        result = of_other_sizes(name, cls, file) or result
    return result


def of_added(name: str, objects: Objects, file: Mapping[str, Any]) -> Result | None:
    """A layer that is right if what one of its methods gives is added to the loss; None if there is none."""
    with contextlib.suppress(Exception):
        for term, reading in methods.with_terms(name, objects):
            found = readings.best([reading], file, by_trying=False)
            if found is not None and found.code == RIGHT:
                found.tried.only.append(f"if what {term}() gives is added to the loss")
                faults = tuple(divergences.of_kept(objects.make(0), term))
                return Result(WRONG, "", findings=faults, tried=found.tried) if faults else found
    return None


def hides(value: Any) -> bool:
    """Whether an object of the file holds a matrix of equal sizes, such as 1, by which what is exchanged would not show."""
    arrays = [array.shape for _, array in held_by(value).values()]
    return any(len(shape) > 1 and shape[-1] == shape[-2] for shape in arrays)


def of_other_sizes(name: str, cls: type, file: Mapping[str, Any]) -> Result | None:
    """What is wrong with objects of other sizes than that of the file."""
    try:
        found = readings.best(methods.by_methods(name, Objects(cls)), file)
    except Exception:  # they cannot be made
        return None
    other = found is not None and found.code == WRONG and found.report is not None
    return replace(found, where="for objects of other sizes than that of the file") if other else None


def or_of_functions(
    name: str, functions: Mapping[str, Callable], check: Callable[..., Result], *arguments: Any
) -> Result:
    """A check of functions; where it cannot be done, those that belong to this one, as functions of several arguments."""

    def other(strict: bool = False) -> Result | None:
        found = [with_globals(one) for one in in_one_or_two(functions) if one.name == name]
        result, slope = readings.best(found, arguments[-1], strict), partner(name, functions)
        if result is not None or strict:
            return result
        result = inside.best(without_cost(slope, functions)) if slope else None
        if result is None and (raised := [error for one in found for error in one.raised]):
            raise raised[0]
        return result

    names = [plain(p.name) for p in required(functions[name])]
    a_loss = len(names) == 2 and (losses.looks_like_loss(name) or bool(WORDS & set(names)))
    return with_fallback(lambda: check(*arguments), other, believed=a_loss)


def best_of(found: Sequence[Several], file: Mapping[str, Any]) -> Result | None:
    """What several readings of functions come to; a right one is held against what its value is meant to be."""
    result = readings.best(found, file)
    if result is None or result.code != RIGHT:
        return result
    value = found[0].parts[0]
    faults = (*divergences.of_likelihood(value), *divergences.from_normal(value, len(required(value))))
    if faults and (faults[0].kind == "other_value" or divergences.is_promised(value)):
        return Result(WRONG, "", findings=faults, tried=result.tried)
    return (
        replace(result, report=replace(result.report, findings=(*result.report.findings, *faults)))
        if faults
        else result
    )


def in_part(result: Result) -> bool:
    """Whether what is right leaves out a parameter, or is nothing at all."""
    nothing = result.report is not None and not result.report.checks
    return result.code == RIGHT and bool(nothing or getattr(result.layer, "untrained", ()))


def is_undefined(result: Result) -> bool:
    """Whether the value is no number for the arrays that were tried, so that no gradient is."""
    checks = result.report.checks if result.report is not None else ()
    return any(np.isnan(check.numeric).all() for check in checks if not check.passed)


# findings about the value or what is kept, of which another reading of the gradients says nothing
BESIDE = {"not_a_divergence", "other_value", "running_average", "mask_scale"}


def stands(result: Result) -> bool:
    """Whether what is wrong stays so, whatever another reading of the gradients says: it is not about them, or shows with other options,
    or for more axes, of which the text speaks."""
    more_axes = result.where.startswith("for x with") and result.layer is not None
    return (
        any(one.kind in BESIDE for one in result.findings)
        or result.where.startswith("with ")
        or (more_axes and layers.any_axes(result.layer))
    )


def found_with_data(result: Result | None) -> bool:
    """Whether what is right was handed arrays: an update by itself says nothing of a backward that raised an error."""
    return result is None or result.code != RIGHT or bool(result.tried.shapes)


def with_fallback(check: Callable[[], Result], other: Callable[..., Result | None], believed: bool = True) -> Result:
    """A check, or another where it cannot be done. believed: a "wrong" of the first stands, as does one of which other options were right;
    else it falls if the other is right beyond doubt."""
    try:
        result, raised = check(), None
    except NotImplementedError:
        raise
    except Exception as error:
        result, raised = None, error
    unsettled = result is not None and isinstance(result.error, UnsettledError) and result.tried.trials
    if unsettled or (result is not None and result.code == RIGHT and not in_part(result)):
        return result
    amiss = result is not None and (
        (isinstance(result.error, ShapeError) and not result.tried.trials) or is_undefined(result)
    )
    if result is not None and result.code == WRONG and amiss and (found := other()) is not None:
        return found  # its gradients are those of something else, or it is meant for other numbers
    if result is not None and result.code == WRONG and (believed or stands(result)):
        return result
    if result is not None and result.code == WRONG:
        found = other(strict=True)
        return found if found is not None and found.code == RIGHT else result
    found = other()
    by_itself = functions.raised_in_backward(raised or result.error) and not found_with_data(found)
    if found is not None and not (result is not None and in_part(found)) and not by_itself:
        return found
    if raised is not None:
        raise raised
    if result.report is not None and not result.report.checks:
        raise NotCheckableError(f"{result.report.subject}: backward leaves no gradient that could be compared")
    return result
