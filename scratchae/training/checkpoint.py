"""Models in files: a `.safetensors` file holds the weights by name, and in its metadata, as JSON, how to build the
model again. A checkpoint of training holds as well what training needs to go on.

Never pickle: loading a file runs no code from it. A checksum over everything finds damage, which the format itself
would not.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import layers, losses, models, optimizers, penalties
from ..backend import Array, array_module, to_numpy
from ..description import VARIADIC, Described, plain
from ..errors import CheckpointError
from ..files import written_whole
from ..losses import OwnLoss
from ..models import Model
from ..optimizers import Optimizer, OwnOptimizer
from ..penalties import OwnPenalty
from .history import History

FORMAT_VERSION = 1


def save(model: Model, path: str | Path) -> None:
    """Write the model to a `.safetensors` file, whole or not at all; `load` builds it again."""
    if not isinstance(model, Model):
        raise CheckpointError(
            f"save({model!r}): expected a model, such as Autoencoder(…); arrays can be kept with numpy.savez(path, …)"
        )
    write(path, {"model": describe(model)}, model.tensors())


def load(path: str | Path, *, classes: Sequence[Any] = ()) -> Model:
    """The model in a file that `save`, or `fit(…, checkpoint=…)`, wrote; on the CPU. Raises CheckpointError.

    classes: those of your own that the model is made of, and functions that are its loss or penalty: [MyLayer, huber].
    """
    metadata, tensors = read(path)
    if "model" not in metadata:
        raise CheckpointError(f"{path} holds no model ({written_by(metadata)}): load what save(model, path) wrote")
    try:
        model = build(metadata["model"], known(classes))
    except CheckpointError as error:
        raise CheckpointError(f"{path} ({written_by(metadata)}): {error}") from None
    fill(model, tensors, path)
    return model


def written_by(metadata: dict[str, Any]) -> str:
    """Which version wrote a file, and which reads it."""
    return f"written by scratchae {metadata.get('written_by', 'of before it said so')}, read by {this_version()}"


def this_version() -> str:
    from .. import __version__  # which imports this module

    return __version__


def restore(model: Model, path: str | Path) -> None:
    """Give a model the weights in a file: for layers of your own, which `load` cannot build. Raises CheckpointError."""
    metadata, tensors = read(path)
    require_same_architecture(model, metadata, path)
    fill(model, tensors, path)


def require_same_architecture(model: Model, metadata: dict[str, Any], path: str | Path) -> None:
    if architecture(metadata["model"]) != architecture(describe(model)):
        raise CheckpointError(
            f"{path} is from another architecture: it holds {show(metadata['model'])}, this is {model!r}"
        )


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


def fill(model: Model, tensors: dict[str, np.ndarray], path: str | Path) -> None:
    """Copy tensors into the parameters and buffers of the same names; the model's dtype becomes the file's."""
    for name, layer, attribute in [*model.named_parameters(), *model.named_buffers()]:
        here = getattr(layer, attribute)
        if name not in tensors or tensors[name].shape != here.shape:
            there = f"shape {tensors[name].shape}" if name in tensors else "nothing"
            raise CheckpointError(
                f"{path} holds {there} for {name}, the model needs shape {here.shape}: it is from another architecture"
            )
        xp = array_module(here)
        setattr(layer, attribute, xp.asarray(tensors[name]))
        if attribute in layer.parameter_names:
            setattr(layer, "d" + attribute, xp.zeros(here.shape, dtype=tensors[name].dtype))
    model.gather()


# How to build a thing again: its class and constructor arguments, as JSON

KNOWN = {
    name: thing
    for module in (layers, losses, penalties, models, optimizers)
    for name, thing in vars(module).items()
    if isinstance(thing, type) and issubclass(thing, Described)
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
    return KNOWN | {f".{thing.__qualname__}": thing for thing in classes}


def build(description: Any, classes: dict[str, Any] = KNOWN) -> Any:
    """The inverse of `describe`; weights are as drawn, to be filled. Raises CheckpointError."""
    if isinstance(description, list):
        return tuple(build(item, classes) for item in description)
    if not isinstance(description, dict):
        return description
    if "dict" in description:
        return {name: build(value, classes) for name, value in description["dict"].items()}
    if "generator" in description:
        return np.random.default_rng()
    if "array" in description:
        return np.array(description["array"], description["dtype"])
    if "function" in description:
        return find(description["function"], classes)
    kind = find(description["class"], classes)
    arguments = {
        name: build(value, classes) for name, value in description.items() if name not in ("class", "attributes")
    }
    try:
        call = inspect.signature(kind).bind_partial()
        if unknown := arguments.keys() - call.signature.parameters.keys():
            raise TypeError(f"it has no argument {min(unknown)}")
        call.arguments.update(arguments)
        made = kind(*call.args, **call.kwargs)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{description['class']} cannot be made again as it was: {error}") from None
    vars(made).update(description.get("attributes", {}))
    return made


def find(name: str, classes: dict[str, Any]) -> Any:
    """A class or function by its name in a file. Raises CheckpointError if it is neither ours nor given."""
    own = [thing for key, thing in classes.items() if key[:1] == "." and name.endswith(key)]
    if name not in classes and not own:
        short = name.rpartition(".")[2]
        raise CheckpointError(
            f"the file holds a {name}, which scratchae does not have: name it, load(path, classes=[{short}]), or build the model "
            "yourself, then checkpoint.restore(model, path)"
        )
    return classes[name] if name in classes else own[0]


def show(description: Any) -> str:
    """A description as the text that would build it."""
    try:
        return repr(build(description))
    except CheckpointError:
        return json.dumps(description)


# Training that can go on


def save_training(
    path: str | Path,
    model: Model,
    optimizer: Optimizer,
    settings: dict[str, Any],
    history: History,
    best: dict[str, Any] | None,
) -> None:
    """Write the model with the optimizer's state, the settings, the history, and the best parameters and buffers so far."""
    tensors = model.tensors()
    tensors |= {f"optimizer.{name}": state for name, state in optimizer.state().items()}
    training = {"settings": settings, "updates": optimizer.t, "history": history.columns, "best": None}
    if best is not None:
        tensors |= {f"best.{name}": tensor for name, tensor in best["tensors"].items()}
        training["best"] = {"loss": best["loss"], "epoch": best["epoch"]}
    write(path, {"model": describe(model), "training": training}, tensors)


def resume_training(
    path: str | Path, model: Model, optimizer: Optimizer, settings: dict[str, Any]
) -> tuple[History, dict[str, Any] | None]:
    """Put model and optimizer back to where the checkpoint was written; its history and the best so far.

    Raises CheckpointError where it is of another model, or training had other settings.
    """
    metadata, tensors = read(path)
    if "training" not in metadata:
        raise CheckpointError(f"{path} holds a model but no training to resume: load it and call fit anew")
    training = metadata["training"]
    for name, now in settings.items():
        was = training["settings"][name]
        if architecture(was) != architecture(now):
            if name == "optimizer":
                was, now = show(was), show(now)
            raise CheckpointError(
                f"{path} was trained with another {name} ({was}, now {now}): resume with the same, or start anew"
            )
    require_same_architecture(model, metadata, path)
    fill(model, tensors, path)
    prefix = "optimizer."
    state = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    optimizer.restore(state, training["updates"])
    best = training["best"]
    if best is not None:
        best["tensors"] = {name: tensors[f"best.{name}"] for name in model.tensors()}
    return History(training["history"]), best


# The file


def write(path: str | Path, metadata: dict[str, Any], tensors: dict[str, Array]) -> None:
    """Write JSON metadata and tensors, with a checksum over both."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays = {name: np.asarray(to_numpy(tensor), order="C") for name, tensor in tensors.items()}
    content = {"version": FORMAT_VERSION, "written_by": this_version(), **metadata}
    # one entry: safetensors writes several in a random order, and the same model should give the same bytes
    text = {"scratchae": json.dumps({"sha256": checksum(content, arrays), **content})}
    try:
        with written_whole(Path(path)) as temporary:
            save_file(arrays, temporary, metadata=text)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"cannot write {path}: {reason}: choose a folder that you may write to") from error


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Metadata and tensors of a file. Raises CheckpointError if it is missing, damaged, or of a newer format."""
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise CheckpointError(f"no checkpoint at {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            text = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping: it has only keys())
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise CheckpointError(
            f"{path} is damaged or no checkpoint ({error}): use another copy, or train again"
        ) from None
    try:
        content = json.loads(text["scratchae"])
        expected, version = content.pop("sha256"), int(content["version"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CheckpointError(f"{path} is damaged or was not written by scratchae: it has no entry of ours") from None
    if version > FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format version {version}, this scratchae reads up to {FORMAT_VERSION}: upgrade scratchae"
        )
    if checksum(content, arrays) != expected:
        raise CheckpointError(
            f"{path} is damaged: its checksum does not match its content; use another copy, or train again"
        )
    return content, arrays


def checksum(content: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 over the metadata and all tensors with their names, dtypes and shapes, in the order of the names."""
    digest = hashlib.sha256(json.dumps(content).encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}\n".encode())
        digest.update(arrays[name])
    return digest.hexdigest()
