"""A function that clips gradients, against its definition: by the norm of all, by that of each array, or number by number."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..diagnosis.finding import finding
from ..styles.objects.copies import duplicate
from ..styles.text.calls import required
from ..styles.text.written import notes_of
from .result import RIGHT, UNUSABLE, WRONG, Result, Tried

Arrays = list[np.ndarray]
LIMIT = 2.0


def is_clipping(name: str, function: Callable) -> bool:
    """Whether a function clips gradients, by its name and its arguments: the gradients, and a limit."""
    return (
        "clip" in name.lower()
        and bool(re.search("grad|norm", name + str([p.name for p in required(function)])))
        and len(required(function)) in (1, 2)
    )


def of_all(grads: Arrays) -> Arrays:
    norm = np.sqrt(sum(float((g**2).sum()) for g in grads))
    return [g * min(1.0, LIMIT / norm) for g in grads]


def of_each(grads: Arrays) -> Arrays:
    return [of_all([g])[0] for g in grads]


def by_value(grads: Arrays) -> Arrays:
    return [np.clip(g, -LIMIT, LIMIT) for g in grads]


DEFINITIONS: dict[str, Callable[[Arrays], Arrays]] = {
    "by the norm of all gradients, g · min(1, limit / √Σ‖g‖²)": of_all,
    "by the norm of each array, g · min(1, limit / ‖g‖)": of_each,
    "number by number, min(max(g, -limit), limit)": by_value,
}


def meant(name: str, function: Callable) -> list[str]:
    """The definitions that the name and the comments allow."""
    together, each, value = DEFINITIONS
    told = f"{name} {notes_of(function)} {[p.name for p in required(function)]}".lower()
    if "value" in name.lower() or ("norm" not in told and re.search("elementwise|element|value|range", told)):
        return [value]
    if re.search("joint|global|total|all |whole", told):
        return [together]
    return [together, each] if "norm" in told else [together, each, value]


def forms(grads: Arrays) -> Iterator[tuple[Any, Callable[[Any], Arrays]]]:
    """The ways to hand over gradients: what is handed over, and the arrays in something of that form."""
    yield list(grads), lambda found: [np.asarray(g) for g in found]
    yield dict(zip(("W", "b", "V"), grads, strict=False)), lambda found: [np.asarray(g) for g in found.values()]
    if len(grads) == 1:
        yield grads[0], lambda found: [np.asarray(found)]


def clipped(function: Callable, form: int, grads: Arrays) -> Arrays:
    """The gradients as a function leaves or returns them."""
    given, read = list(forms(duplicate(grads)))[form]
    options = {} if len(required(function)) == 1 else {required(function)[1].name: LIMIT}
    found = function(given, **options)
    if isinstance(found, tuple) and len(found) == 2 and type(found[0]) is type(given):
        found = found[0]  # beside the norm
    return read(found if type(found) is type(given) else given)


def examine(name: str, function: Callable) -> Result:
    """Check a function that clips gradients, for gradients within the limit and beyond it."""
    tried, wrong, count = Tried(), None, len(required(function))
    rng = np.random.default_rng(0)
    drawn = [
        [scale * rng.standard_normal(shape) for shape in shapes]
        for shapes in (((3, 2), (2,), (4,)), ((3, 4),))
        for scale in (0.1, 1.0, 5.0)
    ]
    allowed = meant(name, function)
    for form in (0, 1, 2):
        paths = []
        try:
            for grads in drawn if form < 2 else drawn[3:]:
                found = clipped(function, form, grads)
                paths.append((grads, found))
        except NotImplementedError:
            raise
        except Exception as error:
            wrong = wrong or Result(UNUSABLE, "", error=error)
            continue
        tried.trials = len(paths)
        for words in allowed if count == 2 else ():
            if all(near(found, DEFINITIONS[words](grads)) for grads, found in paths):
                return Result(RIGHT, f"it clips {words}", tried=tried)
        grads, found = next((p for p in paths if not near(p[1], DEFINITIONS[allowed[0]](p[0]))), paths[0])
        norms = [np.sqrt(sum(float((g**2).sum()) for g in one)) for one in (grads, found)]
        evidence = (
            f"for a limit of {LIMIT:g} and gradients of norm {norms[0]:.4g}, what comes out has norm {norms[1]:.4g}"
        )
        fault = finding("clipping", (), evidence, which=allowed[0])
        if count == 2 and (wrong is None or wrong.code == UNUSABLE):
            wrong = Result(WRONG, "", findings=(fault,), tried=tried)
    return wrong or Result(
        UNUSABLE, "", error=TypeError(f"{name}: it wants the gradients and a limit, without a default")
    )


def near(found: Arrays, wanted: Arrays) -> bool:
    """Equal up to the small number that is often added to a norm."""
    return len(found) == len(wanted) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-5, atol=1e-7) for a, b in zip(found, wanted, strict=True)
    )
