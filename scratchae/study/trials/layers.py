"""The trials of a layer: shapes, batch sizes, parameters off their start, options, modes."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...layers import Layer
from ..diagnosis import GradientShapeError, require_shapes
from ..diagnosis.experiment import LayerExperiment
from ..diagnosis.finding import Finding, finding
from ..differences import GradientReport, Index
from ..gradcheck import accepted, check_gradients, check_layer, parameters, random_streams
from ..styles.layers.joined import Joined
from ..styles.losses import TARGETS
from ..styles.objects.constructed import Made
from ..styles.text.calls import INPUTS, backward_of, required
from ..styles.text.names import BACKWARD, RATES, plain
from ..styles.text.written import notes_of, text_of
from . import jumps, promises
from .first import begin, is_meant, one_column_only, small
from .fits import UnsettledError
from .flags import by_option
from .inputs import SHAPES, candidates
from .made import others, with_other_options
from .plan import BrokenError, Trial, fits, like, plan, ready, takes
from .result import RIGHT, UNUSABLE, WRONG, Result, Tried

SECONDS = 3.0  # after this no further trial is begun
ELEMENTS = 40  # how many numbers of a tensor are moved in a trial after the first
UNSETTLED_MODE = (
    "in inference forward keeps something for backward, but backward multiplies by what the last training drew"
)
SLOW = 2e-4  # seconds that a forward takes, from which on a trial moves all numbers of a tensor at once first

# what says that x may have more axes, and code that asks how many it has
ANY_AXES = re.compile(
    r"any (?:number|count) of (?:\w+ )?(?:axes|dimensions|dims)|any shape|arbitrary (?:\w+ )?(?:shape|number|axes|dim)|\(\s*\.\.\.\s*,"
    r"|whatever (?:\w+ )?(?:axes|dimensions|dims|shape)",
    re.I,
)
COUNTED_AXES = re.compile(r"range\((?:\w+, )?(?:\w+\.ndim|len\(\w+\.shape\))")


def any_axes(layer: Layer) -> bool:
    """Whether a layer is meant for any number of axes: its author says so, or its code runs over all of them."""
    theirs = getattr(layer, "theirs", layer)
    parts = (theirs._value, theirs._derivative) if isinstance(theirs, Joined) else (type(theirs),)
    return any(ANY_AXES.search(notes_of(one)) or COUNTED_AXES.search(text_of(one)) for one in parts)


def some(limit: int) -> Callable[[np.ndarray], list[list[Index]]]:
    """Elements to move, drawn at random where there are too many."""

    def elements(gradient: np.ndarray) -> list[list[Index]]:
        places = list(np.ndindex(*gradient.shape))
        if len(places) > limit:
            rng = np.random.default_rng(gradient.size)
            places = [places[i] for i in np.sort(rng.permutation(len(places))[:limit])]
        return [places]

    return elements


def compared(trial: Trial) -> GradientReport | None:
    """The gradients in a trial; None if forward does not take it. Raises GradientShapeError or BrokenError."""
    try:
        layer = trial.make()
        experiment = LayerExperiment(layer, trial.x, 0, trial.noise)
        subject, start = experiment.fresh(), time.process_time()
        y = experiment.value(subject, experiment.inputs)
        slow = time.process_time() - start > SLOW
    except NotImplementedError:
        raise
    except Exception as error:
        if isinstance(error, GradientShapeError | BrokenError):
            raise
        return None
    if y.dtype.kind != "f" or y.size == 0 or not np.isfinite(y).all():
        return None
    try:
        require_shapes(experiment)
        if slow and agrees(experiment):
            return GradientReport(repr(layer), ())
        return check_layer(
            layer, trial.x, random_streams(trial.x, 0 if trial.noise else None), 0, elements=some(ELEMENTS)
        )
    except GradientShapeError:
        raise
    except Exception as error:
        raise BrokenError(str(error)) from error


def agrees(experiment: LayerExperiment) -> bool:
    """Whether the slopes along random directions of each tensor are those of its gradient."""
    y, gradients = experiment.run()
    r = experiment.upstream(y)
    for name in experiment.names():
        for seed in (0, 1):
            subject = experiment.fresh()
            inputs = {key: array.copy() for key, array in experiment.inputs.items()}
            tensor = experiment.tensor(subject, inputs, name)
            direction = 1e-6 * np.random.default_rng(seed).standard_normal(tensor.shape)
            tensor += direction
            above = experiment.value(subject, inputs)
            tensor -= 2 * direction
            change = float((r * (above - experiment.value(subject, inputs))).sum()) / 2
            parts = gradients[name] * direction
            if not abs(change - parts.sum()) <= 1e-6 * np.sqrt((parts**2).sum()) + 1e-15 * np.abs(r * y).sum():
                return False
    return True


def examine(
    name: str,
    value: Any,
    *,
    given: np.ndarray | None = None,
    cls: type | None = None,
    alone: bool = False,
    averaged: bool = False,
) -> Result:
    """Check a layer under every condition that its code offers.

    given: an input of the file, which is used and varied. cls: its class, if other objects of it may be made for the trials.
    alone: only this x, not varied. averaged: the gradients of its parameters are averaged over the columns of x.
    """
    tried, start = Tried(), time.process_time()
    x, error = begin(value, None if given is None else accepted(value, small(given)))
    if x is None and given is not None and not alone:
        tried.left_out.append(f"x of the file, of shape {given.shape}, which {name}.forward does not take")
        x, error = begin(value, None)
    if x is None:
        return Result(UNUSABLE, "", error=error, shape=SHAPES[0] if given is None else given.shape)
    generic = x
    if given is not None and not alone and x.dtype.kind == "f":
        generic = like(x, x.shape, 1)
        if takes(value, generic) is not None or not fits(value, generic):
            generic = x
    tried.trials, tried.shapes = 1, [str(x.shape)]
    try:
        layer = ready(value, x)
        if averaged:
            layer.averaged = True
    except ValueError as error:
        if not (is_meant(value, x) and breaks(value, error)):
            raise
        tried.left_out.append("what backward gives: it raises an error for every x that forward takes")
        return Result(WRONG, "", error=error, tried=tried)
    with np.errstate(all="ignore"):
        try:
            report = check_gradients(layer, x)
        except GradientShapeError as error:
            return Result(WRONG, "", error=error, tried=tried)
        if not report.passed:
            better = check_gradients(layer, generic) if generic is not x else report
            return Result(WRONG, "", report=report if better.passed else better, layer=layer, tried=tried)
        for trial in plan(value, layer, x, generic, cls, tried) if not alone else ():
            if time.process_time() - start > SECONDS:
                tried.left_out.append(f"what comes after {tried.trials} trials, for want of time")
                break
            if wrong := run(trial, tried, layer):
                return wrong
        for made in [Made(value, ""), *others(cls), *with_other_options(value)] if not alone else ():
            if wrong := promised(made, generic, tried):
                return wrong
        if cls is not None and (faults := tuple(promises.exchanged_share(cls, generic))):
            return Result(WRONG, "", findings=faults, tried=tried)
    if not alone and one_column_only(value, x):
        tried.only.append("for one example, as x with one column")
    report = replace(report, findings=(*report.findings, *promises.unstable(layer, x), *jumps.of_layer(layer, x)))
    if getattr(getattr(layer, "theirs", None), "_of_output", False):
        tried.only.append("if the derivative is handed the output y of the function, and not its x")
    return Result(RIGHT, "", report=report, layer=layer, tried=tried)


def promised(made: Made, x: np.ndarray, tried: Tried) -> Result | None:
    """A result only if an object does not keep what it promises beside its gradients, on an x like this one."""
    found = next((one for one in [x, *candidates()] if one.ndim == x.ndim and takes(made.value, one) is None), None)
    try:
        layer = ready(made.value, found)
    except Exception:
        return None
    idle = () if made.option else promises.idle_penalty(made.value)
    faults = (*promises.broken(layer, found, not made.option), *idle)[:1]
    return (
        Result(WRONG, "", where=f"with {made.option}" if made.option else "", findings=faults, tried=tried)
        if faults
        else None
    )


def breaks(value: Any, error: BaseException) -> bool:
    """Whether arrays do not fit together in a person's own backward, which is handed nothing but dy and a learning rate."""
    first, *others = [plain(p.name) for p in required(getattr(value, backward_of(value)))] or [""]
    if first in INPUTS | TARGETS or not set(others) <= RATES:
        return False
    frames = traceback.extract_tb(error.__traceback__)
    ours, theirs = Path(__file__).parents[2], [frame for frame in frames if frame.name in BACKWARD]
    own = [frame for frame in theirs if ours not in Path(frame.filename).parents]
    return bool(own) and bool(re.search("shape|broadcast|dimension|mismatch|align", str(error)))


def run(trial: Trial, tried: Tried, first: Layer) -> Result | None:
    """Run one trial. Returns a result only if something is wrong in it."""
    tight = trial.aspect in ("batch", "moved", "given") or (
        trial.aspect == "sizes" and not any(1 in array.shape for array in [trial.x[0], *parameters(first).values()])
    )
    tight = tight or (trial.aspect == "axes" and 1 not in trial.x.shape and any_axes(first))
    try:
        report = compared(trial)
    except GradientShapeError as error:
        if tight or trial.aspect in ("option", "size_of_layer"):
            return Result(WRONG, "", where=trial.says, findings=(error.finding, hidden(trial, "")), tried=tried)
        tried.left_out.append(
            f"{without_example(trial)}: forward takes it, and the gradients come out in another shape"
        )
        return None
    except BrokenError as error:
        if trial.aspect in ("batch", "size_of_layer"):
            return Result(WRONG, "", where=trial.says, error=error.__cause__, tried=tried)
        cause = error.__cause__
        tried.left_out.append(
            f"{without_example(trial)}: forward takes it, and backward raises {type(cause).__name__}"
        )
        return None
    if report is None:
        return None
    note(trial, tried)
    if report.passed:
        without_penalties(trial.make(), tried)
        return None
    means = getattr(first, "theirs", None)
    if trial.fresh is not None and not runs(trial.fresh(), trial.x) and not promises.beside_infers(means, trial.x):
        if promises.prepares(trial.fresh(), trial.x):
            return Result(UNUSABLE, "", error=UnsettledError(UNSETTLED_MODE), tried=tried)
        tried.left_out.append("backward after a forward in inference, which needs what a forward in training keeps")
        return None
    full = check_gradients(trial.make(), trial.x, noise=trial.noise)
    if full.passed:  # it was a corner, which the full comparison leaves out
        return None
    if (
        trial.aspect == "batch"
        and 1 in trial.x.shape
        and all(check.passed or np.isnan(check.error) for check in full.checks)
    ):
        tried.left_out.append("a batch of 1, for which the gradients are NaN: one example has no spread")
        return None
    known = [found for found in full.findings if found.kind != "unknown"]
    evidence = full.findings[0].evidence if full.findings else ""
    context = hidden(by_option(trial, first, compared), evidence)
    return Result(
        WRONG, "", where=trial.says, report=replace(full, findings=(context, *known)), layer=first, tried=tried
    )


def runs(layer: Layer, x: np.ndarray) -> bool:
    """Whether backward runs after a forward in inference if there was no training before, without which it is hardly meant to."""
    try:
        layer.backward(np.ones_like(layer.forward(x.copy(), None)))
    except Exception:
        return False
    return True


def without_penalties(layer: Layer, tried: Tried) -> None:
    """Say that the gradients of penalties were seen, and that y has no part in them."""
    if names := list(getattr(layer, "penalties", {})):
        tried.left_out.append(
            f"the penalty that backward adds to {', '.join('∂L/∂' + n for n in names)}: y has no part in it"
        )


def without_example(trial: Trial) -> str:
    return trial.says.partition(", such as")[0].removeprefix("for ")


def note(trial: Trial, tried: Tried) -> None:
    tried.trials += 1
    if str(trial.x.shape) not in tried.shapes:
        tried.shapes.append(str(trial.x.shape))
    tried.batches.add(len(trial.x))
    if trial.aspect == "option":
        tried.options.append(trial.says.removeprefix("with "))
    if trial.aspect == "mode":
        tried.modes.append(trial.says.removeprefix("in "))


def hidden(trial: Trial, evidence: str) -> Finding:
    """A mistake that shows in one trial and not in the first."""
    words = {"where": trial.says, "other": trial.other}
    if trial.aspect == "moved":
        words["names"] = " or ".join(hiding(trial)) or "every parameter"
    return finding(f"hidden_by_{trial.aspect}", (), evidence, **words)


def hiding(trial: Trial) -> list[str]:
    """The parameters that hide the mistake: moved alone, each shows it."""
    found = []
    for name in parameters(trial.make()):
        alone = replace(trial, make=lambda name=name: trial.make.__wrapped__(name))
        try:
            report = compared(alone)
        except (GradientShapeError, BrokenError):
            report = None
        if report is not None and not report.passed:
            found.append(name)
    return found
