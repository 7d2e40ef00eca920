"""How to build a thing again: its class and constructor arguments, as JSON."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import layers, likelihoods, losses, models, optimizers, penalties
from ..arguments import refuse
from ..backend import to_numpy
from ..description import VARIADIC, Described, plain
from ..errors import CheckpointError, printable
from ..losses import OwnLoss
from ..optimizers import OwnOptimizer
from ..penalties import OwnPenalty

BASES = {
    Described,
    layers.Layer,
    losses.Loss,
    penalties.Penalty,
    models.Model,
    optimizers.Optimizer,
    optimizers.Schedule,
}
KNOWN = {
    name: thing
    for module in (layers, losses, likelihoods, penalties, models, optimizers)
    for name, thing in vars(module).items()
    if isinstance(thing, type)
    and issubclass(thing, Described)
    and thing not in BASES | {OwnLoss, OwnPenalty, OwnOptimizer}
}


def describe(thing: Any) -> Any:
    """A layer, loss, model, optimizer, or a plain value, as what JSON can hold."""
    if isinstance(thing, OwnLoss | OwnPenalty):
        return describe(thing.function)
    if isinstance(thing, OwnOptimizer):
        return {"class": full_name(type(thing.theirs)), "attributes": attributes(thing.beginning)}
    if isinstance(thing, Described):
        return describe_object(thing)
    if isinstance(thing, list | tuple):
        return [describe(item) for item in thing]
    if isinstance(thing, dict):
        return {"dict": {str(name): describe(value) for name, value in thing.items()}}
    if isinstance(thing, np.random.Generator):
        return {"generator": None}  # what it drew is stored
    if getattr(thing, "shape", ()):
        return {"array": to_numpy(thing).tolist(), "dtype": str(thing.dtype)}
    if inspect.isfunction(thing) and "<lambda>" not in thing.__qualname__:
        return {"function": full_name(thing)}
    thing = plain(thing)
    if not isinstance(thing, bool | int | float | str | None):
        raise CheckpointError(
            f"{thing!r} cannot be written to a checkpoint: only numbers, text, arrays, layers, named functions and the like can"
        )
    return thing


def describe_object(thing: Described) -> dict[str, Any]:
    """Its class and constructor arguments; of a class of somebody else's also its plain attributes, as it may change them."""
    kind, arguments = type(thing), thing.all_arguments()
    missing = [
        name
        for name, p in inspect.signature(kind).parameters.items()
        if p.default is p.empty and p.kind not in VARIADIC and name not in (*arguments, "rng")
    ]
    if missing:
        raise CheckpointError(
            f"{kind.__name__} cannot be written to a checkpoint, as nobody knows its argument {missing[0]}: keep it, "
            f"self.{missing[0]} = {missing[0]}, or write class {kind.__name__}(scratchae.Layer)"
        )
    # a class of somebody else's may have the name of one of ours
    if KNOWN.get(kind.__name__) is kind:
        return {"class": kind.__name__, **{name: describe(value) for name, value in arguments.items()}}
    described = {name: describe(value) for name, value in arguments.items()}
    return {"class": full_name(kind), **described, "attributes": attributes(vars(thing))}


def attributes(found: dict[str, Any]) -> dict[str, Any]:
    """Those that are plain values."""
    return {
        name: plain(value)
        for name, value in found.items()
        if isinstance(value, bool | int | float | str | np.number) and name != "name"
    }


def full_name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def known(classes: Sequence[Any] = ()) -> dict[str, Any]:
    """What a file may name, by name: our classes, and those that the caller has given, wherever they were defined then."""
    if not isinstance(classes, list | tuple | set) or not all(hasattr(thing, "__qualname__") for thing in classes):
        refuse("load", "classes", classes, "a list of classes and functions of your own, such as [MyLayer]")
    return KNOWN | {f".{thing.__qualname__}": thing for thing in classes}


def build(description: Any, classes: dict[str, Any] = KNOWN) -> Any:
    """The inverse of `describe`; weights are as drawn, to be filled.

    Raises CheckpointError, or what else comes of a description that was not made by `describe`: see `checkpoint.made_of`.
    """
    if isinstance(description, list):
        return tuple(build(item, classes) for item in description)
    if not isinstance(description, dict):
        return description
    if "class" not in description:  # looked for first: a class may have an argument of any of these names
        return build_value(description, classes)
    name = description["class"]
    kind = find(name, classes, inspect.isclass)
    arguments = {
        name: build(value, classes) for name, value in description.items() if name not in ("class", "attributes")
    }
    try:
        call = inspect.signature(kind).bind_partial()
        if unknown := arguments.keys() - call.signature.parameters.keys() | arguments.keys() & {"rng"}:
            raise TypeError(f"it has no argument {min(unknown)}")
        call.arguments.update(arguments)
        made = kind(*call.args, **call.kwargs)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{name} cannot be made again as it was: {error}") from error
    kept = description.get("attributes", {})
    if kept and (KNOWN.get(name) is kind or attributes(kept) != kept):
        raise CheckpointError(f"{name} has attributes that it cannot have: {kept!r}")
    vars(made).update(kept)
    return made


def build_value(description: dict[str, Any], classes: dict[str, Any]) -> Any:
    """A dictionary, a generator, an array or a function."""
    if "dict" in description:
        return {name: build(value, classes) for name, value in description["dict"].items()}
    if "generator" in description:
        return np.random.default_rng()
    if "array" in description:
        return array(description["array"], description["dtype"])
    return find(description["function"], classes, inspect.isfunction)


def array(numbers: Any, dtype: Any) -> np.ndarray:
    """An array of a description. Raises CheckpointError for what holds no numbers, or text."""
    if np.dtype(dtype).kind not in "fiub":
        raise CheckpointError(f"an array cannot hold {dtype!r}: expected numbers")
    return np.array(numbers, dtype)


def find(name: str, classes: dict[str, Any], is_right: Callable[[Any], bool]) -> Any:
    """A class or function by its name in a file. Raises CheckpointError if it is neither ours nor given."""
    found = [thing for key, thing in classes.items() if name == key or (key[:1] == "." and name.endswith(key))]
    if not found:
        short = name.rpartition(".")[2]
        raise CheckpointError(
            f"the file holds a {name!r}, which scratchae does not have: name it, load(path, classes=[{printable(short)}]), or build "
            "the model yourself, then scratchae.training.restore(model, path)"
        )
    if not is_right(found[0]):
        raise CheckpointError(f"the file takes {name!r} for something else than it is")
    return found[0]


def show(description: Any) -> str:
    """A description as the text that would build it."""
    try:
        return repr(build(description))
    except Exception:  # of a file that says anything
        return json.dumps(description)


def architecture(description: Any) -> Any:
    """A description without what changes while a model is used, with the defaults that older files leave out."""
    if isinstance(description, list):
        return [architecture(item) for item in description]
    if not isinstance(description, dict):
        return description
    kind = KNOWN.get(description.get("class"))
    defaults = {} if kind is None else inspect.signature(kind).parameters
    left_out = {
        name: describe(p.default)
        for name, p in defaults.items()
        if name != "rng" and p.default is not inspect.Parameter.empty
    }
    return left_out | {name: architecture(value) for name, value in description.items() if name != "attributes"}
