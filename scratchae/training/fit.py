"""The training loop, the same for every model."""

from __future__ import annotations

import math
import time
import zlib
from pathlib import Path

import numpy as np

from ..backend import Array, array_module, device_module, recycle_memory, to_numpy
from ..errors import ArrayTypeError, CheckpointError, DataError, DivergenceError, OptionError, ShapeError
from ..models import Model
from ..optimizers import Optimizer, as_optimizer
from .checkpoint import describe, resume_training, save_training
from .crowding import Crowding
from .guards import Interrupt
from .history import History
from .progress import Progress
from .steps import accumulate, diverged, steps_for


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

    Each epoch goes through x once, in a new order, in batches of `batch_size`, the last one shorter if need be.
    Order and noise of epoch e come from (seed, e) alone: the same seed gives the same bits on one machine.

    `validation`: data to measure the loss on after each epoch, as `evaluate` does. `patience`: stop after so many
    epochs without a better validation loss, and go back to the best parameters. `checkpoint`: a file that always
    holds the last whole epoch; `resume=True` goes on from it, as if training had never stopped. Ctrl-C ends training
    after the step at hand and keeps the model as it is. The model stays on `device`. `optimizer`: it starts afresh, also
    where it was used before, unless training resumes.

    On a GPU a whole step is recorded once as a CUDA graph and replayed; its numbers are the same.

    Raises DivergenceError when the loss is NaN or infinite, on a CPU before it reaches the parameters; DataError,
    ShapeError, ArrayTypeError and OptionError for data and options that cannot be used; CheckpointError for a
    checkpoint that does not fit.
    """
    require_whole(1, epochs=epochs, batch_size=batch_size)
    require_whole(0, seed=seed)
    if patience is not None:
        require_whole(1, patience=patience)
        if validation is None:
            raise OptionError("patience needs validation data to watch: fit(…, validation=…)")
    optimizer = as_optimizer(optimizer)
    optimizer.reset()
    recycle_memory()
    xp = device_module(device)
    x = prepared(x, "x", model)
    if validation is not None:
        validation = prepared(validation, "validation", model)
        if validation.shape[1:] != x.shape[1:]:
            raise ShapeError(f"validation has examples of shape {validation.shape[1:]}, x of {x.shape[1:]}")
    model.to("cpu")
    model.check_data(x)
    if validation is not None:
        model.check_data(validation)

    history, best = History(), None
    if checkpoint is not None:
        settings = {
            "batch_size": int(batch_size),
            "seed": int(seed),
            "patience": None if patience is None else int(patience),
            "optimizer": describe(optimizer),
            "data": fingerprint(x),
            "validation": fingerprint(validation),
        }
        if not Path(checkpoint).exists():
            save_training(checkpoint, model, optimizer, settings, history, best)
        elif resume:
            history, best = resume_training(checkpoint, model, optimizer, settings)
        else:
            raise CheckpointError(f"{checkpoint} exists: resume=True goes on with it; or choose another file")

    model.to(device)
    optimizer.to(device, x.dtype)
    steps = steps_for(model, xp.asarray(x), batch_size, optimizer)
    report = Progress(len(history), epochs, steps.count, progress)
    # overflow needs no warning beside the error that names its place
    quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")
    with Interrupt() as interrupt, Crowding(report.say, device == "cpu") as crowding, quiet:
        for epoch in range(len(history), epochs):
            if best is not None and epoch - best["epoch"] > patience:
                history.stopped_early = True
                break
            start, lr = time.perf_counter(), optimizer.learning_rate()
            report.begin(epoch)
            try:
                steps.begin(seed, epoch)
                crowding.begin()
                for _ in range(steps.count):
                    report.step(steps.step())
                    crowding.step()
                    if interrupt.requested:
                        history.interrupted = True
                        return history
                metrics = steps.metrics()
                seconds = time.perf_counter() - start
                if validation is not None:
                    metrics |= measured(model, validation, optimizer, epoch)
            except DivergenceError as error:
                kept = f"; {checkpoint} keeps the state after epoch {len(history)}" if checkpoint else ""
                raise DivergenceError(f"{error}{kept}") from None
            finally:
                report.close()
            speed = {"lr": lr, "seconds": seconds, "examples_per_second": len(x) / seconds}
            row = {"epoch": epoch + 1, **metrics, **speed}
            history.append(row)
            if patience is not None and (best is None or row["validation_loss"] < best["loss"]):
                tensors = {name: to_numpy(tensor).copy() for name, tensor in model.tensors().items()}
                best = {"loss": row["validation_loss"], "epoch": epoch, "tensors": tensors}
            if checkpoint is not None:
                save_training(checkpoint, model, optimizer, settings, history, best)
            report.end(epoch, row)
    if best is not None:
        for name, tensor in model.tensors().items():
            tensor[...] = xp.asarray(best["tensors"][name])
    return history


def measured(model: Model, validation: np.ndarray, optimizer: Optimizer, epoch: int) -> dict[str, float]:
    """The metrics on the validation data, under their names in the history. Raises DivergenceError."""
    xp = array_module(model.parameters)
    metrics = {f"validation_{name}": value for name, value in evaluate(model, validation).items()}
    if not math.isfinite(metrics["validation_loss"]):
        what = f"the validation loss became {metrics['validation_loss']} in epoch {epoch + 1}"
        raise diverged(what, model, xp.asarray(validation[:1000]), None, optimizer)
    return metrics


def evaluate(model: Model, x: Array, batch_size: int = 250) -> dict[str, float]:
    """The loss and its parts on x as the model is judged (`Model.judge`): per example, averaged over all of x.

    Noise on the input and a drawn code, where the model has them, are drawn as in training, and the same each time;
    dropout is off.
    """
    if len(x) == 0:
        raise DataError("evaluate: x holds no examples: expected at least one row")
    xp = array_module(model.parameters)
    rng = xp.random.default_rng(0)
    totals: dict[str, float] = {}
    for start in range(0, len(x), batch_size):
        batch = xp.asarray(x[start : start + batch_size])
        accumulate(totals, model.judge(batch, rng), len(batch))
    return {name: total / len(x) for name, total in totals.items()}


# What can be wrong before training


def require_whole(least: int, **values: int) -> None:
    """Raise OptionError unless each is a whole number of at least so much."""
    for name, value in values.items():
        if not isinstance(value, int | np.integer) or value < least:
            raise OptionError(f"{name}={value!r}: expected a whole number, at least {least}")


def prepared(x: Array, name: str, model: Model) -> np.ndarray:
    """x as a NumPy array in the model's dtype. Raises an error unless it holds finite floats, in at least a row."""
    try:
        array_module(x)
    except ArrayTypeError:
        raise ArrayTypeError(
            f"{name} is a {type(x).__name__}: expected an array of floats, numpy.asarray({name}, dtype='float32')"
        ) from None
    x = to_numpy(x)
    if x.ndim < 2 or len(x) == 0:
        raise DataError(f"{name} has shape {x.shape}: expected (N, …) with at least one example")
    if x.dtype.kind != "f":
        high = f", max {x.max()}" if x.dtype.kind in "iub" else ""
        raise ArrayTypeError(
            f"{name} holds {x.dtype}{high}: expected floats; for images divide by 255: ({name} / 255).astype('float32')"
        )
    with np.errstate(over="ignore"):
        x = x.astype(model.parameters.dtype, copy=False)
    finite = np.isfinite(x.reshape(len(x), -1)).all(axis=1)
    if not finite.all():
        rows = np.flatnonzero(~finite)
        raise DataError(
            f"{name} holds NaN or infinity in {len(rows)} of {len(x)} rows, first in row {rows[0]}: repair or remove them"
        )
    return x


def fingerprint(x: np.ndarray | None) -> int | None:
    """A number that tells whether data are the same as when training began."""
    return None if x is None else zlib.crc32(np.ascontiguousarray(x))
