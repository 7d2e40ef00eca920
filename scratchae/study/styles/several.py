"""A value of several arrays and its gradients, however a person writes them: one call, for functions and for methods.

loss(anchor, positive, negative) -> (value, dA, dP, dN)            a value with its gradients
op(x, W) -> (y, backward)                                          a value with a function of the upstream
cell_forward(x, h, c, W) -> (h, c, cache) and cell_backward(dh, dc, cache)
cost(theta, X, y) and gradient(theta, X, y)                        a value and its gradients, apart
cell.forward(x, h) and cell.backward(dy), net.loss(X, y) -> (value, grads)      the same as methods
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .calls import BACKWARD, FORWARD, parameters_of, required
from .joined import DERIVATIVES, OF_METHODS, UPSTREAM
from .keys import keys_of
from .names import plain, stems_of_gradient
from .written import called, may_give_several, returned_names, returns, upstream_option

SLOPES = (*BACKWARD, *OF_METHODS[1], "grads", "pullback", "compute_gradients", "get_gradients", "gradient_step")
VALUES = (*FORWARD, *OF_METHODS[0], "objective", "energy", "log_likelihood", "predict", "cost_function", "nll")
IS_SLOPE = re.compile(
    r"grad|deriv|prime|back|retro|rueckw|bptt|adjoint|vjp|delta|jac|(?:^|_)d_?[a-zA-Z]{1,6}$|updates?$", re.I
)
IS_GRADIENT = re.compile(r"d[A-Z]\w*|d\w?_d\w+|grads?_\w+|\w+_grad|d[bwxz]\d?")  # what is no value
DOWNHILL = re.compile(r"updates?$|step|descent", re.I)  # what is added to parameters: the gradient turned round

Arrays = dict[str, Any]


class UnlikeError(Exception):
    """What was called does not return what this reading of it expects."""


@dataclass
class Several:
    """run(arguments, upstream): the outputs as a list, and the gradients, each with the name that its author gives it.

    parameters: the arguments of the value without a default. keys: of arguments that are dicts, the keys that are read. held: what an
    object itself holds that may have a gradient, by name. updates: what comes back is rather added to parameters;
    descends: or is what steps take off them, divided by a rate.
    one_of: how many functions give the gradients, one each. settings: arguments with a default, of the value and of what gives its
    gradients, unless that has a cache of it. cls: the class whose options can be tried; fixed: what it holds is the file's. parts: the
    functions that run. sized: the arguments of its constructor that are handed sizes. told: a class says of what
    its gradients are. twice: of an object that sets its gradients to 0, which are added up and which are not.
    """

    name: str
    source: Callable
    parameters: list[inspect.Parameter]
    run: Callable[[Arrays, Callable], tuple[list[np.ndarray], list[tuple[str, Any]]]]
    keys: dict[str, list[str]]
    held: Callable[[Arrays], Arrays] = lambda arguments: {}
    updates: bool = False
    descends: bool = False
    one_of: int = 1
    settings: tuple[inspect.Parameter, ...] = ()
    cls: type | None = None
    fixed: bool = False
    parts: tuple[Callable, ...] = ()
    sized: tuple[str, ...] = ()
    told: bool = False
    twice: Callable[[Arrays, Callable], tuple[list[str], list[str]]] | None = None

    def complete(self, arguments: Arrays, seed: int) -> Arrays:
        """The arguments, and what the object holds, moved off the values with which it begins."""
        rng = np.random.default_rng([seed, 7])
        moved = {
            name: np.asarray(
                np.abs(array) * rng.uniform(0.6, 1.5, array.shape)
                if re.search(r"var|sigma|std|scale", name)
                else array + 0.3 * rng.standard_normal(array.shape)
            )
            for name, array in self.held(arguments).items()
        }
        ordered = {p.name: arguments[p.name] for p in self.parameters if p.name in arguments}
        return ordered | arguments | moved


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
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


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
    if not is_number(value) or not are_arrays(rest) or IS_GRADIENT.fullmatch(returned_names(source, len(found))[0]):
        raise UnlikeError
    nodes, asked = returned_nodes(source, len(found)), {p.name for p in parameters_of(source)}
    if any(isinstance(node, ast.BinOp) and getattr(node.left, "id", "") in asked for node in nodes):
        raise UnlikeError  # w - η dw, a step, is no gradient
    names = [base_of(node, name) for node, name in zip(nodes, returned_names(source, len(found)), strict=True)][1:]
    if len(rest) == 1 and isinstance(rest[0], tuple | list):
        return [value], list(labelled(rest[0], nested_names(source)))
    return [value], list(labelled(tuple(rest), names))


def returned_nodes(function: Callable, count: int) -> list[ast.expr | None]:
    """The expressions of the `return` of so many."""
    for node in returns(function):
        if isinstance(node, ast.Tuple) and len(node.elts) == count:
            return list(node.elts)
    return [None] * count


def base_of(node: ast.expr | None, name: str) -> str:
    """The name of a list or dict of which an entry is returned, unless it is that of gradients: hs for hs[-1]."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and not stems_of_gradient(node.value.id):
        return node.value.id
    return name


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


def call(function: Callable, arguments: Arrays) -> Any:
    """What a function gives for those of the arguments that it takes; for all, in order, if it takes any number."""
    if not required(function) and any(p.kind is p.VAR_POSITIONAL for p in parameters_of(function)):
        return function(*arguments.values())
    return function(**words(function, arguments))


def words(function: Callable, arguments: Arrays) -> Arrays:
    """Those of the arguments that a function takes."""
    return {p.name: arguments[p.name] for p in parameters_of(function) if p.name in arguments}


def apart(value: Callable, slope: Callable, arguments: Arrays, upstream: Callable) -> tuple[list, list]:
    """Of a value and its gradients in two calls: the second is handed upstreams, the cache, and arguments of the first by name."""
    found = call(value, arguments)
    by_name = {plain(name): argument for name, argument in arguments.items()}
    wanted = required(slope)
    numbers = [p for p in wanted if plain(p.name) not in by_name]
    above = [p for p in numbers if is_upstream(p.name)]
    if len(wanted) == 1 and not above and numbers and not isinstance(found, tuple):
        above = numbers
    outputs = list(found) if isinstance(found, tuple) else [found]
    states = found if isinstance(found, list) and found else None
    if states is not None:  # of which the last is the result
        outputs = [states[-1]]
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
            handed.append(held_in(cache, name))
            cache = cache[1:] if len(cache) > 1 and name not in ("cache", "caches") else cache
        elif states is not None and name in returned_by(value):
            handed.append(states)
        elif outputs and name in ("y", "out", "output", "xs", "ys", "states"):
            handed.append(outputs[0])
        else:
            raise UnlikeError
    settings = {
        p.name: arguments[p.name] for p in parameters_of(slope) if p.default is not p.empty and p.name in arguments
    }
    for name in upstream_option(slope) if not above else ():
        settings[name], outputs = 1.7, [1.7 * np.asarray(y) for y in outputs]
    return outputs, list(labelled(slope(*handed, **settings), names_in(inspect.unwrap(slope))))


def held_in(cache: list, name: str) -> Any:
    """What a derivative is handed as its cache, of what its value gives besides y: the last if it holds several things."""
    if name not in ("cache", "caches") or len(cache) == 1:
        return cache[0]
    return cache[-1] if isinstance(cache[-1], tuple | list | dict) else tuple(cache)


def settings_of(value: Callable, slope: Callable | None) -> tuple[inspect.Parameter, ...]:
    """The options of a value that its gradients know of: they take them too, or are handed no arguments of the value."""
    options = [p for p in parameters_of(value) if p.default is not p.empty and p.kind is not p.VAR_KEYWORD]
    if slope is None:
        return tuple(options)
    theirs = {p.name for p in parameters_of(slope)}
    apart = bool(theirs & {p.name for p in required(value) if p.name != "self"})
    return tuple(p for p in options if p.name in theirs or not apart)


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
        if not needed or not may_give_several(function):
            continue
        yield Several(
            name,
            function,
            needed,
            lambda arguments, upstream, f=function: with_gradients(f(**words(f, arguments)), f, upstream),
            keys_of(functions.values(), [p.name for p in needed]),
            settings=settings_of(function, None),
            parts=(function,),
        )
    for name, value in functions.items():
        slopes = {
            other: slope for other, slope in functions.items() if other != name and belongs(name, value, other, slope)
        }
        needed = required(value)
        for other, slope in slopes.items():
            yield Several(
                name if len(slopes) == 1 else other,
                slope,
                needed,
                lambda arguments, upstream, v=value, s=slope: apart(v, s, arguments, upstream),
                keys_of(functions.values(), [p.name for p in needed]),
                updates=bool(DOWNHILL.search(other)),
                one_of=len(slopes),
                settings=settings_of(value, slope),
                parts=(value, slope),
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
    given = {plain(one) for one in names_in(value)}  # what the value returns besides, which is handed on
    handed_on = bool(first) and set(first) <= set(second) and set(rest) <= given
    if outcome := returned_by(value) & set(rest):  # such as all states of a solver
        rest = [one for one in rest if one not in outcome]
        same = bool(set(first) & set(second)) and len(rest) == 1 and is_upstream(rest[0])
    return named or (bool(IS_SLOPE.search(other)) and (same or handed_on))


def returned_by(value: Callable) -> set[str]:
    """The name of what a function returns, if it returns a single one."""
    return {plain(node.id) for node in returns(value) if isinstance(node, ast.Name)}
