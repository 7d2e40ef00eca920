"""What a rank holds of the data, and the steps that it takes: those of one process, of which it computes its share."""

from __future__ import annotations

import functools
import math
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..backend import Array, array_module, to_numpy
from ..errors import DataError, OptionError, RankError
from ..models import Model, parallel
from ..models.warmup import Warmup
from ..optimizers import Optimizer
from .distributed import Group, part_of
from .inputs import fingerprint, prepared
from .settings import Repeatable
from .steps import HostSteps, RecordedSteps, accumulate, recorder, take_batch

BLOCK = 2**24  # bytes of data that are looked at in one go
ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # of a function of a person's own, in another process another one


class Shard:
    """What one rank holds of data (N, …): its stretch of the rows, and what it knows of all of them. len() counts all.

    `Shard.of(x, …)` takes it from x, all of the data, an array or a memory map, of which a rank copies its own rows only.
    """

    def __init__(self, rows: np.ndarray, first: int, total: int, mark: int):
        self.rows, self.first, self.total, self.mark = rows, first, total, mark
        self.shape = (total, *rows.shape[1:])

    def __len__(self) -> int:
        return self.total

    @classmethod
    def of(cls, x: Any, model: Model, group: Group) -> Shard:
        """This rank's rows, once they have been checked. Raises an error for data that the model cannot be trained on."""
        if isinstance(x, Shard):
            return x
        if getattr(x, "ndim", 0) < 2 or len(x) < group.size:
            said = f"shape {tuple(x.shape)}" if hasattr(x, "shape") else f"a {type(x).__name__}"
            raise DataError(
                f"x is {said}, and {group.size} ranks share it: expected an array (N, …) or a memory map with a row for each rank at least"
            )
        own = slice(group.rank * len(x) // group.size, (group.rank + 1) * len(x) // group.size)
        rows = np.array(prepared(x[own], f"x[{own.start}:{own.stop}]", model))  # a copy, so that the whole may go
        return cls(rows, own.start, len(x), mark_of(x, rows.dtype))


def mark_of(x: Array, dtype: np.dtype) -> int:
    """The fingerprint of all rows, in this dtype, without holding them all."""
    count, mark = max(BLOCK // x[:1].nbytes, 1), 0
    for start in range(0, len(x), count):
        mark = zlib.crc32(np.ascontiguousarray(to_numpy(x[start : start + count]).astype(dtype, copy=False)), mark)
    return mark


def require_agreement(
    group: Group, model: Model, shard: Shard, validation: np.ndarray | None, **options: Any
) -> None:
    """Raise an error unless all ranks were given the same, and the model can be trained in shares of a batch."""
    require_apart(model)
    batch_size = options["batch_size"]
    if batch_size < group.size:
        raise OptionError(
            f"batch_size={batch_size} is smaller than the number of ranks, {group.size}: it counts the examples of a step of all ranks "
            "together, each of which needs one at least; choose a larger batch, or fewer ranks"
        )
    told = {
        "data": (shard.shape, shard.mark),
        "validation data": fingerprint(validation),
        **{name: ADDRESS.sub("", repr(value)) for name, value in {"model": model, **options}.items()},
        "weights": {name: fingerprint(to_numpy(tensor)) for name, tensor in model.tensors().items()},
    }
    every = group.gather(told)
    for rank, other in enumerate(every):
        names = [name for name in told if other[name] != every[0][name]]
        if names:
            hints = {
                "data": "each rank is given all of the data, of which it takes its part, from files that are alike",
                "weights": "draw them from the same seed on every rank, rng=0",
            }
            values = (f" ({every[0][name]} and {other[name]})" if name in options else "" for name in names)
            raise RankError(
                f"ranks 0 and {rank} differ in {', '.join(map(''.join, zip(names, values, strict=True)))}: "
                + hints.get(names[0], "start all of them with the same command")
            )


def require_apart(model: Model) -> None:
    """Raise OptionError for a model that computes something else where it sees only a part of a batch."""
    if "training_step" in vars(model):
        raise OptionError(
            "the model is watched, and a watch sees the gradients of one process: leave out --watch (in Python sae.watch), or --distributed"
        )
    part = next(parallel.joining(model), None)
    if part is not None:
        raise OptionError(
            f"{said(part)} does not treat each example by itself, and of several ranks each sees only a part of the batch, so that they "
            "would train something else than one: train without --distributed (in Python distributed=None). A class of your own says that "
            "it does by examples_apart = True"
        )
    for name, layer, attribute in model.named_buffers():
        if not isinstance(layer, Warmup):  # which counts steps, as all ranks do alike
            raise OptionError(
                f"{said(layer)} keeps {name} from batch to batch, and of several ranks each sees only a part of the batch, so that they "
                f"would keep different ones: train without --distributed (in Python distributed=None){chains(attribute)}"
            )


def said(thing: object) -> str:
    return thing.label() if hasattr(thing, "label") else repr(thing)


def chains(attribute: str) -> str:
    return ", or with persistent=False" if attribute == "chain" else ""


def require_equal_parameters(group: Group, model: Model, epoch: int) -> None:
    """Raise RankError if the ranks no longer hold the same parameters."""
    marks = group.gather(fingerprint(to_numpy(model.parameters)))
    if len(set(marks)) > 1:
        raise RankError(
            f"after epoch {epoch + 1} the ranks hold different parameters: a layer, a loss or an optimizer of your own keeps something "
            "that depends on the batch, or the machines round differently, as processors of several kinds do with clip_norm"
        )


class RankSteps(HostSteps):
    """The steps of `HostSteps`, shared: of each batch every rank computes its part.

    The order of an epoch is that of one process. A rank holds a stretch of the rows, and the rows of a batch are anywhere: so
    each batch goes from those who hold it to those who compute it.
    """

    def __init__(self, model: Model, shard: Shard, batch_size: int, optimizer: Optimizer, group: Group):
        super().__init__(model, shard, batch_size, optimizer)
        self.group = group

    def begin(self, seed: int, epoch: int) -> None:
        super().begin(seed, epoch)
        self.group.gather(epoch)
        self.coming = fetched(self.data, self.rows_of(0), self.group)

    def rows_of(self, step: int) -> np.ndarray:
        """Which rows are the batch of a step; none after the last."""
        return self.permutation[step * self.batch_size : (step + 1) * self.batch_size]

    def step(self) -> float:
        model, batch, total = self.model, self.coming, len(self.rows_of(self.done))
        rows, weight = self.group.part(total)
        rng = parallel.of_rows(self.rng, model, batch, total, rows)
        self.batch, metrics = batch, model.training_step(batch, rng)
        self.done += 1
        loss = float(metrics["loss"])
        self.require_finite(loss, f"the loss became {loss}", batch, rng)
        gradient = model.gradient
        gradient *= weight  # its mean over the rank's rows counts by their share of the batch
        # from here to the end of the communication nothing may fail
        metrics = self.group.sums({name: float(value) * weight for name, value in metrics.items()})
        self.group.sum_(gradient)
        if self.done < self.count:
            self.coming = fetched(self.data, self.rows_of(self.done), self.group)
        self.optimizer.update(model.parameters, gradient)
        accumulate(self.totals, metrics, total)
        return metrics["loss"]

    def metrics(self) -> dict[str, float]:
        metrics = super().metrics()
        require_equal_parameters(self.group, self.model, self.epoch)
        return metrics


def fetched(shard: Shard, wanted: np.ndarray, group: Group) -> np.ndarray:
    """This rank's part of the rows `wanted` (N,), which all ranks ask for at once, each for its own part."""
    ends = [(rank + 1) * len(shard) // group.size for rank in range(group.size)]
    own_end = shard.first + len(shard.rows)
    asked = [wanted[part_of(len(wanted), rank, group.size)[0]] for rank in range(group.size)]
    given = [rows[(shard.first <= rows) & (rows < own_end)] - shard.first for rows in asked]
    mine = asked[group.rank]
    holders = np.searchsorted(ends, mine, side="right")
    sent, received = [len(rows) for rows in given], np.bincount(holders, minlength=group.size).tolist()
    come = group.exchange(shard.rows[np.concatenate(given)], sent, received)
    found = np.empty_like(come)
    found[np.argsort(holders, kind="stable")] = come  # it came holder by holder
    return found


class RecordedRankSteps(RecordedSteps):
    """The steps of `RecordedSteps`, shared. The gradient is summed on the GPUs, within the recorded step.

    The rows of an epoch are exchanged before it, on the hosts. The loss is looked at when the epoch ends, where all ranks are.
    """

    PAUSE = math.inf

    def __init__(
        self, model: Model, shard: Shard, batch_size: int, optimizer: Optimizer, group: Group, recorded: Any = None
    ):
        self.shard, self.group = shard, group
        xp = array_module(model.parameters)
        self.sizes = [min(batch_size, len(shard) - first) for first in range(0, len(shard), batch_size)]
        parts = [group.part(total)[0] for total in self.sizes]
        own = sum(part.stop - part.start for part in parts)
        data = xp.zeros((own, *shard.shape[1:]), dtype=shard.rows.dtype)
        super().__init__(model, data, batch_size, optimizer, recorded)
        self.count, self.own_size = len(self.sizes), parts[0].stop - parts[0].start

    def begin(self, seed: int, epoch: int) -> None:
        self.group.gather(epoch)
        order, start = np.random.default_rng([seed, epoch, 0]).permutation(len(self.shard)), 0
        for step, total in enumerate(self.sizes):
            first = step * self.batch_size
            rows = fetched(self.shard, order[first : first + total], self.group)
            self.data[start : start + len(rows)] = self.xp.asarray(rows)
            start += len(rows)
        super().begin(seed, epoch)
        self.order[...] = self.xp.arange(len(self.data))  # they lie in their order

    def step(self) -> None:
        self.run[self.sizes[self.done]]()
        self.done += 1
        self.optimizer.t += 1

    def one_step(self, total: int) -> None:
        self.rng.draws = 0
        rows, weight = self.group.part(total)
        batch = take_batch(self.data, self.order, self.rng.position, self.own_size, rows.stop - rows.start)
        metrics = self.model.training_step(batch, parallel.of_rows(self.rng, self.model, batch, total, rows))
        gradient = self.model.gradient
        gradient *= weight
        self.group.sum_(gradient)
        self.apply(metrics, total)

    def recordings(self) -> Iterator[tuple[int, Callable[[], None]]]:
        for total in set(self.sizes):
            self.sums.setdefault(total, {})
            yield total, self.recorded(Repeatable(functools.partial(self.one_step, total), self.settings_now))

    def metrics(self) -> dict[str, float]:
        """The metrics of all ranks, averaged over the epoch's data."""
        totals: dict[str, float] = {}
        for total, sums in self.sums.items():
            accumulate(totals, sums, self.group.part(total)[1] * total)
        metrics = {name: value / len(self.shard) for name, value in self.group.sums(totals).items()}
        self.require_finite(
            metrics["loss"], f"the mean loss became {metrics['loss']}", self.data[: self.own_size], None
        )
        self.require_finite_parameters(self.data[: self.own_size], None)
        require_equal_parameters(self.group, self.model, self.epoch)
        return metrics


def steps_of_ranks(
    model: Model, shard: Shard, batch_size: int, optimizer: Optimizer, group: Group
) -> RankSteps | RecordedRankSteps:
    """The steps for the device of the model."""
    if array_module(model.parameters) is np:
        return RankSteps(model, shard, batch_size, optimizer, group)
    return RecordedRankSteps(model, shard, batch_size, optimizer, group, recorder(model, optimizer))
