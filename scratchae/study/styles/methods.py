"""The readings of a class whose values take several arguments, or whose gradients come in a form of its own."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from .assigned import last_of, stems_of_tensor
from .calls import method_of, parameters_of, required
from .copies import duplicate
from .names import ZEROING, Path, get, keys_of_gradient, keys_of_parameter, plain, put, short, stems_of_gradient, walk
from .several import SLOPES, VALUES, Arrays, Several, apart, keys_of, settings_of, with_gradients
from .written import may_give_several

PREPARING = (
    "build",
    "initialize",
    "init_params",
    "init_weights",
    "initialize_parameters",
    "_init_params",
    "fit",
    "train",
)


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


def is_size(name: str) -> bool:
    """Whether an argument of a constructor is rather a size or a setting than an array."""
    return bool(
        re.search(
            r"^n|dim|size|num|count|units|^in|^out|hidden|^d\d*$|^[kh]$|width|seed|rng|^lr|vocab|len|depth|heads",
            plain(name),
        )
    )


def is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size > 0


def is_bias(path: Path, value: Any) -> bool:
    """Whether a single number is a parameter, such as self.b = 0.0 of a regression."""
    return isinstance(value, float) and len(path) == 1 and plain(path[0][1]) in ("b", "bias", "intercept", "w0", "b0")


def held_by(thing: Any) -> dict[str, tuple[Path, np.ndarray]]:
    """The arrays of floats that an object holds and that are no gradients of others, with their places, as self.name."""
    arrays = {
        short(path): (path, np.array(value)) for path, value in walk(thing) if is_float(value) or is_bias(path, value)
    }
    stems = {name: stems_of_tensor(name) for name in arrays}
    return {
        f"self.{name}": found
        for name, found in arrays.items()
        if not any(stems_of_gradient(last_of(name)) & stems[other] for other in arrays if other != name)
    }


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


def left_by(thing: Any, before: Mapping[Path, np.ndarray]) -> Iterator[tuple[Path, np.ndarray]]:
    """The gradients that an object has in its attributes after its backward, and where."""
    for path, array in walk(thing):
        now = np.asarray(array)
        if keys_of_gradient(path) and is_float(now) and not same(now, before.get(path)):
            yield path, now


def labels(left: Iterable[tuple[Path, np.ndarray]]) -> Iterator[tuple[str, np.ndarray]]:
    return ((f"self.{short(path)}", now) for path, now in left)


def handed_over(
    left: Iterable[tuple[Path, np.ndarray]],
    arguments: Arrays,
    names: Collection[str],
    before: Mapping[Path, np.ndarray],
) -> Iterator[tuple[str, np.ndarray]]:
    """Gradients, under the names of the constructor's arguments where the object holds these in a place that tells: grads[0] of params[0]."""
    held = {
        path: name for name in names for path, array in before.items() if same(array, np.asarray(arguments[name]))
    }
    for path, now in left:
        name = next((name for other, name in held.items() if keys_of_parameter(other) & keys_of_gradient(path)), None)
        yield (f"d{name}" if name else f"self.{short(path)}"), now


def same(now: np.ndarray, before: np.ndarray | None) -> bool:
    return before is not None and now.shape == before.shape and np.array_equal(now, before, equal_nan=True)
