"""The training loop, the same for every model."""

from __future__ import annotations

import math
import signal
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from . import checkpoint as files
from .backend import Array, array_module, device_module, recycle_memory, to_numpy
from .errors import ArrayTypeError, CheckpointError, DataError, DivergenceError, OptionError, ShapeError
from .history import History
from .layers import Layer
from .models import Model
from .optimizers import Optimizer
from .progress import Progress


def fit(
    model: Model,
    x: Array,
    *,
    epochs: int,
    batch_size: int,
    optimizer: Optimizer,
    validation: Array | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = True,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    patience: int | None = None,
) -> History:
    """Train a model on x (N, …), in place, and return what was measured.

    Each epoch goes through x once, in a new order, in batches of `batch_size`, the last one shorter if need
    be. Order and noise of epoch e come from (seed, e) alone, so the same seed gives the same bits on one
    machine, and an epoch can be repeated.

    `validation`: data to measure the loss on after each epoch. `patience`: stop after so many epochs without
    a better validation loss, and go back to the best parameters. `checkpoint`: a file that always holds the
    last whole epoch; `resume=True` goes on from it, as if training had never stopped. Ctrl-C ends training
    after the step at hand and keeps the model as it is. The model stays on `device`.

    Raises DivergenceError when the loss is NaN or infinite, before it reaches the parameters; DataError,
    ShapeError, ArrayTypeError and OptionError for data and options that cannot be used, CheckpointError for a
    checkpoint that does not fit.
    """
    require_whole(epochs=epochs, batch_size=batch_size)
    if patience is not None:
        require_whole(patience=patience)
        if validation is None:
            raise OptionError("patience needs validation data to watch: fit(…, validation=…)")
    recycle_memory()
    xp = device_module(device)
    dtype = model.parameters.dtype
    x = prepared(x, "x", dtype)
    if validation is not None:
        validation = prepared(validation, "validation", dtype)
        if validation.shape[1:] != x.shape[1:]:
            raise ShapeError(
                f"validation holds examples of shape {validation.shape[1:]}, x of {x.shape[1:]}: they must be equal"
            )
    model.to("cpu")
    model.check_data(x)

    settings = {
        "batch_size": batch_size,
        "seed": seed,
        "patience": patience,
        "optimizer": files.describe(optimizer),
        "data": zlib.crc32(np.ascontiguousarray(x)),
        "validation": None if validation is None else zlib.crc32(np.ascontiguousarray(validation)),
    }
    history, best = History(), None
    if checkpoint is not None and Path(checkpoint).exists():
        if not resume:
            raise CheckpointError(
                f"{checkpoint} exists: resume=True goes on with it; or delete it, or choose another file"
            )
        history, best = resumed(model, optimizer, settings, checkpoint)
    elif checkpoint is not None:
        write_checkpoint(checkpoint, model, optimizer, settings, history, best)

    model.to(device)
    optimizer.to(device, dtype)
    data = xp.asarray(x)
    steps = math.ceil(len(x) / batch_size)
    report = Progress(len(history), epochs, steps, progress)
    with (
        Interrupt() as interrupt,
        np.errstate(over="ignore", invalid="ignore", divide="ignore"),
    ):  # an error names the place instead
        for epoch in range(len(history), epochs):
            if patience is not None and best is not None and epoch - best["epoch"] > patience:
                history.stopped_early = True
                break
            start = time.perf_counter()
            lr = optimizer.learning_rate()
            order = xp.asarray(np.random.default_rng([seed, epoch, 0]).permutation(len(x)))
            rng = xp.random.default_rng(np.random.SeedSequence([seed, epoch, 1]))
            totals: dict[str, float] = {}
            report.begin(epoch)
            for step in range(steps):
                batch = xp.take(data, order[step * batch_size : (step + 1) * batch_size], axis=0)
                metrics = model.training_step(batch, rng)
                loss = float(metrics["loss"])
                if not math.isfinite(loss):
                    report.end(epoch, None)
                    raise DivergenceError(
                        diagnosis(model, batch, loss, epoch, step, steps, lr, checkpoint, len(history))
                    )
                optimizer.update(model.parameters, model.gradient)
                accumulate(totals, metrics, len(batch))
                report.step(loss)
                if interrupt.requested:
                    report.end(epoch, None)
                    history.interrupted = True
                    return history
            seconds = time.perf_counter() - start
            row: dict[str, Any] = {
                "epoch": epoch + 1,
                **{name: total / len(x) for name, total in totals.items()},
            }
            if validation is not None:
                row |= {f"validation_{name}": value for name, value in evaluate(model, validation).items()}
                if patience is not None and (best is None or row["validation_loss"] < best["loss"]):
                    best = {
                        "loss": row["validation_loss"],
                        "epoch": epoch,
                        "parameters": to_numpy(model.parameters).copy(),
                    }
            row |= {"lr": lr, "seconds": seconds, "examples_per_second": len(x) / seconds}
            history.append(row)
            if checkpoint is not None:
                write_checkpoint(checkpoint, model, optimizer, settings, history, best)
            report.end(epoch, row)
    if best is not None:
        model.parameters[...] = xp.asarray(best["parameters"])
    return history


def evaluate(model: Model, x: Array, batch_size: int = 1000) -> dict[str, float]:
    """The loss and its parts on x, without training: per example, averaged over all of x."""
    if len(x) == 0:
        raise DataError("evaluate: x holds no examples: expected at least one row")
    xp = array_module(model.parameters)
    totals: dict[str, float] = {}
    for start in range(0, len(x), batch_size):
        batch = xp.asarray(x[start : start + batch_size])
        accumulate(totals, model.objective(batch), len(batch))
    return {name: total / len(x) for name, total in totals.items()}


def accumulate(totals: dict[str, float], metrics: dict[str, Array], n: int) -> None:
    """Add the metrics of a batch of n examples, which are means, to the sums over all examples."""
    for name, value in metrics.items():
        totals[name] = totals.get(name, 0.0) + float(value) * n


# What can be wrong before training


def require_whole(**values: int) -> None:
    for name, value in values.items():
        if not isinstance(value, int | np.integer) or value < 1:
            raise OptionError(f"{name}={value!r}: expected a whole number, at least 1")


def prepared(x: Array, name: str, dtype: Any) -> np.ndarray:
    """x as a NumPy array in the model's dtype. Raises an error where it is no array of finite floats with at
    least one row.
    """
    if not hasattr(x, "dtype"):
        raise ArrayTypeError(
            f"{name} is a {type(x).__name__}: expected an array of floats; wrap it in numpy.asarray(…, dtype='float32')"
        )
    x = to_numpy(x)
    if x.ndim < 2 or len(x) == 0:
        raise DataError(f"{name} has shape {x.shape}: expected at least one example, (N, …) with N >= 1")
    if x.dtype.kind != "f":
        high = f", max {x.max()}" if x.dtype.kind in "iub" else ""
        raise ArrayTypeError(
            f"{name} holds {x.dtype}{high}: expected floats; for images divide by 255: ({name} / 255).astype('float32')"
        )
    finite = np.isfinite(x.reshape(len(x), -1)).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        count = len(x) - int(finite.sum())
        raise DataError(
            f"{name} holds NaN or infinity, first in row {row} ({count} of {len(x)} rows): remove or repair them"
        )
    return x.astype(dtype, copy=False)


# Checkpoints


def write_checkpoint(
    path: str | Path,
    model: Model,
    optimizer: Optimizer,
    settings: dict[str, Any],
    history: History,
    best: dict[str, Any] | None,
) -> None:
    """The model with all that training needs to go on: the optimizer's state, the settings, the history, the
    best parameters so far.
    """
    tensors = files.tensors_of(model)
    tensors |= {
        f"optimizer.{name}": getattr(optimizer, name)
        for name in optimizer.state_names
        if hasattr(optimizer, name)
    }
    if best is not None:
        tensors["best.parameters"] = best["parameters"]
        best = {name: value for name, value in best.items() if name != "parameters"}
    training = {"settings": settings, "updates": optimizer.t, "history": history.columns, "best": best}
    files.write(path, {"model": files.describe(model), "training": training}, tensors)


def resumed(
    model: Model, optimizer: Optimizer, settings: dict[str, Any], path: str | Path
) -> tuple[History, dict[str, Any] | None]:
    """Put model and optimizer back to where the checkpoint was written; its history and best parameters.
    Raises CheckpointError.
    """
    metadata, tensors = files.read(path)
    if "training" not in metadata:
        raise CheckpointError(f"{path} holds a model but no training to resume: load it and call fit anew")
    training = metadata["training"]
    changed = [name for name in settings if settings[name] != training["settings"][name]]
    if changed:
        name = changed[0]
        was, now = (
            files.show(s[name]) if name == "optimizer" else s[name] for s in (training["settings"], settings)
        )
        raise CheckpointError(
            f"{path} was trained with another {name} ({was}, now {now}): resume with the same, or start a new training"
        )
    files.restore(model, path)
    for name in optimizer.state_names:
        if f"optimizer.{name}" in tensors:
            setattr(optimizer, name, tensors[f"optimizer.{name}"])
    optimizer.t = training["updates"]
    best = training["best"]
    if best is not None:
        best["parameters"] = tensors["best.parameters"]
    return History(training["history"]), best


# What can go wrong during training


class Interrupt:
    """Turns Ctrl-C into a request to stop after the step at hand; a second one interrupts at once."""

    def __enter__(self) -> Interrupt:
        self.requested = False
        self.main = threading.current_thread() is threading.main_thread()  # only there may signals be handled
        if self.main:
            self.previous = signal.signal(signal.SIGINT, self.request)
        return self

    def __exit__(self, *exception: object) -> None:
        if self.main:
            signal.signal(signal.SIGINT, self.previous)

    def request(self, *_: object) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


def diagnosis(
    model: Model,
    batch: Array,
    loss: float,
    epoch: int,
    step: int,
    steps: int,
    lr: float,
    checkpoint: str | Path | None,
    done: int,
) -> str:
    """Where the first number that is not finite came from, and what to do."""
    kept = f"; {checkpoint} keeps the state after epoch {done}" if checkpoint is not None else ""
    return (
        f"the loss became {loss} in epoch {epoch + 1}, step {step + 1} of {steps}: {culprit(model, batch)} is not finite. "
        f"Lower the learning rate (now {lr:g}), or bound the gradient with clip_norm=1.0{kept}"
    )


def culprit(model: Model, batch: Array) -> str:
    """The first layer whose parameters or whose output are not finite, in the order they run."""
    xp = array_module(batch)
    for name, layer, attribute in model.named_parameters():
        if not bool(xp.isfinite(getattr(layer, attribute)).all()):
            return f"{name} of {layer!r}"
    outputs: list[tuple[Layer, bool]] = []
    for _, layer in model.leaves():
        layer.forward = watched(layer, outputs)
    model.objective(batch)
    for _, layer in model.leaves():
        del layer.forward
    return next(
        (f"the output of {layer.label()}" for layer, finite in outputs if not finite),
        "no layer's output, but the loss itself",
    )


def watched(layer: Layer, outputs: list[tuple[Layer, bool]]):
    """The layer's forward, noting whether its output is finite."""
    forward = layer.forward

    def watching(x, rng=None):
        y = forward(x, rng)
        outputs.append((layer, bool(array_module(y).isfinite(y).all())))
        return y

    return watching
