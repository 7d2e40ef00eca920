"""An object's constructor arguments, read back: for its repr and for the architecture in a checkpoint."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

MISSING = inspect.Parameter.empty


def plain(number: Any) -> Any:
    """A NumPy number as Python's own, anything else as it is: NumPy's would widen float32 arrays to float64."""
    return number.item() if getattr(number, "shape", None) == () else number


def ours(kind: type) -> bool:
    """Whether scratchae itself defines a class: then it keeps its constructor arguments."""
    return kind.__module__.partition(".")[0] == "scratchae"


class Described:
    """Keeps each constructor argument in an attribute of the same name, so that it can be read back.

    A class of somebody else's need not: what it is constructed with is noted. `rng` is left out: weights are stored,
    not drawn again.
    """

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        if "__init__" in vars(cls) and not ours(cls):
            cls.__init__ = noting_arguments(cls.__init__)

    def arguments(self) -> dict[str, Any]:
        """The constructor arguments by name, those left at their default omitted, as well as those that nobody knows."""
        parameters = inspect.signature(type(self)).parameters
        return {n: value for n, value in self.all_arguments().items() if not same(value, parameters[n].default)}

    def all_arguments(self) -> dict[str, Any]:
        """The constructor arguments by name, but for those that nobody knows."""
        given = getattr(self, "_given", None)
        signature = inspect.signature(type(self))
        if given is None:
            found = {name: getattr(self, name, MISSING) for name in signature.parameters if name != "rng"}
        else:
            call = signature.bind(*given[0], **given[1])
            call.apply_defaults()
            found = call.arguments
        return {name: value for name, value in found.items() if name != "rng" and value is not MISSING}

    def __repr__(self) -> str:
        try:
            return f"{type(self).__name__}({', '.join(self.shown())})"
        except Exception:  # of somebody's own class: a message about it must not end in an error about its repr
            return f"{type(self).__name__}(…)"

    def shown(self) -> list[str]:
        """The arguments as they would be written in a call."""
        shown, arguments, gap = [], self.arguments(), False
        for name, parameter in inspect.signature(type(self)).parameters.items():
            if name not in arguments:
                gap = True  # what follows can no longer be told by its position
                if parameter.default is MISSING and parameter.kind not in VARIADIC and name != "rng":
                    shown.append("…")
            elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                shown += map(brief, arguments[name])
            elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
                shown += [f"{key}={brief(value)}" for key, value in arguments[name].items()]
            elif gap or parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                shown.append(f"{name}={brief(arguments[name])}")
            else:
                shown.append(brief(arguments[name]))
        return shown


VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def noting_arguments(init: Callable[..., None]) -> Callable[..., None]:
    """A constructor that notes what the caller gave; where it calls its base class's constructor, that notes nothing."""

    @functools.wraps(init)
    def noting(self: Described, *arguments: Any, **named: Any) -> None:
        vars(self).setdefault("_given", (arguments, named))
        init(self, *arguments, **named)

    return noting


def same(value: Any, default: Any) -> bool:
    """Whether an argument is its default. Arrays never are: `==` would compare them number by number."""
    return value is default or (not hasattr(value, "shape") and bool(value == default))


def brief(value: Any) -> str:
    """An argument as text; of an array its shape."""
    return f"array{tuple(value.shape)}" if getattr(value, "shape", ()) else repr(value)
