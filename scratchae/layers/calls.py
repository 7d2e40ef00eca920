"""What is checked whenever a layer of this library runs, in one place, so that no layer has to say it.

x is an array of float32 or float64 on the device of the parameters, rng a generator or None; backward comes after forward, and
dy has the shape of y.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..backend import Array, noise_source, require_floats
from ..description import ours
from ..errors import OptionError, ShapeError
from .own import defining


def check_calls(kind: type) -> None:
    """Let the methods of a class of layers check what they are called with, before they run."""
    parameter = next(iter(kind.parameter_names), None)  # the first will do: they all are on one device
    if "forward" in vars(kind):
        kind.forward = checked_forward(kind.forward, parameter)
    for name in ("backward", "backward_parameters"):
        # a backward that begins with backward_parameters is checked there
        if name in vars(kind) and "backward_parameters" not in vars(kind)[name].__code__.co_names:
            setattr(kind, name, checked_backward(vars(kind)[name], parameter))


def checked_forward(forward: Callable[..., Array], parameter: str | None) -> Callable[..., Array]:
    """forward(x, rng), which keeps the shape of y for `checked_backward`."""

    @functools.wraps(forward)
    def checked(self: Any, x: Array, rng: Any = None) -> Array:
        if parameter is None:
            require_floats(x)
        else:
            require_floats(x, getattr(self, parameter))
        self.y_shape = None  # if x is refused, there is nothing to go back through
        y = forward(self, x, noise_source(rng, x))
        self.y_shape = getattr(y, "shape", None)
        return y

    return checked


def checked_backward(backward: Callable[..., Any], parameter: str | None) -> Callable[..., Any]:
    """backward(dy), or backward_parameters(dy)."""

    @functools.wraps(backward)
    def checked(self: Any, dy: Array) -> Any:
        shape = vars(self).get("y_shape")
        if shape is None and not ours(defining(type(self), "forward")):
            return backward(self, dy)  # a subclass of somebody's own, whose forward keeps what it needs
        if shape is None or dy is None:
            raise OptionError(
                f"{self.label()} has nothing to go back through: call forward(x) before backward(dy), or a model's objective(x) "
                "before its backward()"
            )
        if parameter is None:
            require_floats(dy, name="dy")
        else:
            require_floats(dy, getattr(self, parameter), name="dy")
        if dy.shape != shape:
            raise ShapeError(
                f"{self.label()} expects dy of the shape of its last y, {tuple(shape)}, got {tuple(dy.shape)}: give backward "
                "the gradient of the batch that forward has just seen"
            )
        return backward(self, dy)

    return checked
