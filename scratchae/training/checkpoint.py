"""Models in files: a `.safetensors` file holds the weights by name, and in its metadata, as JSON, how to build the
model again. A checkpoint of training holds as well what training needs to go on.

Never pickle: loading a file runs no code from it. A checksum over everything finds damage, which the format itself
would not.
"""

from __future__ import annotations

import contextlib
import numbers
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..arguments import is_number, number, whole
from ..backend import Array, array_module
from ..errors import CheckpointError, ScratchaeError, printable
from ..layers.initial import room_for
from ..models import Model
from ..optimizers import Optimizer, OwnOptimizer
from .architecture import architecture, build, describe, known, show
from .container import as_path, read, this_version, write
from .history import History

MODEL = "model.safetensors"  # in a run's folder


def save(model: Model, path: str | Path) -> None:
    """Write the model to a `.safetensors` file, whole or not at all; `load` builds it again.

    Raises CheckpointError if it cannot be written, or holds what no model should: NaN, infinity, or float16.
    """
    if not isinstance(model, Model):
        raise CheckpointError(
            f"save({model!r}): expected a model, such as Autoencoder(…); arrays can be kept with numpy.savez(path, …)"
        )
    tensors = model.tensors()
    for name, tensor in tensors.items():
        require_weights(tensor, tensor, f"save({type(model).__name__}(…), {str(path)!r}): {name}")
    write(path, {"model": describe(model)}, tensors)


def load(path: str | Path, *, classes: Sequence[Any] = ()) -> Model:
    """The model in a file that `save`, or `fit(…, checkpoint=…)`, wrote, or in a run's folder; on the CPU. Raises CheckpointError.

    classes: those of your own that the model is made of, and functions that are its loss or penalty: [MyLayer, huber].
    """
    if as_path(path).is_dir():
        path = Path(path) / MODEL
    metadata, tensors = read(path)
    with made_of(path, metadata, tensors):
        model = build(model_in(metadata), known(classes))
        if not isinstance(model, Model):
            raise CheckpointError(f"it holds a {type(model).__name__} where a model should be")
        fill(model, weights_in(tensors))
    return model


def restore(model: Model, path: str | Path) -> None:
    """Give a model the weights in a file: for layers of your own, which `load` cannot build. Raises CheckpointError."""
    metadata, tensors = read(path)
    with made_of(path, metadata, tensors):
        require_same_architecture(model, metadata)
        fill(model, weights_in(tensors))


@contextlib.contextmanager
def made_of(path: str | Path, metadata: dict[str, Any], tensors: dict[str, np.ndarray]) -> Iterator[None]:
    """Around all that is made of what a file says, which may be anything: what is wrong there is a CheckpointError about the file, and
    no more weights are made than it holds.
    """
    try:
        # twice as many, since tied layers are made with weights of their own
        with room_for(2 * sum(tensor.size for tensor in tensors.values())):
            yield
    except Exception as error:
        said = (
            error if isinstance(error, ScratchaeError) else f"it says what cannot be: {type(error).__name__}: {error}"
        )
        raise CheckpointError(f"{path} ({written_by(metadata)}): {printable(said)}") from error


def model_in(metadata: dict[str, Any]) -> Any:
    """The description of the model in a file. Raises CheckpointError if it holds none."""
    if "model" not in metadata:
        raise CheckpointError("it holds no model: load what save(model, path) wrote")
    return metadata["model"]


def written_by(metadata: dict[str, Any]) -> str:
    """Which version wrote a file, and which reads it."""
    return printable(
        f"written by scratchae {metadata.get('written_by', 'of before it said so')}, read by {this_version()}"
    )


def require_same_architecture(model: Model, metadata: dict[str, Any]) -> None:
    there = model_in(metadata)
    if architecture(there) != architecture(describe(model)):
        raise CheckpointError(f"it is from another architecture: it holds {show(there)}, this is {model!r}")


# What is kept of training, beside the weights: by the beginnings of the tensors' names
STATE, BEST = "optimizer.", "best."


def weights_in(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: tensor for name, tensor in tensors.items() if not name.startswith((STATE, BEST))}


def named(tensors: dict[str, np.ndarray], beginning: str) -> dict[str, np.ndarray]:
    """The tensors whose names begin so, by the rest of their names."""
    return {name.removeprefix(beginning): tensor for name, tensor in tensors.items() if name.startswith(beginning)}


def require_weights(tensor: Array, like: Array, name: str) -> None:
    """Raise CheckpointError unless this can take the place of a parameter or buffer: finite numbers in float32 or float64, where a
    layer of somebody's own does not keep something else.
    """
    if like.dtype.kind != "f":
        if tensor.dtype != like.dtype:
            raise CheckpointError(f"{name} holds {tensor.dtype}: expected {like.dtype}")
    elif tensor.dtype not in (np.float32, np.float64):
        raise CheckpointError(f"{name} holds {tensor.dtype}: expected float32 or float64")
    elif not bool(array_module(tensor).isfinite(tensor).all()):
        raise CheckpointError(f"{name} holds NaN or infinity: expected finite numbers")


def require_fitting(model: Model, tensors: dict[str, np.ndarray]) -> None:
    """Raise CheckpointError unless these can be all the weights of the model."""
    there = model.tensors()
    for name, here in there.items():
        if name not in tensors or tensors[name].shape != here.shape:
            found = f"shape {tensors[name].shape}" if name in tensors else "nothing"
            raise CheckpointError(
                f"it holds {found} for {name}, the model needs shape {here.shape}: it is from another architecture"
            )
        require_weights(tensors[name], here, name)
    if unknown := tensors.keys() - there.keys():
        raise CheckpointError(
            f"it holds {min(unknown)!r}, which the model does not have: it is from another architecture"
        )
    if len({tensors[name].dtype for name, _, _ in model.named_parameters()}) > 1:
        raise CheckpointError("it holds float32 beside float64: expected one of them for all weights")


def fill(model: Model, tensors: dict[str, np.ndarray]) -> None:
    """Copy tensors into the parameters and buffers of the same names; the model's dtype becomes the file's."""
    require_fitting(model, tensors)
    for name, layer, attribute in [*model.named_parameters(), *model.named_buffers()]:
        xp = array_module(getattr(layer, attribute))
        setattr(layer, attribute, xp.asarray(tensors[name]))
        if attribute in layer.parameter_names:
            setattr(layer, "d" + attribute, xp.zeros(tensors[name].shape, dtype=tensors[name].dtype))
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
    tensors |= {f"{STATE}{name}": state for name, state in optimizer.state().items()}
    training = {"settings": settings, "updates": optimizer.t, "history": history.columns, "best": None}
    if best is not None:
        tensors |= {f"{BEST}{name}": tensor for name, tensor in best["tensors"].items()}
        training["best"] = {"loss": best["loss"], "epoch": best["epoch"]}
    write(path, {"model": describe(model), "training": training}, tensors)


def resume_training(
    path: str | Path,
    file: tuple[dict[str, Any], dict[str, np.ndarray]],
    model: Model,
    optimizer: Optimizer,
    settings: dict[str, Any],
) -> tuple[History, dict[str, Any] | None, int | None]:
    """Put model and optimizer back to where the checkpoint was written; its history, the best so far, and the number of cores.

    file: what `read(path)` gives.

    Raises CheckpointError where it is of another model, or training had other settings.
    """
    metadata, tensors = file
    with made_of(path, metadata, tensors):
        if "training" not in metadata:
            raise CheckpointError("it holds a model but no training to resume: load it and call fit anew")
        training = metadata["training"]
        for name, now in settings.items():
            if name == "cores":
                continue
            was = training["settings"].get(name)  # a version that did not have it yet did not write it
            if architecture(was) != architecture(now):
                raise CheckpointError(f"it was trained {unlike(name, was, now)}: resume with the same, or start anew")
        require_same_architecture(model, metadata)
        history, best = history_in(training), best_in(training, model, named(tensors, BEST))
        state = state_in(optimizer, model, named(tensors, STATE), training["updates"])
        if bool(training["updates"]) != bool(len(history)):
            raise CheckpointError(f"it tells of {training['updates']} updates in {len(history)} epochs")
        fill(model, weights_in(tensors))
        optimizer.restore(state, training["updates"])
        cores = training["settings"].get("cores")
        return history, best, cores if cores is None else whole("training", "cores", cores)


def unlike(name: str, was: Any, now: Any) -> str:
    """In which way a setting differs, in words."""
    if name not in ("data", "validation"):  # of which only a checksum is known
        was, now = map(show if name == "optimizer" else repr, (was, now))
        return f"with another {name} ({was}, now {now})"
    what = "validation data" if name == "validation" else "data"
    if was is None or now is None:
        return f"with{'out' * (was is None)} {what}, and now there are {'some' if was is None else 'none'}"
    return f"on other {what}"


def history_in(training: dict[str, Any]) -> History:
    """The history in a file. Raises CheckpointError if it cannot be one."""
    columns = training["history"]
    values = [value for column in columns.values() for value in column]
    if len(set(map(len, columns.values()))) > 1 or not all(is_number(value, numbers.Real) for value in values):
        raise CheckpointError("its history is damaged: expected columns of numbers, all of one length")
    if columns and columns["epoch"] != [*range(1, len(columns["epoch"]) + 1)]:
        raise CheckpointError("its history is damaged: expected one row for each epoch")
    return History(columns)


def best_in(training: dict[str, Any], model: Model, tensors: dict[str, np.ndarray]) -> dict[str, Any] | None:
    """The best state so far, if the file holds one. Raises CheckpointError if it cannot be one of this model."""
    best = training["best"]
    if best is None:
        return None
    require_fitting(model, tensors)
    number("best", "loss", best["loss"])
    whole("best", "epoch", best["epoch"], least=0)
    return {"loss": best["loss"], "epoch": best["epoch"], "tensors": tensors}


def state_in(optimizer: Optimizer, model: Model, state: dict[str, np.ndarray], updates: int) -> dict[str, np.ndarray]:
    """The optimizer's state in a file. Raises CheckpointError if it cannot be one of this optimizer."""
    whole("training", "updates", updates, least=0)
    if isinstance(optimizer, OwnOptimizer):  # it may remember whatever it likes, but keeps its methods
        unfit = [name for name in state if callable(getattr(optimizer.theirs, name, None))]
    else:
        wanted = optimizer.state_shapes(model.parameters) if updates else {}
        unfit = [
            *(state.keys() ^ wanted.keys()),
            *(name for name, vector in state.items() if vector.shape != wanted.get(name)),
            *(name for name, vector in state.items() if vector.dtype.kind != "f" or np.isnan(vector).any()),
        ]
    if unfit:
        raise CheckpointError(f"it does not hold the state of {optimizer!r}: {unfit[0]!r} is not what it should be")
    return state
