"""The trials of a loop of a script: from arrays that are moved, the gradients of what it descends, and its step along them."""

from __future__ import annotations

import ast
import contextlib
import itertools
import linecache
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..diagnosis.finding import finding
from ..styles.functions.loops import Loop, end, values
from ..styles.functions.trained import Script, Trained
from ..styles.objects.paths import get
from ..styles.readings.several import Arrays, Several, UnlikeError
from . import directions
from .called import of_own_calls
from .fitting import Fitting
from .readings import diagnosed
from .result import RIGHT, WRONG, Result
from .several import trials
from .whole import found_for, is_penalised

# a step that is on purpose no multiple of the gradient
NOT_ALONG = re.compile(r"sqrt|\*\* ?0?\.5|adam|rms|clip|decay|1\.? - \w*(?:beta|mom|mu|rho)", re.I)
SECONDS = 10.0  # for one comparison


@np.errstate(all="ignore")
def examine(place: Script | Trained) -> Result | None:
    """Right if its gradients are those of one value; else wrong for what the file calls its loss; None if no value was found."""
    worst, most = None, 0
    for told, how, value in values(place.body):
        for thing, fitting, held, by_name in itertools.islice(readings(place, value, how), 5):
            result = trials(thing, fitting, False)
            if result.report is None:
                continue
            result.tried.left_out.clear()  # data are constants
            if result.code == WRONG and how != "kept" and is_penalised(thing.complete(fitting(0, 0), 0), result):
                result.tried.only.append(f"with a penalty on {', '.join(held)} that is not in {told}")
                result = replace(result, code=RIGHT)
            elif how == "usual" or (thing.updates and by_name):
                result.tried.only.append(f"for a multiple of {told}")
            if result.code == RIGHT:
                return along(place.loop(fitting(0, 0)), held, result)
            if result.agreed > most or (how == "named" and worst is None):
                worst, most = result, np.inf if how == "named" else result.agreed
    if worst is None:
        text = "".join(linecache.getlines(place.source.__code__.co_filename))
        return directions.examine(place.body, text) if isinstance(place, Script) else None
    result = diagnosed(worst)
    faults = tuple(found for found in result.report.findings if found.fault)
    return replace(result, report=replace(result.report, findings=faults))


def readings(
    place: Script | Trained, value: Callable, how: str
) -> Iterator[tuple[Several, Fitting, list[str], bool]]:
    """The value and the gradients of what is trained, with arguments that fit: the arrays with their names, or else what the lines of
    the pass take off. They may be a multiple of the gradients, unless their names and that of the value are those of a gradient and a loss."""
    held: list[str] = []

    def arrays(arguments: Arrays) -> Arrays:
        try:
            loop = place.loop(arguments)
            if not held:
                held.extend(name for name in loop.changed if moves(loop, value, name))
            return loop.arrays(held)
        except Exception:  # arguments that do not fit
            return {}

    def run(arguments: Arrays, upstream: Callable) -> tuple[list, list]:
        loop, moved = place.loop(arguments), {name: arguments[name] for name in held}
        after = loop.once(moved, still=True)
        found = loop.gradients(after, held)
        if found.keys() != moved.keys():
            if not held or not steps_itself(loop, held):
                raise UnlikeError
            found = taken_off(loop, moved)
        return [number(value(loop, after))], list(found.items())

    def outputs(arguments: Arrays) -> list:
        loop = place.loop(arguments)
        return [number(value(loop, loop.once({name: arguments[name] for name in held}, still=True)))]

    thing = Several(
        place.name, place.source, place.needed, run, {}, arrays, updates=True, descends=True,
        settings=place.settings, cls=place.cls, fixed=isinstance(place, Script), parts=(), value=outputs,
    )  # fmt: skip
    for fitting in [Fitting({}, {}, False, 0)] if thing.fixed else fittings(thing):
        with contextlib.suppress(Exception):
            held.clear()
            loop = place.loop(fitting(0, 0))
            tensors = arrays(fitting(0, 0))
            by_name = loop.gradients(loop.once(tensors, still=True), held).keys() == tensors.keys()
            if held and not too_long(loop, tensors):
                if by_name and how != "usual":
                    yield replace(thing, updates=False), fitting, list(held), by_name
                if not by_name or how != "named":
                    yield thing, fitting, list(held), by_name


def fittings(thing: Several) -> Iterator[Fitting]:
    """Arguments of a function or method that trains: of usual sizes, or those that its file hands over."""
    yield from found_for(thing)
    if thing.cls is None:
        yield from of_own_calls(thing.source, [p.name for p in thing.parameters])


def moves(loop: Loop, value: Callable, name: str) -> bool:
    """Whether the value is another number with another array of this name."""
    array = loop.arrays([name])[name]
    try:
        first, second = (number(value(loop, loop.once({name: one}))) for one in (array, 1.1 * array + 0.1))
    except Exception:
        return False
    return first != second


def number(found: Any) -> float:
    if np.size(found) != 1 or np.asarray(found).dtype.kind != "f":
        raise UnlikeError
    return float(np.reshape(found, ()))


def steps_itself(loop: Loop, held: Collection[str]) -> bool:
    """Whether the pass changes these by lines of its own, and not by an optimizer."""
    return {end(loop.changed[name]) for name in held} <= loop.stored


def too_long(loop: Loop, tensors: Arrays) -> bool:
    """Whether central differences of all numbers take longer than a check may."""
    start = time.perf_counter()
    loop.once(tensors, still=True)
    return (time.perf_counter() - start) * 2 * sum(array.size for array in tensors.values()) > SECONDS


def taken_off(loop: Loop, arguments: Arrays) -> Arrays:
    """What a pass takes off arrays, in a step without a past: what else it changes, such as a velocity, begins with zeros."""
    past = {name: np.zeros_like(array) for name, array in loop.arrays(loop.changed).items() if array.ndim}
    after = loop.once(past | arguments)
    return {name: array - np.asarray(get(after, loop.changed[name])) for name, array in arguments.items()}


def along(loop: Loop, held: Collection[str], result: Result) -> Result:
    """What is right; or wrong, if a gradient is computed after a parameter has changed, or the step is not along the gradients."""
    tensors = loop.arrays(held)
    slopes, in_passing = (loop.gradients(loop.once(tensors, still), held) for still in (True, False))
    late = tuple(name for name in slopes if not np.allclose(slopes[name], in_passing[name], rtol=1e-9, atol=1e-12))
    if late:
        evidence = f"∂L/∂{late[0]} is another where the lines that change {', '.join(held)} are left out"
        return replace(result, code=WRONG, report=None, findings=(finding("updated_first", late, evidence),))
    if not steps_itself(loop, held):
        return result
    if NOT_ALONG.search(ast.unparse(ast.Module(loop.body, []))):
        result.tried.left_out.append(
            "the step, which is no multiple of the gradient: the gradients alone were checked"
        )
        return result
    points = [tensors, {name: 1.3 * array + 0.2 for name, array in tensors.items()}]
    steps = joined(taken_off(loop, one) for one in points)
    slopes = joined(loop.gradients(loop.once(one, still=True), held) for one in points)
    for name, step in steps.items():
        if name in slopes and np.any(step) and not is_multiple(step, slopes[name]):
            other = next((f", but of that of {one}" for one in slopes if is_multiple(step, slopes[one])), "")
            place = np.abs(slopes[name]).argmax()
            evidence = f"{step[place]:.6g} is taken off where the gradient is {slopes[name][place]:.6g}"
            which = f"what is taken off {name} is no multiple of its gradient{other}"
            fault = finding("optimizer", (), evidence, which=which)
            return replace(result, code=WRONG, report=None, findings=(fault,))
    return result


def joined(points: Iterable[Arrays]) -> Arrays:
    """All numbers of each array, at one point after the other."""
    points = list(points)
    return {name: np.concatenate([np.ravel(one[name]) for one in points]) for name in points[0]}


def is_multiple(step: np.ndarray, slope: np.ndarray) -> bool:
    """Whether a step is the gradient times one number above 0, wherever it is taken."""
    if step.shape != slope.shape:
        return False
    rate = step @ slope / max(slope @ slope, 1e-300)
    return rate > 0 and np.allclose(step, rate * slope, rtol=1e-6, atol=1e-9 * np.abs(step).max())
