"""An object's constructor arguments, read back: for its repr and for the architecture in a checkpoint."""

from __future__ import annotations

import inspect
from typing import Any


def plain(number: Any) -> Any:
    """A NumPy number as Python's own, anything else as it is: NumPy's would widen float32 arrays to float64."""
    return number.item() if hasattr(number, "item") else number


class Described:
    """Keeps each constructor argument in an attribute of the same name, so that it can be read back.

    `rng` is left out: weights are stored, not drawn again.
    """

    def arguments(self) -> dict[str, Any]:
        """The constructor arguments by name, those left at their default omitted."""
        return {
            name: getattr(self, name)
            for name, parameter in inspect.signature(type(self)).parameters.items()
            if name != "rng"
            and getattr(self, name) is not parameter.default
            and getattr(self, name) != parameter.default
        }

    def __repr__(self) -> str:
        shown, arguments, gap = [], self.arguments(), False
        for name, parameter in inspect.signature(type(self)).parameters.items():
            if name not in arguments:
                gap = True  # what follows can no longer be told by its position
            elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                shown += map(repr, arguments[name])
            elif gap or parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                shown.append(f"{name}={arguments[name]!r}")
            else:
                shown.append(repr(arguments[name]))
        return f"{type(self).__name__}({', '.join(shown)})"
