"""Reading back an object's constructor arguments: for its repr, and for the architecture in a checkpoint."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from .errors import MissingError

MISSING = inspect.Parameter.empty


def plain(number: Any) -> Any:
    """A NumPy scalar as a Python number (a float64 scalar would widen float32 arrays); anything else unchanged."""
    return number.item() if getattr(number, "shape", None) == () else number


def ours(kind: type) -> bool:
    """Whether scratchae itself defines a class. Such a class keeps its constructor arguments."""
    return kind.__module__.partition(".")[0] == "scratchae"


class Described:
    """Keeps each constructor argument in an attribute of the same name, so that it can be read back.

    A person's own class need not keep them: they are noted when it is constructed. `rng` is left out, because weights are
    stored, not drawn again.
    """

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        if "__init__" in vars(cls) and not ours(cls):
            cls.__init__ = noting_arguments(cls.__init__)

    def __getattr__(self, name: str) -> Any:
        # what forward keeps for backward, or objective, is asked for before it is there
        kind = type(self).__name__
        if not ours(type(self)):
            raise AttributeError(f"{kind!r} object has no attribute {name!r}", name=name, obj=self)
        raise MissingError(
            f"{kind} has no {name}, or not yet: call what computes it first, such as forward before backward, or a model's objective",
            name=name,
            obj=self,
        )

    def arguments(self) -> dict[str, Any]:
        """The constructor arguments by name, without those at their default and those that are not known."""
        parameters = inspect.signature(type(self)).parameters
        return {n: value for n, value in self.all_arguments().items() if not same(value, parameters[n].default)}

    def all_arguments(self) -> dict[str, Any]:
        """The constructor arguments by name, without those that are not known."""
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
        except Exception:  # in a person's own class: a message about an object must not end in an error from its repr
            return f"{type(self).__name__}(…)"

    def shown(self) -> list[str]:
        """The arguments as they would be written in a call."""
        shown, arguments, gap = [], self.arguments(), False
        for name, parameter in inspect.signature(type(self)).parameters.items():
            if name not in arguments:
                gap = True  # the arguments after it can no longer be passed by position
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
    """A constructor that notes the caller's arguments. The base class's constructor, called from it, notes nothing."""

    @functools.wraps(init)
    def noting(self: Described, *arguments: Any, **named: Any) -> None:
        vars(self).setdefault("_given", (arguments, named))
        init(self, *arguments, **named)

    return noting


def same(value: Any, default: Any) -> bool:
    """Whether an argument is its default. Arrays never count as default: `==` would compare them number by number."""
    return value is default or (not hasattr(value, "shape") and bool(value == default))


def brief(value: Any) -> str:
    """An argument as text; an array as its shape."""
    return f"array{tuple(value.shape)}" if getattr(value, "shape", ()) else repr(value)
