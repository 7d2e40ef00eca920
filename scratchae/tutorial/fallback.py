"""A second way to read what the first check cannot: as a value of several arrays, with gradients in any form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ShapeError
from ..study.styles import losses, matrices
from ..study.styles.classes import descending, methods
from ..study.styles.functions.scripts import with_globals
from ..study.styles.functions.two import in_one_or_two
from ..study.styles.objects.fresh import Objects
from ..study.styles.text.calls import required
from ..study.styles.text.names import plain
from ..study.styles.text.written import text_of
from ..study.trials import readings
from ..study.trials.result import RIGHT, WRONG, Result
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
    if (found := of_model(name, cls, value)) is not None:
        return found
    objects = Objects(cls, value)
    found = readings.best(methods.by_methods(name, objects), file)
    found = with_more(found, name, objects, file) if found is None or found.code == RIGHT else found
    return found or of_network(name, objects, file)


def with_more(result: Result | None, name: str, objects: Objects, file: Mapping[str, Any]) -> Result | None:
    """A right class, or one of which no gradients were found: wrong if its steps down its own loss are, or its Hessian."""
    for more in (descending.with_own_loss(name, objects), matrices.with_matrix_method(objects)):
        other = readings.best(more, file, by_trying=False)
        if other is not None and (result is None or other.code == WRONG):
            result = other
    return result


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
        return found
    result = with_fallback(lambda: check(name, value, cls, others, file), lambda: of_class(name, cls, value, file))
    if result.code == WRONG and (told := ON_PURPOSE.search(text_of(cls))):
        raise NotCheckableError(
            f"{name}: its gradient is not the derivative of its value, and its text says so: {told[0]}"
        )
    return with_more(result, name, Objects(cls, value), file) if result.code == RIGHT else result


def or_of_functions(
    name: str, functions: Mapping[str, Callable], check: Callable[..., Result], *arguments: Any
) -> Result:
    """A check of functions; where it cannot be done, those that belong to this one, as functions of several arguments."""

    def other(strict: bool = False) -> Result | None:
        found = (with_globals(one) for one in in_one_or_two(functions) if one.name == name)
        return readings.best(found, arguments[-1], strict)

    names = [plain(p.name) for p in required(functions[name])]
    a_loss = len(names) == 2 and (losses.looks_like_loss(name) or bool(WORDS & set(names)))
    return with_fallback(lambda: check(*arguments), other, believed=a_loss)


def in_part(result: Result) -> bool:
    """Whether what is right leaves out a parameter, or is nothing at all."""
    nothing = result.report is not None and not result.report.checks
    return result.code == RIGHT and bool(nothing or getattr(result.layer, "untrained", ()))


def with_fallback(check: Callable[[], Result], other: Callable[..., Result | None], believed: bool = True) -> Result:
    """A check, or another where it cannot be done. believed: a "wrong" of the first stands;
    else it falls if the other is right beyond doubt."""
    try:
        result, raised = check(), None
    except NotImplementedError:
        raise
    except Exception as error:
        result, raised = None, error
    if result is not None and result.code == RIGHT and not in_part(result):
        return result
    misshapen = result is not None and isinstance(result.error, ShapeError) and not result.tried.trials
    if result is not None and result.code == WRONG and misshapen and (found := other()) is not None:
        return found  # its gradients are those of something else
    if result is not None and result.code == WRONG and believed:
        return result
    if result is not None and result.code == WRONG:
        found = other(strict=True)
        return found if found is not None and found.code == RIGHT else result
    found = other()
    if found is not None and not (result is not None and in_part(found)):
        return found
    if raised is not None:
        raise raised
    if result.report is not None and not result.report.checks:
        raise NotCheckableError(f"{result.report.subject}: backward leaves no gradient that could be compared")
    return result
