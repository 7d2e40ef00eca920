"""Whether a reading of a value of several arrays runs on arguments."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ...errors import ScratchaeError
from ..styles.readings.assigned import assigned, last_of, stems_of_label
from ..styles.readings.several import Several, UnlikeError
from ..styles.text.names import stem, stems_of_gradient
from ..styles.text.written import text_of
from .blamed import blamed, ran_in
from .fitting import SINGLE, WEIGHTS, Fitting
from .misshapen import others
from .result import Result
from .room import guessing
from .terms import arguments_of, evaluated, tensors_of

LARGE = 1000


class UnsettledError(ScratchaeError):
    """The gradients are not those of the value for the arrays that were tried, and others may be meant."""


def unsettled(thing: Several) -> str:
    names = [p.name for p in thing.parameters]
    example = "; ".join(f"{name} = np.random.randn(4, 3)" for name in names[:2])
    return (
        f"{thing.name}: for the arrays that were tried, the gradients are not those of the value, but what is meant by "
        f"{', '.join(names)} was not found out in time. Write such arrays into the file: {example}"
    )


def shows_less(thing: Several, wrong: Result, chosen: Mapping[str, str], accused: Mapping[str, str]) -> bool:
    """Whether what is right for some arguments is no proof, since mistakes would not show that show with others, which were wrong."""
    names = [check.name for check in wrong.report.checks] if wrong.report else []
    if any(accused.get(name, kind)[0] == "l" != kind[0] for name, kind in chosen.items()):
        return True  # numbers below 1 in place of whole numbers of steps, which run, leave one step of each
    return (
        alone(thing, chosen, accused) or of_one_size(chosen, accused) or of_fewer_axes(thing, names, chosen, accused)
    )


def alone(thing: Several, chosen: Mapping[str, str], accused: Mapping[str, str]) -> bool:
    """Whether there is one example where several were wrong, of functions that ask how many there are: it hides a mean and a sum."""
    one = any("1" in kind and "N" not in kind and "N" in accused.get(name, "") for name, kind in chosen.items())
    return one and any(re.search(r"\.shape\[[01]\]|\blen\(", text_of(part)) for part in thing.parts)


def of_fewer_axes(
    thing: Several, names: Collection[str], chosen: Mapping[str, str], accused: Mapping[str, str]
) -> bool:
    """Whether the data with these names have fewer axes than where others were wrong, of functions that speak of axes: what is summed
    over the wrong ones, or over none, does not show."""
    data = [name for name in names if name in chosen and name in accused and not WEIGHTS.fullmatch(name)]
    axes = [max((len(kinds[name]) for name in data), default=0) for kinds in (chosen, accused)]
    return axes[0] < axes[1] and any(
        re.search(r"\baxis\b|\baxes\b|(?:sum|mean)\(\d", text_of(part)) for part in thing.parts
    )


def of_one_size(chosen: Mapping[str, str], accused: Mapping[str, str]) -> bool:
    """Whether sizes are equal where others were wrong, which hides what is divided by the wrong one of two; or one of three axes is 1."""
    sizes: dict[str, str] = {}
    for name, kind in chosen.items():
        other = accused.get(name, "")
        if other in SINGLE:
            continue
        if kind[0] != other[:1] or len(kind) != len(other):
            return False
        if any(sizes.setdefault(before, now) != now for before, now in zip(other[1:], kind[1:], strict=True)):
            return False
    deep = any(len(kind) > 3 for kind in chosen.values())
    return len({*sizes.values()}) < len(sizes) or (
        deep and any("1" == now != before for before, now in sizes.items())
    )


def written(thing: Any) -> Any:
    """Arguments as something that can be compared at once."""
    if isinstance(thing, np.ndarray) and thing.size < LARGE:
        return thing.shape, thing.dtype.char, thing.tobytes()
    if isinstance(thing, dict):
        return tuple((name, written(one)) for name, one in thing.items())
    return thing if isinstance(thing, int | float | str | None) else id(thing)


class Fits:
    """Whether a reading runs on arguments, and its gradients have the shapes of their tensors. Gives up where its form is another.

    whole: no array that comes back may be left without a tensor. strict: it may belong to one tensor only. near: whether all that was
    amiss, once, were the shapes of some gradients.
    """

    def __init__(self, thing: Several, whole: bool, strict: bool):
        self.thing, self.whole, self.strict, self.unlike, self.near = thing, whole, strict, 0, False
        self.names, self.blamed = arguments_of(thing, ()), frozenset()

    def on(self, fitting: Fitting, sizes: int, seed: int) -> bool | None:
        """Whether it runs on these arguments, which are not made if it has refused them. blamed: then the arguments that do not fit together."""
        about = (sizes, seed, fitting.positive, *fitting.chosen.items(), *fitting.given, *fitting.held.items())
        key = hash(about)
        self.blamed = frozenset(fitting.chosen)
        return self.refusal(key) if key in self.thing.refused else self(fitting(sizes, seed), key)

    def refusal(self, key: int) -> bool | None:
        if self.unlike >= 150:
            raise UnlikeError
        error, names = self.thing.refused[key]
        self.unlike += error is UnlikeError
        self.blamed = names & self.blamed or self.blamed
        return None if issubclass(error, FloatingPointError) else False

    def __call__(self, arguments: Mapping[str, Any], key: int | None = None) -> bool | None:
        if self.unlike >= 150:
            raise UnlikeError
        key = hash(written(arguments)) if key is None else key
        if key not in self.thing.refused:
            try:
                arguments = self.thing.complete(arguments, 0)
                with guessing() if self.thing.cls is None else contextlib.nullcontext():
                    terms, labelled = evaluated(self.thing, arguments, anew=False)
            except NotImplementedError:
                raise
            except Exception as error:
                self.thing.refused[key] = type(error), blamed(error, self.names, self.thing.parts)
                if not self.thing.raised and ran_in(self.thing.parts[1:][-1:], error):
                    self.thing.raised.append(error)
        if key in self.thing.refused:  # by this reading, or by an earlier one of the same
            return self.refusal(key)
        tensors = tensors_of(arguments)
        single = [name for name, tensor in tensors.items() if tensor.ndim == 0]
        named = {one for label, _ in labelled if stems_of_gradient(label) for one in stems_of_label(label)}
        keys = {label for label, _ in labelled}  # of entries, params['mu'], which are told from arguments
        told = all(("[" in name and last_of(name) in keys) or stem(name) in named for name in single)
        unnamed = len(self.thing.parts) == 1 and not told
        if terms.size == 1 and (unnamed or len(single) == len(tensors)):
            return False  # what is calculated of a single number would pass for a loss
        if any(np.any(array) and self.is_of_another(label, arguments, tensors) for label, array in labelled):
            return False
        found = list(assigned(labelled, tensors))
        self.near = self.near or any(others(way, tensors) for way, _ in found)
        return not (self.strict and len(found) > 1) and any(
            not (left and self.whole)
            and all(
                np.shape(array) == tensors[name].shape and np.isfinite(array).all() for name, array in way.items()
            )
            for way, left in found
        )

    def is_of_another(self, label: str, arguments: Mapping[str, Any], tensors: Mapping[str, Any]) -> bool:
        """Whether a gradient is that of an argument which is a whole or a single number here, and so is rather an array of floats."""
        inner = [pair for one in arguments.values() if isinstance(one, dict) for pair in one.items()]
        numbers = [name for name, value in arguments.items() if isinstance(value, int | float | np.ndarray)]
        numbers += [last_of(str(key)) for key, value in inner if type(value) in (int, float)]
        others = {stem(name) for name in (*numbers, *self.thing.sized)} - {
            stem(last_of(name) if "[" in name else name) for name in tensors
        }
        return "." not in label and "[" not in label and bool(stems_of_label(label) & others)
