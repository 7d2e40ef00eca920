"""Models in files: a `.safetensors` file holds the weights by name, and in its metadata, as JSON, how to build the
model again. A checkpoint of training holds as well what training needs to go on.

Never pickle: loading a file runs no code from it. A checksum over everything finds damage, which the format itself
would not.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from .. import layers, losses, models, optimizers, penalties
from ..backend import Array, array_module, to_numpy
from ..description import Described, plain
from ..errors import CheckpointError
from ..files import written_whole
from ..models import Model
from ..optimizers import Optimizer
from .history import History

FORMAT_VERSION = 1


def save(model: Model, path: str | Path) -> None:
    """Write the model to a `.safetensors` file, whole or not at all; `load` builds it again."""
    write(path, {"model": describe(model)}, model.tensors())


def load(path: str | Path) -> Model:
    """The model in a file that `save`, or `fit(…, checkpoint=…)`, wrote; on the CPU. Raises CheckpointError."""
    metadata, tensors = read(path)
    model = build(metadata["model"])
    fill(model, tensors, path)
    return model


def restore(model: Model, path: str | Path) -> None:
    """Give a model the weights in a file: for layers of your own, which `load` cannot build. Raises CheckpointError."""
    metadata, tensors = read(path)
    require_same_architecture(model, metadata, path)
    fill(model, tensors, path)


def require_same_architecture(model: Model, metadata: dict[str, Any], path: str | Path) -> None:
    if metadata["model"] != describe(model):
        raise CheckpointError(
            f"{path} is from another architecture: it holds {show(metadata['model'])}, this is {model!r}"
        )


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
    if isinstance(thing, Described):
        kind = type(thing)
        # a class of somebody else's may have the name of one of ours
        name = kind.__name__ if KNOWN.get(kind.__name__) is kind else f"{kind.__module__}.{kind.__qualname__}"
        return {"class": name, **{name: describe(value) for name, value in thing.arguments().items()}}
    if isinstance(thing, list | tuple):
        return [describe(item) for item in thing]
    thing = plain(thing)
    if not isinstance(thing, bool | int | float | str | None):
        raise CheckpointError(
            f"{thing!r} cannot be written to a checkpoint: only numbers, text, layers and the like can"
        )
    return thing


def build(description: Any) -> Any:
    """The inverse of `describe`; weights are as drawn, to be filled."""
    if isinstance(description, list):
        return tuple(build(item) for item in description)
    if not isinstance(description, dict):
        return description
    arguments = {name: build(value) for name, value in description.items() if name != "class"}
    if description["class"] not in KNOWN:
        raise CheckpointError(
            f"the file holds a {description['class']}, which scratchae does not have: build the model yourself, then checkpoint.restore(model, path)"
        )
    positional = arguments.pop("layers", ())  # Sequential(*layers)
    return KNOWN[description["class"]](*positional, **arguments)


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
        if was != now:
            if name == "optimizer":
                was, now = show(was), show(now)
            raise CheckpointError(
                f"{path} was trained with another {name} ({was}, now {now}): resume with the same, or start anew"
            )
    require_same_architecture(model, metadata, path)
    fill(model, tensors, path)
    for name in optimizer.state_names:
        if f"optimizer.{name}" in tensors:
            setattr(optimizer, name, tensors[f"optimizer.{name}"])
        elif hasattr(optimizer, name):  # an optimizer that has been used since
            delattr(optimizer, name)
    optimizer.t = training["updates"]
    best = training["best"]
    if best is not None:
        best["tensors"] = {name: tensors[f"best.{name}"] for name in model.tensors()}
    return History(training["history"]), best


# The file


def write(path: str | Path, metadata: dict[str, Any], tensors: dict[str, Array]) -> None:
    """Write JSON metadata and tensors, with a checksum over both."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays = {name: np.ascontiguousarray(to_numpy(tensor)) for name, tensor in tensors.items()}
    content = {"version": FORMAT_VERSION, **metadata}
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
