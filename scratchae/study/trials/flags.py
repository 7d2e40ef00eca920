"""What hides a mistake in the object that was tried first: its sizes, or an option."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..diagnosis import GradientShapeError
from ..styles.text.calls import attributes
from .plan import BrokenError, Trial


def by_option(trial: Trial, first: Any, compared: Callable[[Trial], Any]) -> Trial:
    """A trial of an object of other sizes, named after the options in which the first is another, if it is right with those of the first."""
    ours, theirs = (attributes(getattr(one, "theirs", one)) for one in (first, trial.make()))
    told = {key: value for key, value in ours.items() if type(value) in (bool, str)}
    apart = {key: value for key, value in told.items() if key in theirs and theirs[key] != value}
    if trial.aspect != "size_of_layer" or not apart:
        return trial

    def make() -> Any:
        layer = trial.make()
        vars(getattr(layer, "theirs", layer)).update(apart)
        return layer

    try:
        report = compared(replace(trial, make=make))
    except (GradientShapeError, BrokenError):
        return trial
    words = [", ".join(f"{key}={of[key]!r}" for key in apart) for of in (theirs, ours)]
    right = report is not None and report.passed
    return replace(trial, aspect="option", says=f"with {words[0]}", other=f"with {words[1]}") if right else trial
