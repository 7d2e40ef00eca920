"""The objects that a reading runs: a new one for each call, in which the arrays are those among the arguments."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..readings.several import Arrays, Several
from ..text.calls import parameters_of, required
from ..text.names import plain
from .constructed import SIZES, constructed, is_size
from .copies import duplicate
from .held import Held, held_by
from .paths import put

SECOND = (5, 3, 4, 2)
PREPARING = (
    "build", "initialize", "init_params", "init_weights", "initialize_parameters", "_init_params", "fit", "train",
)  # fmt: skip


class Objects:
    """Objects of a class: copies of `made`, which the file has; else of the first, the second or of equal sizes, and with options.

    widths: options that are sizes, such as hidden=64, are small too. needed: the arguments of a constructor that takes arrays, which
    are then among those of a reading.
    """

    def __init__(
        self,
        cls: type,
        made: Any = None,
        sizes: tuple[tuple[int, ...], ...] = (SIZES, SECOND),
        widths: bool = False,
        needed: Sequence[inspect.Parameter] = (),
    ):
        self.cls, self.made, self.sizes, self.widths, self.needed = cls, made, sizes, widths, needed
        self.fixed = made is not None
        self.known: dict[str, tuple[Any, Held]] = {}

    def make(self, sizes: int, **options: Any) -> Any:
        if self.fixed:
            return duplicate(self.made)
        chosen = dict(enumerate(self.sizes)).get(sizes, (4,) * 5)
        if self.widths:
            numbers = (*chosen, 2, 2, 2)[len(required(self.cls)) :]
            with contextlib.suppress(Exception):
                small = dict(zip((p.name for p in parameters_of(self.cls) if is_width(p)), numbers, strict=False))
                return constructed(self.cls, chosen, **(small | options)).value
        return constructed(self.cls, chosen, **options).value

    def begun(self, arguments: Arrays, data: Sequence[str]) -> tuple[Any, Held]:
        """An object as it begins, and what it holds: at once, or after it has been handed data by which it makes its parameters."""
        sizes, options = arguments.get("sizes", 0), arguments.get("options") or {}
        key = repr((sizes, options))
        if key not in self.known:
            thing = self.make(sizes, **options)
            self.known[key] = thing, held_by(thing)
        thing, held = self.known[key]
        if held or not data or not any(hasattr(thing, name) for name in PREPARING):
            return thing, held
        given = [arguments[name] for name in data if name in arguments]
        key += repr(list(map(np.shape, given)))
        if key not in self.known:
            thing = duplicate(thing)
            prepare(thing, given)
            self.known[key] = thing, held_by(thing)
        return self.known[key]

    def __call__(self, arguments: Arrays, data: Sequence[str] = ()) -> Any:
        """A new object. data: the arguments of which it may make its parameters."""
        if self.needed:
            return self.cls(**{p.name: arguments[p.name] for p in self.needed}, **(arguments.get("options") or {}))
        thing, held = self.begun(arguments, data)
        thing = duplicate(thing)
        for name, (path, _) in held.items():
            if name in arguments:
                put(thing, path, np.array(arguments[name], subok=True))
        return thing

    def held(self, arguments: Arrays, data: Sequence[str] = ()) -> Arrays:
        """The arrays that an object holds at its beginning, as self.name."""
        return {} if self.needed else {name: array for name, (_, array) in self.begun(arguments, data)[1].items()}

    def reading(
        self, title: str, run: Callable, parameters: list[inspect.Parameter], parts: Sequence[Callable], **more: Any
    ) -> Several:
        """A reading of these objects. parts: the methods that run, at last the one that gives the gradients."""
        cls = None if self.fixed else self.cls
        about = {"held": self.held, "cls": cls, "fixed": self.fixed, "parts": tuple(parts)}
        return Several(title, parts[-1], parameters, run, **(about | more))


def is_width(parameter: inspect.Parameter) -> bool:
    """Whether an option is a size, such as hidden=64."""
    name, default = parameter.name, parameter.default
    return (
        type(default) is int and default > 1 and is_size(name) and not re.search("seed|iter|epoch|batch|step", name)
    )


def prepare(thing: Any, data: list[Any]) -> None:
    """Let an object make its parameters where it does so by the shape of data: in build(shape), or at the beginning of fit(X, y)."""
    for name in PREPARING if data else ():
        method = getattr(thing, name, None)
        wanted = required(method) if inspect.ismethod(method) else []
        if not wanted or len(wanted) > len(data):
            continue
        few = {p.name: 1 for p in parameters_of(method) if re.search("epoch|iter|steps", plain(p.name))}
        by_shape = len(wanted) == 1 and "shape" in wanted[0].name
        size = len(wanted) == 1 and is_size(wanted[0].name)
        given = [np.shape(data[0]) if by_shape else np.shape(data[0])[-1] if size else None]
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
            method(*(given if given[0] is not None else [np.array(one) for one in data[: len(wanted)]]), **few)
            return
