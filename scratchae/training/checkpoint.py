"""Models in files: a `.safetensors` file holds the weights by name, and in its metadata, as JSON, how to build the
model again. A checkpoint of training holds as well what training needs to go on.

Never pickle: loading a file runs no code from it. A checksum over everything finds damage, which the format itself
would not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import array_module
from ..errors import CheckpointError
from ..models import Model
from ..optimizers import Optimizer
from .architecture import architecture, build, describe, known, show
from .container import as_path, read, this_version, write
from .history import History

MODEL = "model.safetensors"  # in a run's folder


def save(model: Model, path: str | Path) -> None:
    """Write the model to a `.safetensors` file, whole or not at all; `load` builds it again."""
    if not isinstance(model, Model):
        raise CheckpointError(
            f"save({model!r}): expected a model, such as Autoencoder(…); arrays can be kept with numpy.savez(path, …)"
        )
    write(path, {"model": describe(model)}, model.tensors())


def load(path: str | Path, *, classes: Sequence[Any] = ()) -> Model:
    """The model in a file that `save`, or `fit(…, checkpoint=…)`, wrote, or in a run's folder; on the CPU. Raises CheckpointError.

    classes: those of your own that the model is made of, and functions that are its loss or penalty: [MyLayer, huber].
    """
    if as_path(path).is_dir():
        path = Path(path) / MODEL
    metadata, tensors = read(path)
    description = model_in(metadata, path)
    try:
        model = build(description, known(classes))
    except CheckpointError as error:
        raise CheckpointError(f"{path} ({written_by(metadata)}): {error}") from None
    fill(model, tensors, path)
    return model


def model_in(metadata: dict[str, Any], path: str | Path) -> Any:
    """The description of the model in a file. Raises CheckpointError if it holds none."""
    if "model" not in metadata:
        raise CheckpointError(f"{path} holds no model ({written_by(metadata)}): load what save(model, path) wrote")
    return metadata["model"]


def written_by(metadata: dict[str, Any]) -> str:
    """Which version wrote a file, and which reads it."""
    return f"written by scratchae {metadata.get('written_by', 'of before it said so')}, read by {this_version()}"


def restore(model: Model, path: str | Path) -> None:
    """Give a model the weights in a file: for layers of your own, which `load` cannot build. Raises CheckpointError."""
    metadata, tensors = read(path)
    require_same_architecture(model, metadata, path)
    fill(model, tensors, path)


def require_same_architecture(model: Model, metadata: dict[str, Any], path: str | Path) -> None:
    there = model_in(metadata, path)
    if architecture(there) != architecture(describe(model)):
        raise CheckpointError(f"{path} is from another architecture: it holds {show(there)}, this is {model!r}")


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
        was = training["settings"].get(name)  # a version that did not have it yet did not write it
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
