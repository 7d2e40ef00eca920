"""The readings of a class whose values take several arguments, or whose gradients come in a form of its own."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..objects.constructed import is_size
from ..objects.copies import duplicate
from ..objects.held import handed_over, held_by, is_float, labels, left_by
from ..objects.paths import get, keys_of_gradient, put, short, walk
from ..readings.apart import apart, settings_of
from ..readings.returned import with_gradients
from ..readings.several import Arrays, Several
from ..text.calls import method_of, parameters_of, required
from ..text.keys import keys_of
from ..text.names import SLOPES, VALUES, ZEROING, plain
from ..text.written import may_give_several

PREPARING = (
    "build", "initialize", "init_params", "init_weights", "initialize_parameters", "_init_params", "fit", "train",
)  # fmt: skip


def of_class(title: str, cls: type, made: Any, make: Callable[..., Any]) -> Iterator[Several]:
    """The readings of a class: each of its values with each of its derivatives, and values that return their gradients.

    made: an object of the file, which is then the only one. Otherwise `make(sizes, **options)` makes one of numbers, the first or
    the second sizes; and if its constructor takes arrays, they are arguments like those of the value.
    """
    methods = [
        name for name in dir(cls) if callable(getattr(cls, name, None)) and (name == "__call__" or name[0] != "_")
    ]
    values = [name for name in VALUES if name in methods]
    slopes = [name for name in SLOPES if name in methods]
    pairs = [(value, None) for value in values if value not in slopes and may_give_several(getattr(cls, value))]
    pairs += [(value, slope) for value in values for slope in slopes if slope != value]
    for value, slope in dict.fromkeys(pairs):
        if made is not None:
            yield of_methods(title, lambda *words: duplicate(made), [], value, slope, cls, fixed=True)
            continue
        needed = required(cls)
        yield of_methods(title, make, [], value, slope, cls)
        if needed and any(not is_size(p.name) for p in needed) and not made_of_sizes(make):
            yield of_methods(title, cls, needed, value, slope, cls)


def made_of_sizes(make: Callable) -> bool:
    """Whether a constructor that is handed sizes makes arrays of them."""
    try:
        return any(array.ndim for _, array in held_by(make(0)).values())
    except Exception:
        return False


class Context:
    """What a forward of static methods keeps for its backward."""

    def save_for_backward(self, *arrays: Any) -> None:
        self.saved = self.saved_tensors = self.saved_values = arrays


def of_methods(
    title: str, make: Callable, needed: list, value: str, slope: str | None, cls: type, fixed: bool = False
) -> Several:
    """A reading of objects: `make` is handed the arrays among the arguments that the constructor needs, else sizes and options."""
    sources = [inspect.unwrap(getattr(cls, name)) for name in (value, slope) if name]
    called_with = required(sources[0])
    if not isinstance(inspect.getattr_static(cls, value), staticmethod):
        called_with = called_with[1:]
    if not called_with and slope and any(p.kind is p.VAR_POSITIONAL for p in parameters_of(sources[0])):
        called_with = of_any_number(sources[1])
    context = bool(called_with) and called_with[0].name == "ctx"  # as in torch.autograd.Function
    called_with = called_with[1:] if context else called_with
    names, settings = {p.name for p in needed}, settings_of(sources[0], sources[1] if slope else None)
    cache: dict[str, Any] = {}

    def thing_of(arguments: Arrays) -> Any:
        if needed:
            return make(**{name: arguments[name] for name in names}, **(arguments.get("options") or {}))
        key = repr((arguments.get("sizes", 0), arguments.get("options")))
        if key not in cache:
            cache[key] = make(arguments.get("sizes", 0), **(arguments.get("options") or {}))
        if held_by(cache[key]) or not any(hasattr(cache[key], name) for name in PREPARING):
            return duplicate(cache[key])
        shaped = key + repr(shapes_of(arguments))
        if shaped not in cache:
            cache[shaped] = duplicate(cache[key])
            prepare(cache[shaped], [arguments[p.name] for p in called_with if p.name in arguments])
        return duplicate(cache[shaped])

    def run(arguments: Arrays, upstream: Callable) -> tuple[list, list]:
        fresh = thing_of(arguments)
        for name, (path, _) in ({} if needed else held_by(fresh)).items():
            if name in arguments:
                put(fresh, path, arguments[name].copy())
        own = {p.name: arguments[p.name] for p in (*called_with, *settings) if p.name in arguments}
        before = {path: np.array(array) for path, array in walk(fresh)}
        method, other = getattr(fresh, value), getattr(fresh, slope or value)
        if context:
            ctx = Context()
            method, other = functools.partial(method, ctx), functools.partial(other, ctx)
        if slope is None:
            return with_gradients(method(**own), sources[0], upstream)
        outputs, found = apart(method, other, own, upstream)
        left = left_by(fresh, before)
        return outputs, [*found, *(handed_over(left, arguments, names, before) if needed else labels(left))]

    def twice(arguments: Arrays, upstream: Callable) -> tuple[list[str], list[str]]:
        """Of the gradients that an object holds as zeros: those that a second step is added to, and those that it sets anew."""
        fresh = thing_of(arguments)
        own = {p.name: arguments[p.name] for p in (*called_with, *settings) if p.name in arguments}
        zeros = [
            path for path, array in walk(fresh) if keys_of_gradient(path) and is_float(array) and not np.any(array)
        ]
        steps = []
        for _ in range(2):
            apart(getattr(fresh, value), getattr(fresh, slope), own, upstream)
            steps.append({path: np.array(get(fresh, path)) for path in zeros})
        moved = [path for path in zeros if np.any(steps[0][path])]
        ways = [[short(p) for p in moved if np.allclose(steps[1][p], k * steps[0][p], rtol=1e-9)] for k in (2, 1)]
        return ways[0], ways[1]

    def held(arguments: Arrays) -> Arrays:
        return {} if needed else {name: array for name, (_, array) in held_by(thing_of(arguments)).items()}

    keys = keys_of(sources, [p.name for p in called_with])
    return Several(
        title,
        sources[-1],
        [*called_with, *needed],
        run,
        keys,
        held,
        settings=settings,
        cls=None if fixed else cls,
        fixed=fixed,
        parts=tuple(sources),
        twice=twice if slope and not needed and method_of(cls, ZEROING) else None,
        sized=() if needed or fixed else tuple(p.name for p in required(cls)),
    )


def of_any_number(slope: Callable) -> list[inspect.Parameter]:
    """The arguments of a value that takes any number, forward(*xs): those of its gradients, or two arrays."""
    asked = [p for p in required(slope) if p.name != "self"]
    if len(asked) > 1:
        return asked
    return [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("x1", "x2")]


def shapes_of(arguments: Arrays) -> list[tuple[int, ...]]:
    return [
        np.shape(value) for name, value in arguments.items() if name[:5] != "self." and isinstance(value, np.ndarray)
    ]


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
