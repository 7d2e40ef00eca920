"""The training steps of an epoch, as `fit` and the benchmarks take them: one after the other on the CPU; on a GPU a
step is recorded once and replayed.

    steps = steps_for(model, data, batch_size, optimizer)
    steps.begin(seed, epoch)
    for _ in range(steps.count):
        steps.step()
    metrics = steps.metrics()

Order and noise of an epoch depend only on (seed, epoch).
"""

from __future__ import annotations

import functools
import math
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np

from ..backend import Array, array_module, one_kernel
from ..errors import DivergenceError
from ..models import Model
from ..optimizers import Optimizer, OwnOptimizer
from .guards import culprit
from .settings import Repeatable, Settings, changed, settings


class Steps:
    """The steps of an epoch through data (N, …), on the model's device. The last batch may be shorter.

    Raises DivergenceError if a loss, or a parameter after an update, is not finite.
    """

    def __init__(self, model: Model, data: Array, batch_size: int, optimizer: Optimizer):
        self.model, self.data, self.batch_size, self.optimizer = model, data, batch_size, optimizer
        self.count = math.ceil(len(data) / batch_size)

    def begin(self, seed: int, epoch: int) -> None:
        """Draw the epoch's order, and seed its noise."""
        self.epoch, self.done = epoch, 0
        self.seed = np.random.SeedSequence([seed, epoch, 1])  # the seed of the noise
        self.permutation = np.random.default_rng([seed, epoch, 0]).permutation(len(self.data))

    def step(self) -> float | None:
        """Take one step. Returns the loss, or None if it was not read."""
        raise NotImplementedError

    def take(self, batch: Array) -> float:
        """A step on this batch, whose loss is read before the update: so a loss that is not finite cannot spoil the parameters."""
        self.batch = batch
        metrics = self.model.training_step(batch, self.rng)
        self.done += 1
        loss = float(metrics["loss"])
        self.require_finite(loss, f"the loss became {loss}", batch, self.rng)
        self.optimizer.update(self.model.parameters, self.model.gradient)
        accumulate(self.totals, metrics, len(batch))
        return loss

    def metrics(self) -> dict[str, float]:
        """The metrics averaged over the epoch's data."""
        raise NotImplementedError

    def require_finite(self, loss: float, what: str, batch: Array, rng: object) -> None:
        if not math.isfinite(loss):
            raise diverged(f"{what} in {self.place()}", self.model, batch, rng, self.optimizer)

    def require_finite_parameters(self, batch: Array, rng: object) -> None:
        """Check the parameters at the end, since no further step would notice a fault of the last update."""
        if not bool(array_module(self.model.parameters).isfinite(self.model.parameters).all()):
            raise diverged(f"the update after {self.place()}", self.model, batch, rng, self.optimizer)

    def place(self) -> str:
        return f"epoch {self.epoch + 1}, step {self.done} of {self.count}"


class HostSteps(Steps):
    """Steps on the CPU, each of which reads its loss."""

    def begin(self, seed: int, epoch: int) -> None:
        super().begin(seed, epoch)
        self.rng = np.random.default_rng(self.seed)
        self.totals: dict[str, float] = {}

    def step(self) -> float:
        first = self.done * self.batch_size
        return self.take(np.take(self.data, self.permutation[first : first + self.batch_size], axis=0))

    def metrics(self) -> dict[str, float]:
        self.require_finite_parameters(self.batch, self.rng)
        return {name: total / len(self.data) for name, total in self.totals.items()}


class RecordedSteps(Steps):
    """Steps on a GPU that need nothing from the host: data, order, noise, the optimizer's coefficients and the sums of the
    metrics are on the device, and a counter there, the generator's `position`, gives the number of the batch. So a step is
    the same work every time, which is recorded once (`xp.recorded`) and replayed. The shorter last batch has its own recording.

    A replay does not read numbers of Python's again, such as `model.beta`: an epoch that finds another value there records its
    steps anew, and a model that changes such a number in each step is not recorded.

    The loss is read a few times a second, so a loss that is not finite is noticed only after updates with it.

    recorded: makes a recorded function from a function; `lambda step: step` gives eager steps.
    """

    PAUSE = 0.25  # seconds between readings of the loss

    def __init__(
        self,
        model: Model,
        data: Array,
        batch_size: int,
        optimizer: Optimizer,
        recorded: Callable[[Callable[[], None]], Callable[[], None]] | None = None,
    ):
        super().__init__(model, data, batch_size, optimizer)
        self.xp = xp = array_module(data)
        self.order = xp.zeros(len(data), dtype=np.int64)
        self.rng = xp.random.default_rng(0)
        self.table: Array | None = None  # the optimizer's coefficients, a row for each step
        self.recorded = recorded or xp.recorded
        self.sums: dict[int, dict[str, Array]] = {}  # the metrics are means, so each counts by its batch's size
        self.settings: Settings = {}  # at the begin of the epoch

    def begin(self, seed: int, epoch: int) -> None:
        super().begin(seed, epoch)
        xp, optimizer = array_module(self.data), self.optimizer  # which sees to the stream
        optimizer.prepare(self.model.parameters, self.model.gradient)
        table = np.array(
            [optimizer.coefficients(optimizer.t + i) for i in range(self.count)], self.model.parameters.dtype
        )
        if self.table is None:
            self.table = xp.zeros(table.shape, dtype=table.dtype)
        # into the same memory, since the recording reads it there
        self.table[...], self.order[...] = xp.asarray(table), xp.asarray(self.permutation)
        self.rng.reseed(self.seed)
        before, self.settings = self.settings, self.settings_now()
        if not before or changed(before, self.settings):
            self.run = dict(self.recordings())
        for sums in self.sums.values():
            for total in sums.values():
                total[...] = 0
        self.read_at = time.perf_counter() + self.PAUSE

    def step(self) -> float | None:
        rows = min(self.batch_size, len(self.data) - self.done * self.batch_size)
        self.run[rows]()
        self.done += 1
        self.optimizer.t += 1
        if time.perf_counter() < self.read_at:
            return None
        loss = self.metrics_so_far()["loss"]
        self.read_at = time.perf_counter() + self.PAUSE
        self.require_finite(loss, f"the mean loss became {loss}", self.data[: self.batch_size], self.rng)
        return loss

    def one_step(self, rows: int) -> None:
        """The step that is recorded, of `rows` examples."""
        self.rng.draws = 0  # not so after a recording that failed half way
        batch = take_batch(self.data, self.order, self.rng.position, self.batch_size, rows)
        self.apply(self.model.training_step(batch, self.rng), rows)

    def apply(self, metrics: dict[str, Array], rows: int) -> None:
        """The second half of a recorded step: update, and add the metrics to the sums."""
        coefficients = self.xp.take(self.table, self.rng.position, axis=0)
        self.optimizer.apply(self.model.parameters, self.model.gradient, coefficients)
        sums = self.sums[rows]
        for name, value in metrics.items():
            if name not in sums:
                sums[name] = self.xp.zeros((), dtype=np.float64)
            sums[name] += value
        self.rng.advance()

    def recordings(self) -> Iterator[tuple[int, Callable[[], None]]]:
        """A step for each number of rows that a batch has, to be recorded."""
        for rows in {min(self.batch_size, len(self.data)), len(self.data) % self.batch_size} - {0}:
            self.sums.setdefault(rows, {})
            yield rows, self.recorded(Repeatable(functools.partial(self.one_step, rows), self.settings_now))

    def settings_now(self) -> Settings:
        """What a recording holds as it was. The learning rate is not among it, which is in the table."""
        update = settings(self.optimizer, "optimizer")
        return settings(self.model, "model") | {path: value for path, value in update.items() if ".lr" not in path}

    def metrics_so_far(self) -> dict[str, float]:
        """The metrics averaged over the examples since `begin`. Waits for the device."""
        totals: dict[str, float] = {}
        for rows, sums in self.sums.items():
            accumulate(totals, sums, rows)
        examples = min(self.done * self.batch_size, len(self.data))
        return {name: total / examples for name, total in totals.items()}

    def metrics(self) -> dict[str, float]:
        metrics = self.metrics_so_far()
        some = self.data[: self.batch_size]
        self.require_finite(metrics["loss"], f"the mean loss became {metrics['loss']}", some, self.rng)
        self.require_finite_parameters(some, self.rng)
        return metrics


def steps_for(model: Model, data: Array, batch_size: int, optimizer: Optimizer) -> Steps:
    """The steps for the device of the data."""
    if array_module(data) is np:
        return HostSteps(model, data, batch_size, optimizer)
    return RecordedSteps(model, data, batch_size, optimizer, recorded=recorder(model, optimizer))


def recorder(model: Model, optimizer: Optimizer) -> Callable[[Callable[[], None]], Callable[[], None]] | None:
    """What records a step. Steps are eager if the model is watched (`study.watch`), since the host looks on, and for a person's own
    optimizer, whose numbers may be on the host.
    """
    if isinstance(optimizer, OwnOptimizer):
        warnings.warn(
            f"{optimizer!r} is your own optimizer, whose steps are not recorded as a CUDA graph: they run eagerly, with the same "
            "results but slower",
            RuntimeWarning,
            stacklevel=5,
        )
    elif "training_step" not in vars(model):
        return None
    return lambda step: step


@one_kernel
def take_batch(x: Array, order: Array, position: Array, batch_size: int, rows: int) -> Array:
    """`rows` rows of x: those that `order` names from place position · batch_size on. position: 0-d, on the device."""
    xp = array_module(x)
    return xp.take(x, xp.take(order, position * batch_size + xp.arange(rows)), axis=0)


def accumulate(totals: dict[str, float], metrics: dict[str, Array], n: int) -> None:
    """Add the metrics of a batch of n examples, which are means, to the sums over all examples."""
    for name, value in metrics.items():
        totals[name] = totals.get(name, 0.0) + float(value) * n


def diverged(what: str, model: Model, batch: Array, rng: object, optimizer: Optimizer) -> DivergenceError:
    """The error that says what happened, where it began, and what to do."""
    return DivergenceError(
        f"{what}: {culprit(model, batch, rng)} is not finite. Lower the learning rate "
        f"(now {optimizer.learning_rate():g}), or bound the gradient with clip_norm=1.0"
    )
