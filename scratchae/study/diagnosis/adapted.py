"""Makes a `Layer` of a learner's class that has `forward` and `backward` but is not a `Layer`."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import numpy as np

from ...errors import ArrayTypeError
from ...layers import Layer


class Adapted(Layer):
    """`theirs` as a layer. Its parameters are the attributes p, set before or in the first forward, for which backward leaves a dp.

    forward(x) or forward(x, rng); backward(dy) -> dx.
    """

    def __init__(self, theirs: Any, x: np.ndarray):
        self.theirs = copy.deepcopy(theirs)
        self.takes_rng = len(inspect.signature(theirs.forward).parameters) > 1
        trial = copy.deepcopy(self)
        y = trial.forward(x.copy())
        require_array(trial, "forward", "y", y)
        built = copy.deepcopy(trial.theirs)
        dx = trial.backward(np.random.default_rng(0).standard_normal(y.shape))
        require_array(trial, "backward", "∂L/∂x", dx)
        gradients = {name[1:] for name in vars(trial.theirs) if name.startswith("d")}
        candidates = set(vars(self.theirs))
        if late := self.made_by_forward(built, x) & gradients:
            self.theirs = built
            candidates |= late
        names = getattr(theirs, "parameter_names", None)
        found = [
            name for name, value in vars(self.theirs).items() if is_number(value) and name in candidates & gradients
        ]
        self.parameter_names = tuple(found if names is None else names)
        for name in self.parameter_names:
            setattr(self.theirs, name, np.array(getattr(self.theirs, name), np.float64))

    def made_by_forward(self, built: Any, x: np.ndarray) -> set[str]:
        """The attributes that the first forward makes and the next one, on another x, does not change: late parameters."""
        later = copy.deepcopy(self)
        later.theirs = copy.deepcopy(built)
        later.forward(0.9 * np.roll(x, 1, axis=0))
        new = vars(built).keys() - vars(self.theirs).keys()
        return {
            name
            for name in new
            if is_number(vars(built)[name]) and np.array_equal(vars(built)[name], vars(later.theirs).get(name))
        }

    def __getattr__(self, name: str) -> Any:
        if name == "theirs":  # while the object is being copied
            raise AttributeError(name)
        value = getattr(self.theirs, name)
        return np.asarray(value) if name.startswith("d") and isinstance(value, int | float) else value

    def forward(self, x, rng=None):
        return self.theirs.forward(x, rng) if self.takes_rng else self.theirs.forward(x)

    def backward(self, dy):
        return self.theirs.backward(dy)

    def to(self, device: str | None = None, dtype: object = None) -> Adapted:
        for name, value in vars(self.theirs).items():
            if dtype is not None and isinstance(value, np.ndarray) and value.dtype.kind == "f":
                setattr(self.theirs, name, value.astype(dtype))
        return self

    def __repr__(self) -> str:
        plain = type(self.theirs).__repr__ is object.__repr__
        return f"{type(self.theirs).__name__}()" if plain else repr(self.theirs)


def is_number(value: Any) -> bool:
    """Whether this can be a parameter: an array of numbers, or one number."""
    return isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind in "fi")


def require_array(subject: object, method: str, what: str, value: Any) -> None:
    """Raise ArrayTypeError unless a method returned an array."""
    if not (hasattr(value, "shape") and hasattr(value, "dtype")):
        hint = f": does it end with `return`? {method} has to return {what}" if value is None else f", not {what}"
        raise ArrayTypeError(
            f"{subject!r}: {method} returned {'None' if value is None else f'a {type(value).__name__}'}{hint}"
        )
