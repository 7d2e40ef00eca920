"""The training loop, the same for every model."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..arguments import file_path, flag, whole
from ..backend import Array, array_module, cores, device_module, kernels, recycle_memory
from ..errors import OptionError
from ..models import Model
from ..models.parallel import SomeRows
from ..optimizers import Optimizer, as_optimizer
from .batches import BatchSteps, as_batches
from .checkpoint import describe
from .crowding import Crowding
from .distributed import ALONE, Group, all_or_none
from .guards import Interrupt
from .history import History
from .inputs import fingerprint, prepared, prepared_both, require_model, require_same
from .keeping import Best, Checkpoint
from .progress import Progress, since
from .ranks import Shard, require_agreement, steps_of_ranks
from .remarks import remarks, unused_code
from .steps import diverged, steps_for


@all_or_none
def fit(
    model: Model,
    x: Array | Iterable[Array],
    target: Array | None = None,
    *,
    epochs: int,
    batch_size: int | None = None,
    optimizer: Optimizer,
    validation: Array | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = True,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    patience: int | None = None,
    distributed: str | Group | None = None,
) -> History:
    """Train a model on x (N, …), in place, and return what was measured.

    Each epoch goes through x once, in a new order, in batches of `batch_size`, the last one shorter if need be.
    Order and noise of epoch e come from (seed, e) alone: the same seed gives the same bits on one machine, with as
    many cores.

    x may also be an iterable of batches, such as a list, or an object with `__iter__` that reads them from disk: each epoch goes
    through it once, in its order, and `batch_size` is left out. If it has `begin(seed, epoch)`, that is called before each epoch.
    A generator can be gone through only once, so it serves for one epoch.

    target: what is to be made of x. Every model here learns to make x itself, so it is x, and may be left out; anything else is an
    OptionError, which says how to learn from pairs.

    `validation`: data to measure the loss on after each epoch, as `evaluate` does. `patience`: stop after so many
    epochs without a better validation loss, and go back to the best parameters. `checkpoint`: a file with the state after
    the last completed epoch; `resume=True` continues from it, as if training had never stopped. Ctrl-C ends training
    after the step at hand and keeps the model as it is. The model stays on `device`. `optimizer`: it starts afresh, also
    where it was used before, unless training resumes.

    On a GPU a whole step is recorded once as a CUDA graph and replayed; its numbers are the same.

    `distributed`: "mpi", or "nccl" on GPUs: the processes that `mpiexec -n N python -m mpi4py SCRIPT` has started train together what
    one of them would train, to rounding. Each is given all of x (an array, or a memory map) and keeps a stretch of it. They share the
    `batch_size` examples of each step, and sum their gradients. The first of them shows progress and keeps the checkpoint.

    Raises DivergenceError when the loss is NaN or infinite, on a CPU before it reaches the parameters; DataError,
    ShapeError, ArrayTypeError and OptionError for data and options that cannot be used; CheckpointError for a
    checkpoint that does not fit; RankError where another of several processes failed, or they do not agree.
    """
    group, first = distributed, distributed.rank == 0
    require_model("fit", model)
    require_same(x, target)
    for name, value, least in (("epochs", epochs, 1), ("seed", seed, 0)):
        whole("fit", name, value, least)
    batches = as_batches(x, epochs, batch_size)
    if batches is None:
        batch_size = whole("fit", "batch_size", batch_size)  # Python's own, as a kernel of the GPU takes it
    if checkpoint is not None:
        checkpoint = file_path("fit", "checkpoint", checkpoint)
    for name, value in (("progress", progress), ("resume", resume)):
        flag("fit", name, value)
    if resume and checkpoint is None:
        raise OptionError("resume=True needs the file to go on from: fit(…, checkpoint=PATH, resume=True)")
    if patience is not None:
        whole("fit", "patience", patience)
        if validation is None:
            raise OptionError("patience needs validation data to watch: fit(…, validation=…)")
    optimizer = as_optimizer(optimizer)
    if optimizer.t > 0 and optimizer.bound is model.parameters and not resume:
        warnings.warn(
            f"{optimizer!r} starts afresh: its {optimizer.t} updates of this model are forgotten. To continue them, ask one fit for "
            "more epochs, resume from a checkpoint, or write the loop: training_step, then optimizer.update",
            stacklevel=3,
        )
    optimizer.reset()
    optimizer.belong_to(model)
    recycle_memory()
    xp, shard = device_module(device), None
    if group.size > 1:
        if batches is not None:
            raise OptionError(
                "x makes its batches itself, which ranks cannot share: give them one array, or a memory map"
            )
        shard = Shard.of(x, model, group)
        x = shard.rows
    x, validation = prepared_both(x if batches is None else batches.first, validation, model)
    if shard is not None:
        options = {"epochs": epochs, "batch_size": batch_size, "seed": seed, "patience": patience, "resume": resume}
        options |= {"checkpoint": checkpoint and str(checkpoint), "compiled": bool(kernels.compiled)}
        require_agreement(group, model, shard, validation, **options, optimizer=optimizer)
    for remark in remarks(model, x) if first else ():
        warnings.warn(remark, stacklevel=3)

    best = Best(model, patience)
    settings = {}
    if checkpoint is not None:
        settings = {
            "batch_size": batch_size if batches is None else None,
            "seed": int(seed),
            "patience": None if patience is None else int(patience),
            "optimizer": describe(optimizer),
            "data": fingerprint(x) if shard is None else shard.mark,
            "validation": fingerprint(validation),
        }
        if device == "cpu":  # what decides how sums are rounded
            settings |= {"compiled": True if kernels.compiled else None, "cores": cores() * group.size}
    kept = Checkpoint(checkpoint, model, optimizer, settings, best, group)
    history = kept.begin(resume)

    model.to(device)
    optimizer.to(device, x.dtype)
    if shard is not None:
        steps = steps_of_ranks(model, shard, batch_size, optimizer, group)
    elif batches is None:
        steps = steps_for(model, xp.asarray(x), batch_size, optimizer)
    else:
        steps = BatchSteps(model, batches, optimizer, device)
    validation = None if validation is None else xp.asarray(validation)
    report = Progress(len(history), epochs, steps.count, progress and first)
    if remark := kept.remark():
        report.say(remark)
    # overflow needs no warning beside the error that names its place
    quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")
    with Interrupt() as interrupt, Crowding(report.say, device == "cpu" and shard is None) as crowding, quiet:
        for epoch in range(len(history), epochs):
            if best.is_long_ago(epoch):
                history.stopped_early = True
                break
            start, lr = time.perf_counter(), optimizer.learning_rate()
            with report.epoch(epoch), kept.named_in_errors(history):
                steps.begin(seed, epoch)
                crowding.begin()
                for _ in range(steps.count) if batches is None else steps.turns():
                    report.step(steps.step())
                    crowding.step()
                    if group.any(interrupt.requested):
                        history.interrupted = True
                        return history
                metrics = steps.metrics()
                seconds = since(start)
                if validation is not None:
                    metrics |= measured(model, validation, optimizer, epoch, group)
            examples = len(shard or x) if batches is None else steps.examples
            speed = {"lr": lr, "seconds": seconds, "examples_per_second": examples / seconds}
            row = {"epoch": epoch + 1, **metrics, **speed}
            history.append(row)
            history.crowded = crowding.limited
            best.see(row)
            kept.write(history)
            report.end(epoch, row)
    history.interrupted = group.any(interrupt.requested)  # during the last validation or writing
    best.put_back()
    if not history.interrupted and first and (remark := unused_code(model, history)):
        warnings.warn(remark, stacklevel=3)
    return history


def measured(model: Model, validation: Array, optimizer: Optimizer, epoch: int, group: Group) -> dict[str, float]:
    """The metrics on the validation data, under their names in the history. Raises DivergenceError."""
    metrics = {f"validation_{name}": value for name, value in judged(model, validation, group=group).items()}
    if not math.isfinite(metrics["validation_loss"]):
        what = f"the validation loss became {metrics['validation_loss']} in epoch {epoch + 1}"
        raise diverged(what, model, validation[:1000], None, optimizer)
    return metrics


def evaluate(model: Model, x: Array, batch_size: int = 250) -> dict[str, float]:
    """The loss and its parts on x as the model is judged (`Model.judge`): per example, averaged over all of x.

    Noise on the input and a drawn code, where the model has them, are drawn as in training, and the same each time;
    dropout is off. Raises an error for data that the model could not be trained on, OptionError unless batch_size is a whole number of at least 1.
    """
    whole("evaluate", "batch_size", batch_size)
    x = prepared(x, "x", require_model("evaluate", model))
    if array_module(model.parameters) is np:
        model.check_data(x)
    return judged(model, x, batch_size)


def judged(model: Model, x: Array, batch_size: int = 250, group: Group = ALONE) -> dict[str, float]:
    """`evaluate`, of data that have been checked. Several ranks share each batch."""
    xp = array_module(model.parameters)
    rng = xp.random.default_rng(0)
    totals: dict[str, Array] = {}  # on the device: the host reads them once
    for start in range(0, len(x), batch_size):
        batch = xp.asarray(x[start : start + batch_size])
        rows, weight = group.part(len(batch))
        drawn = rng if group.size == 1 else SomeRows([(rng, len(batch))], rows, model.stacks)
        for name, value in model.judge(batch[rows], drawn).items():
            totals[name] = totals.get(name, 0.0) + xp.asarray(value, dtype=np.float64) * (weight * len(batch))
    totals = group.sums({name: float(total) for name, total in totals.items()})
    return {name: total / len(x) for name, total in totals.items()}
