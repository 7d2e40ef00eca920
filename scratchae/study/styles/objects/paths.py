"""Where the arrays of an object lie, and which of them is the gradient of which: by the names that people give them."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from ..text.names import GRADIENTS, PARAMETERS, plain, stem, stems_of_gradient

Path = tuple[tuple[str, Any], ...]  # ("attribute", "params"), ("item", "W"): self.params["W"]
DEPTH = 4  # how far to look into objects in attributes
# arrays of these names are trained: where no gradient of theirs is found, something was not checked
TRAINED = re.compile(
    r"^(?:w|b|u|v|gamma|beta|weights?|bias(?:es)?|kernels?|filters?|theta)[_]?[a-z]?\d*$|weight|bias", re.I
)


def walk(thing: Any, path: Path = ()) -> Iterator[tuple[Path, np.ndarray | float]]:
    """Every array and float that an object holds, in attributes, dicts, lists and objects inside."""
    if isinstance(thing, np.ndarray | float) and not isinstance(thing, bool):
        yield path, thing
    elif isinstance(thing, dict):
        for key, value in thing.items():
            yield from walk(value, (*path, ("item", key)))
    elif isinstance(thing, list | tuple):
        for i, value in enumerate(thing):
            yield from walk(value, (*path, ("item", i)))
    elif (
        hasattr(thing, "__dict__")
        and len(path) < DEPTH
        and not isinstance(thing, type | ModuleType)
        and not inspect.isroutine(thing)
    ):
        for name, value in vars(thing).items():
            yield from walk(value, (*path, ("attribute", name)))


def get(thing: Any, path: Path) -> Any:
    for how, key in path:
        thing = getattr(thing, key) if how == "attribute" else thing[key]
    return thing


def put(thing: Any, path: Path, value: Any) -> None:
    """Set what lies at a path, and at each other path at which the same array lies; what lies in a tuple stays."""
    for place in [*also(thing, path), path]:
        owner, (how, key) = get(thing, place[:-1]), place[-1]
        if how == "attribute":
            setattr(owner, key, value)
        elif not isinstance(owner, tuple):
            owner[key] = value


def also(thing: Any, path: Path) -> list[Path]:
    """The other paths of an array that an object holds in several places: in params of a net, and in params of its layer."""
    try:
        old = get(thing, path)
    except (AttributeError, KeyError, IndexError):  # nothing lies there yet
        return []
    return [other for other, one in walk(thing) if one is old and other != path] if is_array(old) else []


def written(path: Path) -> str:
    """A path as a person writes it, behind `self`."""
    text = "".join(f".{key}" if how == "attribute" else f"[{key!r}]" for how, key in path)
    return text.removeprefix(".")


def short(path: Path) -> str:
    """The name of an array: its key in a dict of parameters, or its path."""
    (*above, (_, key)) = path
    inside = len(above) == 1 and plain(above[0][1]) in PARAMETERS and isinstance(key, str)
    return key if inside else written(path)


def keys_of_parameter(path: Path) -> set[tuple[str, ...]]:
    """What a parameter may be called, with and without the name of what holds it."""
    names = [key for _, key in path]
    if len(names) > 1 and plain(names[-1]) in ("data", "value", "val", "array"):  # self.W.value, self.W.grad
        names.pop()
    inner = [stem(name) for name in names[:-1] if plain(name) not in PARAMETERS]
    held = tuple(stem(name) for name in names[:-1])
    return {(*inner, stem(names[-1])), (*held, stem(names[-1]))}


@functools.lru_cache(10_000)
def keys_of_gradient(path: Path) -> frozenset[tuple[str, ...]]:
    """The parameters, by key, whose gradient may lie at this path."""
    names = [key for _, key in path]
    *above, last = names
    of_holder = above and plain(last) in ("grad", "gradient", "g", "d")
    if of_holder and not any(plain(name) in GRADIENTS for name in above):
        return frozenset(keys_of_parameter(path[:-1]))
    inner = tuple(stem(name) for name in above if plain(name) not in GRADIENTS | PARAMETERS)
    found = {(*inner, name) for name in stems_of_gradient(last)}
    if any(plain(name) in GRADIENTS for name in above):
        found.add((*inner, stem(last)))
    if above:  # nabla_b[0], dweights["hidden"]
        found |= {(*inner[:-1], name, stem(last)) for name in stems_of_gradient(above[-1])}
    return frozenset(found)


def cased(name: str, key: str) -> str:
    """The part of the name of a gradient that is that of a parameter, in upper and lower case as it is written: A of dA."""
    return next((part for part in (name[-len(key) :], name[: len(key)]) if part.lower() == key), key)


def in_its_case(gradient: Path, parameter: Path) -> bool:
    """Whether what holds a gradient is named as the parameter is, in upper and lower case too: dA for A, and not for a."""
    last = str(parameter[-1][1])
    return any(str(key).startswith(last) or str(key).endswith(last) for _, key in gradient)


def is_trained(path: Path) -> bool:
    """Whether the name says that this array is to be trained."""
    return any(
        isinstance(key, str) and (TRAINED.search(key) or plain(key) in ("params", "parameters")) for _, key in path
    )


def is_number(value: Any) -> bool:
    """Whether this can be a parameter: an array of numbers, or one number."""
    return isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind in "fi")


def is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)
