"""Training on batches that come one after the other, from a list, a reader of files, or whatever a person iterates over."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..backend import device_module
from ..errors import DataError, OptionError
from ..models import Model
from ..optimizers import Optimizer
from .inputs import prepared
from .steps import Steps


class Batches:
    """An iterable of batches, and its first batch, by which the model is checked before training."""

    def __init__(self, x: Any, epochs: int):
        passing = iter(x)
        self.once = passing is x
        if self.once and epochs > 1:
            raise OptionError(
                f"x is a {type(x).__name__}, which can be gone through only once, and epochs={epochs}: give a list of batches, or an "
                "object whose __iter__ begins anew each time; or epochs=1"
            )
        self.first = next(passing, None)
        if self.first is None:
            raise DataError(f"x is a {type(x).__name__} without a batch: expected arrays (N, …), at least one")
        self.x = itertools.chain([self.first], passing) if self.once else x
        self.count = len(x) if hasattr(x, "__len__") else None

    def begin(self, seed: int, epoch: int) -> Iterator[Any]:
        """The batches of an epoch."""
        if hasattr(self.x, "begin"):
            self.x.begin(seed, epoch)
        return iter(self.x)


def as_batches(x: Any, epochs: int, batch_size: int | None) -> Batches | None:
    """x as batches, if that is what it is: anything that can be gone through and is no array. Raises OptionError and DataError."""
    rows = isinstance(x, list | tuple) and not all(getattr(item, "ndim", 0) >= 2 for item in x)
    if (
        hasattr(x, "shape")
        or not hasattr(x, "__iter__")
        or isinstance(x, str | bytes | dict)
        or rows
        or hasattr(x, "__array__")
    ):
        return None
    if batch_size is not None:
        raise OptionError(
            f"batch_size={batch_size}: x is a {type(x).__name__}, which makes the batches itself: leave batch_size out. Of "
            "sequences of several lengths scratchae.padded(x, value) makes one array"
        )
    return Batches(x, epochs)


class BatchSteps(Steps):
    """The steps of an epoch through batches that come one after the other: each is checked and moved to the device when its turn comes."""

    def __init__(self, model: Model, batches: Batches, optimizer: Optimizer, device: str):
        self.model, self.batches, self.optimizer = model, batches, optimizer
        self.xp, self.count = device_module(device), batches.count

    def begin(self, seed: int, epoch: int) -> None:
        self.epoch, self.done, self.examples = epoch, 0, 0
        self.rng = self.xp.random.default_rng(np.random.SeedSequence([seed, epoch, 1]))
        self.totals: dict[str, float] = {}
        self.coming = self.batches.begin(seed, epoch)

    def turns(self) -> Iterator[None]:
        """A turn for each batch, for `step` to take."""
        for batch in self.coming:
            checked = prepared(batch, f"batch {self.done + 1} of x", self.model)
            self.batch = self.data = self.xp.asarray(checked)
            yield
        if not self.done:
            raise DataError(f"x gave no batch in epoch {self.epoch + 1}: its __iter__ must begin anew each time")

    def step(self) -> float:
        loss = self.take(self.batch)
        self.examples += len(self.batch)
        return loss

    def metrics(self) -> dict[str, float]:
        self.require_finite_parameters(self.batch, self.rng)
        return {name: total / self.examples for name, total in self.totals.items()}

    def place(self) -> str:
        return f"epoch {self.epoch + 1}, step {self.done}"
