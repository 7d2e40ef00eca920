"""A value of several arrays and its gradients, however a person writes them: one call, for functions and for methods.

loss(anchor, positive, negative) -> (value, dA, dP, dN)            a value with its gradients
op(x, W) -> (y, backward)                                          a value with a function of the upstream
cell_forward(x, h, c, W) -> (h, c, cache) and cell_backward(dh, dc, cache)
cost(theta, X, y) and gradient(theta, X, y)                        a value and its gradients, apart
cell.forward(x, h) and cell.backward(dy), net.loss(X, y) -> (value, grads)      the same as methods
"""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .calls import BACKWARD, FORWARD, parameters_of
from .copies import duplicate
from .joined import DERIVATIVES, OF_METHODS, UPSTREAM
from .names import Path, keys_of_gradient, plain, put, short, stem, stems_of_gradient, walk
from .written import called, returned_names, returns

SLOPES = (*BACKWARD, *OF_METHODS[1], "grads", "pullback", "compute_gradients", "get_gradients", "gradient_step")
VALUES = (*FORWARD, *OF_METHODS[0], "objective", "energy", "log_likelihood", "predict", "cost_function", "nll")
IS_SLOPE = re.compile(r"grad|deriv|prime|back|bptt|adjoint|vjp|delta|jac|(?:^|_)d_?[a-zA-Z]{1,6}$|updates?$", re.I)
DOWNHILL = re.compile(r"updates?$|step|descent", re.I)  # what is added to parameters: the gradient turned round

Arrays = dict[str, Any]


class UnlikeError(Exception):
    """What was called does not return what this reading of it expects."""


@dataclass
class Several:
    """run(arguments, upstream): the outputs as a list, and the gradients, each with the name that its author gives it.

    parameters: the arguments of the value without a default. keys: of arguments that are dicts, the keys that are read. held: what an
    object itself holds that may have a gradient, by name. updates: what comes back is rather added to parameters.
    """

    name: str
    source: Callable
    parameters: list[inspect.Parameter]
    run: Callable[[Arrays, Callable], tuple[list[np.ndarray], list[tuple[str, Any]]]]
    keys: dict[str, list[str]]
    held: Callable[[Arrays], Arrays] = lambda arguments: {}
    updates: bool = False
    cls: type | None = None
    fixed: bool = False

    def complete(self, arguments: Arrays, seed: int) -> Arrays:
        """The arguments, and what the object holds, moved off the values with which it begins."""
        rng = np.random.default_rng([seed, 7])
        moved = {
            name: np.abs(array) * rng.uniform(0.6, 1.5, array.shape)
            if re.search(r"var|sigma|std|scale", name)
            else array + 0.3 * rng.standard_normal(array.shape)
            for name, array in self.held(arguments).items()
        }
        return arguments | moved


def required(function: Callable) -> list[inspect.Parameter]:
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in parameters_of(function) if p.default is p.empty and p.kind not in kinds]


def labelled(found: Any, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The arrays in what was returned, with their names: those in the `return`, the keys of a dict, the places in a list."""
    if isinstance(found, dict):
        yield from ((str(key), value) for key, value in found.items())
    elif isinstance(found, tuple | list):
        for i, value in enumerate(found):
            name = names[i] if i < len(names) else str(i)
            if isinstance(value, dict):
                yield from labelled(value, ())
            elif isinstance(value, tuple | list):
                yield from ((f"{name}[{k}]", one) for k, one in enumerate(value))
            else:
                yield name, value
    elif found is not None:
        yield names[0] if names else "0", found


def is_number(value: Any) -> bool:
    return np.ndim(value) == 0 and isinstance(value, int | float | np.number) and not isinstance(value, bool)


def are_arrays(found: Any) -> bool:
    """Whether something is an array of floats, or holds one in a tuple, list or dict."""
    if isinstance(found, dict):
        return any(map(are_arrays, found.values()))
    if isinstance(found, tuple | list):
        return any(map(are_arrays, found))
    return isinstance(found, np.ndarray) and found.dtype.kind == "f"


def with_gradients(found: Any, source: Callable, upstream: Callable) -> tuple[list, list]:
    """Of a call that returns a value together with its gradients, or with a function that makes them."""
    if not isinstance(found, tuple) or len(found) < 2:
        raise UnlikeError
    value, *rest = found
    if len(rest) == 1 and callable(rest[0]):
        back = rest[0]
        return [value], list(labelled(back(upstream(np.asarray(value))), names_in(back)))
    if not is_number(value) or not are_arrays(rest):
        raise UnlikeError
    names = returned_names(source, len(found))[1:]
    if len(rest) == 1 and isinstance(rest[0], tuple | list):
        return [value], list(labelled(rest[0], nested_names(source)))
    return [value], list(labelled(tuple(rest), names))


def names_in(function: Callable) -> list[str]:
    """The names in the `return` of a function; a lambda and an expression have none."""
    for node in returns(function):
        if isinstance(node, ast.Tuple):
            return [called(item, i) for i, item in enumerate(node.elts)]
        if isinstance(node, ast.Name):
            return [node.id]
    return []


def nested_names(function: Callable) -> list[str]:
    """The names in the inner tuple of `return loss, (da, db)`."""
    for node in returns(function):
        if isinstance(node, ast.Tuple) and len(node.elts) == 2:
            return [called(item, i) for i, item in enumerate(getattr(node.elts[1], "elts", []))]
    return []


def keys_of(functions: Iterable[Callable], names: Sequence[str]) -> dict[str, list[str]]:
    """The arguments from which keys are read, here or where they are handed on, as in `W, b = p["W"], p["b"]`, and those keys."""
    found: dict[str, list[str]] = {}
    for function in functions:
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        except (OSError, TypeError, SyntaxError):
            continue
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Subscript)
                and isinstance(node.value, ast.Name)
                and node.value.id in names
                and isinstance(node.slice, ast.Constant)
                and isinstance(node.slice.value, str)
            ):
                keys = found.setdefault(node.value.id, [])
                if node.slice.value not in keys:
                    keys.append(node.slice.value)
    return found


def words(function: Callable, arguments: Arrays) -> Arrays:
    """Those of the arguments that a function takes."""
    return {p.name: arguments[p.name] for p in parameters_of(function) if p.name in arguments}


def apart(value: Callable, slope: Callable, arguments: Arrays, upstream: Callable) -> tuple[list, list]:
    """Of a value and its gradients in two calls: the second is handed upstreams, the cache, and arguments of the first by name."""
    found = value(**words(value, arguments))
    by_name = {plain(name): argument for name, argument in arguments.items()}
    wanted = required(slope)
    numbers = [p for p in wanted if plain(p.name) not in by_name]
    above = [p for p in numbers if is_upstream(p.name)]
    if len(wanted) == 1 and not above and numbers and not isinstance(found, tuple):
        above = numbers
    outputs = list(found) if isinstance(found, tuple) else [found]
    if not above:
        outputs = outputs[:1]
        if not is_number(outputs[0]):
            raise UnlikeError
    cache = outputs[len(above) :] if above else list(found[1:]) if isinstance(found, tuple) else []
    outputs = outputs[: max(1, len(above))]
    if len(outputs) < len(above):
        raise UnlikeError
    drawn = {p.name: upstream(np.asarray(y)) for p, y in zip(above, outputs, strict=False)}
    handed = []
    for p in wanted:
        name = plain(p.name)
        if p.name in drawn:
            handed.append(drawn[p.name])
        elif name in by_name:
            handed.append(by_name[name])
        elif cache:
            handed.append(cache[0] if len(cache) == 1 or name != "cache" else tuple(cache))
            cache = cache[1:] if len(cache) > 1 and name != "cache" else cache
        elif outputs and name in ("y", "out", "output", "xs", "ys", "states"):
            handed.append(outputs[0])
        else:
            raise UnlikeError
    settings = {
        p.name: arguments[p.name] for p in parameters_of(slope) if p.default is not p.empty and p.name in arguments
    }
    return outputs, list(labelled(slope(*handed, **settings), names_in(inspect.unwrap(slope))))


def is_upstream(name: str) -> bool:
    name = plain(name)
    return (
        name in UPSTREAM
        or name.startswith(("d", "gout", "gy", "ybar"))
        or name.endswith(("grad", "bar"))
        or name == "err"
    )


def of_functions(functions: Mapping[str, Callable]) -> Iterator[Several]:
    """The readings of a file's functions: each with its gradients, and pairs."""
    for name, function in functions.items():
        needed = required(function)
        if not needed:
            continue
        yield Several(
            name,
            function,
            needed,
            lambda arguments, upstream, f=function: with_gradients(f(**words(f, arguments)), f, upstream),
            keys_of(functions.values(), [p.name for p in needed]),
        )
    for name, value in functions.items():
        for other, slope in functions.items():
            if other == name or not belongs(name, value, other, slope):
                continue
            needed = required(value)
            yield Several(
                name,
                slope,
                needed,
                lambda arguments, upstream, v=value, s=slope: apart(v, s, arguments, upstream),
                keys_of(functions.values(), [p.name for p in needed]),
                updates=bool(DOWNHILL.search(other)),
            )


def belongs(name: str, value: Callable, other: str, slope: Callable) -> bool:
    """Whether one function is the derivative of another, by its name or because it takes the same arguments."""
    stems = {name, name.removesuffix("_forward"), name.removesuffix("_loss"), name.removesuffix("_fn")}
    named = name.replace("forward", "backward") == other or any(
        form.format(one) == other for form in DERIVATIVES for one in stems
    )
    if IS_SLOPE.search(name) and not named:
        return False
    first, second = ([plain(p.name) for p in required(f)] for f in (value, slope))
    rest = [one for one in second if one not in first]
    same = len(first) >= 1 and set(first) <= set(second) and len(rest) <= 1 and all(map(is_upstream, rest))
    return named or (bool(IS_SLOPE.search(other)) and same)


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
    pairs = [(value, None) for value in values if value not in slopes]
    pairs += [(value, slope) for value in values for slope in slopes if slope != value]
    for value, slope in pairs:
        if made is not None:
            yield of_methods(title, lambda *words: duplicate(made), [], value, slope, cls, fixed=True)
            continue
        needed = required(cls)
        yield of_methods(title, make, [], value, slope, cls)
        if needed and any(not is_size(p.name) for p in needed):
            yield of_methods(title, cls, needed, value, slope, cls)


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


def held_by(thing: Any) -> dict[str, tuple[Path, np.ndarray]]:
    """The arrays of floats that an object holds and that are no gradients of others, with their places, as self.name."""
    arrays = {short(path): (path, np.array(value)) for path, value in walk(thing) if is_float(value)}
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
    context = bool(called_with) and called_with[0].name == "ctx"  # as in torch.autograd.Function
    called_with = called_with[1:] if context else called_with
    names = {p.name for p in needed}
    cache: dict[str, Any] = {}

    def thing_of(arguments: Arrays) -> Any:
        if needed:
            return make(**{name: arguments[name] for name in names}, **(arguments.get("options") or {}))
        key = repr((arguments.get("sizes", 0), arguments.get("options")))
        if key not in cache:
            cache[key] = make(arguments.get("sizes", 0), **(arguments.get("options") or {}))
        return duplicate(cache[key])

    def run(arguments: Arrays, upstream: Callable) -> tuple[list, list]:
        fresh = thing_of(arguments)
        for name, (path, _) in ({} if needed else held_by(fresh)).items():
            if name in arguments:
                put(fresh, path, arguments[name].copy())
        own = {p.name: arguments[p.name] for p in called_with}
        before = {path: np.array(array) for path, array in walk(fresh)}
        method, other = getattr(fresh, value), getattr(fresh, slope or value)
        if context:
            ctx = Context()
            method, other = functools.partial(method, ctx), functools.partial(other, ctx)
        if slope is None:
            return with_gradients(method(**own), sources[0], upstream)
        outputs, found = apart(method, other, own, upstream)
        return outputs, [*found, *left_by(fresh, before)]

    def held(arguments: Arrays) -> Arrays:
        return {} if needed else {name: array for name, (_, array) in held_by(thing_of(arguments)).items()}

    keys = keys_of(sources, [p.name for p in called_with])
    return Several(
        title, sources[-1], [*called_with, *needed], run, keys, held, cls=None if fixed else cls, fixed=fixed
    )


def left_by(thing: Any, before: Mapping[Path, np.ndarray]) -> Iterator[tuple[str, Any]]:
    """The gradients that an object has in its attributes after its backward."""
    for path, array in walk(thing):
        now = np.asarray(array)
        if keys_of_gradient(path) and is_float(now) and not same(now, before.get(path)):
            yield f"self.{short(path)}", now


def same(now: np.ndarray, before: np.ndarray | None) -> bool:
    return before is not None and now.shape == before.shape and np.array_equal(now, before, equal_nan=True)


def assigned(
    gradients: Sequence[tuple[str, Any]], tensors: Mapping[str, np.ndarray]
) -> Iterator[tuple[dict[str, np.ndarray], int]]:
    """Each gradient to its tensor, in every way that may be meant, and how many arrays are left over.

    Names tell; where they do not, order and shape.
    """
    found: dict[str, np.ndarray] = {}
    unnamed: list[np.ndarray] = []
    stems = {name: stems_of_tensor(name) for name in tensors}
    for label, value in gradients:
        array = np.asarray(value)
        if array.dtype.kind not in "fiu":
            continue
        hits = [name for name in tensors if stems[name] & stems_of_label(label)]
        hit = next((name for name in hits if name not in found), None)
        if hit is not None:
            found[hit] = array
        elif not hits and array.ndim and not label.startswith("self."):
            unnamed.append(array)
    free = [name for name in tensors if name not in found]
    outer = [name for name in free if not name.startswith("self.")] or free
    if len(unnamed) == 1:
        fitting = [name for name in outer if tensors[name].shape == unnamed[0].shape]
        yield from ((found | {name: unnamed[0]}, 0) for name in fitting)
        if not fitting and len(outer) == 1:
            yield found | {outer[0]: unnamed[0]}, 0
        if fitting or len(outer) == 1:
            return
    elif unnamed:
        shapes = [array.shape for array in unnamed]
        fitting = (
            names
            for these in (outer, free)
            for names in itertools.combinations(these, len(unnamed))
            if [tensors[name].shape for name in names] == shapes
        )
        ways = [found | dict(zip(names, unnamed, strict=True)) for names in itertools.islice(fitting, 3)]
        if ways:
            yield from ((way, 0) for way in ways)
            return
    if found:
        yield found, len(unnamed)


def last_of(name: str) -> str:
    inner = re.findall(r"[A-Za-z_]\w*|\d+", name)
    return inner[-1] if inner else name


def stems_of_tensor(name: str) -> set[str]:
    """self.params[W1], p[W1] and W1 are all w1."""
    inner = re.findall(r"[A-Za-z_]\w*|\d+", name)
    last = inner[-1] if inner else name
    found = {stem(last)}
    if last.isdigit() and len(inner) > 1:  # weights[0]
        found = {f"{stem(inner[-2])}[{last}]"}
    if plain(last) in ("data", "value", "w") and len(inner) > 1:
        found.add(stem(inner[-2]))
    return found


def stems_of_label(label: str) -> set[str]:
    """What a gradient of this name may belong to: dW1, grads[W1] and W1 all to w1."""
    place = re.search(r"\[(\d+)\]$", label)
    if place:
        base = label[: place.start()]
        return {f"{one}[{place[1]}]" for one in stems_of_gradient(base) | {stem(base)}}
    inner = re.findall(r"[A-Za-z_]\w*|\d+", label)
    last = inner[-1] if inner else label
    if last in ("grad", "gradient", "g", "d") and len(inner) > 1:
        return {stem(inner[-2])}
    return stems_of_gradient(last) | {stem(last)}
