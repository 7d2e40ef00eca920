"""An optimizer of somebody's own: an object with `update(parameters, gradient)`."""

from __future__ import annotations

import copy
import math
import numbers
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..backend import Array, move
from ..description import plain
from ..errors import OptionError
from .optimizer import Optimizer


class OwnOptimizer(Optimizer):
    """An object with `update(parameters, gradient)` as an optimizer. What it remembers are its attributes, arrays and numbers.

    `update` changes the parameters in place, or returns the new ones. On a GPU its steps are not recorded.
    """

    def __init__(self, theirs: Any):
        self.theirs = theirs
        # what it had when it was first seen, for `reset`; kept by the object, which may be used again
        self.beginning = vars(theirs).setdefault("_beginning", copy.deepcopy(vars(theirs)))

    def update(self, parameters: Array, gradient: Array) -> None:
        self.apply(parameters, gradient, ())
        self.t += 1

    def prepare(self, parameters: Array, gradient: Array) -> None:
        """They make their state themselves."""

    def apply(self, parameters: Array, gradient: Array, coefficients: tuple[float, ...] | Array) -> None:
        before = parameters.copy() if self.t == 0 else None
        returned = self.theirs.update(parameters, gradient)
        if returned is not None and returned is not parameters:
            parameters[...] = returned
        if before is not None and bool((before == parameters).all()) and bool((gradient != 0).any()):
            warnings.warn(
                f"the first update of {self!r} has changed no parameter: it should change them in place, parameters -= …, "
                "or return the new ones",
                stacklevel=2,
            )

    def coefficients(self, t: int) -> tuple[float, ...]:
        return ()

    def learning_rate(self, t: int | None = None) -> float:
        """Their `lr`, if that is a number; else NaN."""
        lr = getattr(self.theirs, "lr", math.nan)
        return plain(lr) if isinstance(lr, numbers.Real) else math.nan

    def state(self) -> dict[str, Array]:
        """Their arrays, and their numbers as arrays without axes. Raises OptionError if they remember anything else."""
        found = {}
        for name, value in vars(self.theirs).items():
            if isinstance(value, bool | int | float) or hasattr(value, "dtype"):
                found[name] = value if getattr(value, "shape", ()) else np.asarray(value)
            elif not (value is None or isinstance(value, str) or callable(value) or name == "_beginning"):
                raise OptionError(
                    f"{self!r} keeps a {type(value).__name__} in {name}, so that training with it cannot be written to a "
                    "checkpoint: keep arrays and numbers in attributes of their own, or train without checkpoint=…"
                )
        return found

    def reset(self) -> None:
        vars(self.theirs).clear()
        vars(self.theirs).update(copy.deepcopy(self.beginning), _beginning=self.beginning)
        self.t = 0

    def restore(self, state: Mapping[str, Array], t: int) -> None:
        self.reset()
        vars(self.theirs).update({name: value if value.shape else value.item() for name, value in state.items()})
        self.t = t

    def to(self, device: str | None = None, dtype: object = None) -> OwnOptimizer:
        for name, value in vars(self.theirs).items():
            if hasattr(value, "dtype") and value.dtype.kind == "f":
                setattr(self.theirs, name, move(value, device, dtype))
        return self

    def __repr__(self) -> str:
        theirs = type(self.theirs)
        return f"{theirs.__name__}(…)" if theirs.__repr__ is object.__repr__ else repr(self.theirs)


def as_optimizer(optimizer: Any) -> Optimizer:
    """The optimizer itself; an object of a class with `update` of its own as an optimizer. Raises OptionError for all else."""
    if isinstance(optimizer, type):
        name = optimizer.__name__
        raise OptionError(f"optimizer={name} is a class: make one, optimizer={name}(…)")
    if isinstance(optimizer, Optimizer) and type(optimizer).update is Optimizer.update:
        return optimizer
    if isinstance(optimizer, OwnOptimizer):
        return optimizer
    if not callable(getattr(optimizer, "update", None)) or isinstance(optimizer, dict | set):
        raise OptionError(
            f"optimizer={optimizer!r}: expected an optimizer, such as Adam(1e-3), or an object with update(parameters, gradient)"
        )
    return OwnOptimizer(optimizer)
