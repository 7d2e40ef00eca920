"""Which arrays an object holds, and which of them is the gradient of which: by the names that people give them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

Path = tuple[tuple[str, Any], ...]  # ("attribute", "params"), ("item", "W"): self.params["W"]
DEPTH = 4  # how far to look into objects in attributes

PARAMETERS = {
    "params",
    "parameters",
    "param",
    "weights",
    "theta",
    "variables",
    "learnable",
    "trainable",
    "values",
    "p",
}
GRADIENTS = {"grads", "gradients", "grad", "gradient", "dparams", "derivatives", "deltas", "paramgrads", "gradparams", "dtheta", "dweights", "g", "d"}  # fmt: skip
# methods that set gradients to zero
ZEROING = (
    "zero_grad",
    "zero_grads",
    "zero_gradients",
    "reset_gradients",
    "clear_gradients",
    "zero_gradient",
    "zero",
    "reset_grads",
    "clear_grads",
)
BEFORE = re.compile(
    r"^(?:d(?:l|j|c|e|loss|cost)?_?d_?|grads?_|gradients?_|grad|delta_?|nabla_?|d_|d|g_|g)(?:of_|wrt_)?(?=.)", re.I
)
AFTER = re.compile(r"_?(?:grads?|gradients?|delta|deriv|derivatives?|_d)$", re.I)
SYNONYMS = {"weights": "w", "weight": "w", "kernel": "w", "kernels": "w", "filters": "w", "biases": "b", "bias": "b"}
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
    """Set what lies at a path; what lies in a tuple stays."""
    owner, (how, key) = get(thing, path[:-1]), path[-1]
    if how == "attribute":
        setattr(owner, key, value)
    elif not isinstance(owner, tuple):
        owner[key] = value


def written(path: Path) -> str:
    """A path as a person writes it, behind `self`."""
    text = "".join(f".{key}" if how == "attribute" else f"[{key!r}]" for how, key in path)
    return text.removeprefix(".")


def short(path: Path) -> str:
    """The name of an array: its key in a dict of parameters, or its path."""
    (*above, (_, key)) = path
    inside = len(above) == 1 and plain(above[0][1]) in PARAMETERS and isinstance(key, str)
    return key if inside else written(path)


def plain(name: Any) -> str:
    return str(name).strip("_").lower().replace("_", "")


def stem(name: Any) -> str:
    """A name without its accidents: weights_1, W1 and kernel1 are all w1."""
    text = plain(name)
    digits = re.search(r"\d*$", text).group()
    text = text.removesuffix(digits)
    return SYNONYMS.get(text, text) + digits


def stems_of_gradient(name: Any) -> set[str]:
    """What a name may be the gradient of: dW, grad_W, W_grad and dL_dW are all that of w."""
    text = str(name).strip("_")
    before = BEFORE.match(text)
    found = {stem(text[before.end() :])} if before else set()
    if before and (shorter := re.match(r"^d_?(?=.)", text, re.I)):
        found.add(stem(text[shorter.end() :]))
    if AFTER.search(text):
        found.add(stem(AFTER.sub("", text)))
    return found - {""}


def keys_of_parameter(path: Path) -> set[tuple[str, ...]]:
    """What a parameter may be called, with and without the name of what holds it."""
    names = [key for _, key in path]
    if len(names) > 1 and plain(names[-1]) in ("data", "value", "val", "array"):  # self.W.value, self.W.grad
        names.pop()
    inner = [stem(name) for name in names[:-1] if plain(name) not in PARAMETERS]
    held = tuple(stem(name) for name in names[:-1])
    return {(*inner, stem(names[-1])), (*held, stem(names[-1]))}


def keys_of_gradient(path: Path) -> set[tuple[str, ...]]:
    """The parameters, by key, whose gradient may lie at this path."""
    names = [key for _, key in path]
    if len(names) > 1 and plain(names[-1]) in ("grad", "gradient", "g", "d"):
        return keys_of_parameter(path[:-1])
    *above, last = names
    inner = tuple(stem(name) for name in above if plain(name) not in GRADIENTS | PARAMETERS)
    found = {(*inner, name) for name in stems_of_gradient(last)}
    if any(plain(name) in GRADIENTS for name in above):
        found.add((*inner, stem(last)))
    if above:  # nabla_b[0], dweights["hidden"]
        found |= {(*inner[:-1], name, stem(last)) for name in stems_of_gradient(above[-1])}
    return found


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
