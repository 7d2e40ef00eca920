"""What a diagnosis runs of a reading: the value and the gradients of some of its tensors, while all else is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..diagnosis.experiment import FunctionExperiment
from ..styles.readings.several import Several
from ..styles.text.names import RATES, plain
from .terms import copied, evaluated, tensors_of


@dataclass
class Way:
    """Which of the gradients that came back belongs to which tensor. less: the tensor has been added to it; factor: what it is
    multiplied by."""

    places: dict[str, int]
    less: bool
    factor: float

    def __call__(
        self, labelled: Sequence[tuple[str, Any]], tensors: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        return {
            name: self.factor * (np.asarray(labelled[i][1], float) - (tensors[name] if self.less else 0))
            for name, i in self.places.items()
        }


def way_of(labelled: Sequence[tuple[str, Any]], found: Mapping[str, np.ndarray], less: bool, factor: float) -> Way:
    """The way in which gradients were found among those that came back."""
    places = {}
    for name, array in found.items():
        same = (i for i, (_, value) in enumerate(labelled) if value is array)
        alike = (i for i, (_, value) in enumerate(labelled) if np.array_equal(value, array))
        places[name] = next(same, next(alike, 0))
    return Way(places, less, factor)


def put(arguments: dict[str, Any], name: str, array: np.ndarray) -> None:
    """Hands over another tensor: an argument, or what a dict among them has under a key."""
    if name in arguments:
        arguments[name] = array
        return
    for place, value in arguments.items():
        for key in value if isinstance(value, dict) else ():
            if f"{place}[{key}]" == name:
                arguments[place] = value | {key: array}


def rate_of(thing: Several, arguments: Mapping[str, Any]) -> float | None:
    """The rate of a step, such as eta=0.1, if it is handed one."""
    for p in (*thing.parameters, *thing.settings):
        value = arguments.get(p.name, p.default)
        if plain(p.name) in RATES and isinstance(value, int | float) and value > 0:
            return float(value)
    return None


def experiment_of(
    thing: Several, arguments: Mapping[str, Any], way: Way, wrong: Sequence[str], right: Sequence[str], free: bool
) -> FunctionExperiment:
    """The value as a function of the tensors whose gradients are wrong; the right ones come back too. free: all are to be multiplied by
    a number that is not known, such as 1 / rate."""

    def function(*arrays: np.ndarray) -> tuple:
        moved = copied(arguments)
        for name, array in zip(wrong, arrays, strict=True):
            put(moved, name, array)
        terms, labelled = evaluated(thing, moved)
        found = way(labelled, tensors_of(moved))
        return (terms.sum(), *(found[name] for name in (*wrong, *right)))

    function.source, function.right, function.free = thing.source, tuple(right), free
    tensors = tensors_of(arguments)
    return FunctionExperiment(function, {name: tensors[name] for name in wrong})
