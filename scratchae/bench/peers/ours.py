"""scratchae itself, and the one place that says what a step of it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import __version__
from ...backend import Array, array_module, move, recycle_memory, to_numpy
from ...backend.kernels.host import compile_kernels
from ...models import Model
from ...optimizers import Adam, Optimizer
from ...training.steps import RecordedSteps
from .. import machine
from ..agreement import Tensors
from ..harness import synchronise
from .noise import noise

LR, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8
ROWS = 30_000  # that an epoch of steps on a GPU has, about: as many as the presets' data
LEAST_STEPS = 4  # of an epoch there, whatever the batch size


class HostStep:
    """What `fit` does on a CPU with a batch x: `training_step`, the loss as a number, `update`."""

    problem = None

    def __init__(self, model: Model, optimizer: Optimizer, x: np.ndarray, seed: int):
        self.model, self.optimizer, self.x, self.seed = model, optimizer, x, seed
        self.rng = np.random.default_rng(seed)

    def __call__(self) -> float:
        loss = float(self.model.training_step(self.x, self.rng)["loss"])
        self.optimizer.update(self.model.parameters, self.model.gradient)
        return loss

    def restart(self) -> None:
        """Draw the same noise again."""
        self.rng = np.random.default_rng(self.seed)


class DeviceStep:
    """What `fit` does on a GPU: `RecordedSteps` through epochs of data, of which each batch is x.

    A batch is gathered from the data, and an epoch begun, as in training; neither is in a peer's step.
    """

    def __init__(self, model: Model, optimizer: Optimizer, x: Array, seed: int, recorded: bool):
        xp = array_module(x)
        count = max(ROWS // len(x), LEAST_STEPS)
        data = xp.concatenate([x] * count)
        self.steps = RecordedSteps(model, data, len(x), optimizer, recorded=None if recorded else lambda step: step)
        self.order, self.seed = xp.arange(len(data)), seed
        self.restart()

    def __call__(self) -> None:
        if self.steps.done == self.steps.count:
            self.begin()
        self.steps.step()

    @property
    def problem(self) -> str | None:
        """Why it could not be recorded, and so runs eagerly; None if it could."""
        return next((p for run in self.steps.run.values() if (p := getattr(run, "problem", None))), None)

    def restart(self) -> None:
        """Begin a first epoch."""
        self.epoch = 0
        self.begin()

    def begin(self) -> None:
        self.steps.begin(self.seed, self.epoch)
        self.steps.order[...] = self.order  # unshuffled: each batch is x
        self.epoch += 1


def our_step(
    model: Model, optimizer: Optimizer, x: Array, device: str, *, seed: int = 0, recorded: bool = True
) -> HostStep | DeviceStep:
    """A function that does with the batch x what `fit` does; `synchronise(device)` waits until that is done.

    On a GPU a step is recorded once and replayed, or, with recorded=False, sent kernel by kernel.
    """
    return HostStep(model, optimizer, x, seed) if device == "cpu" else DeviceStep(model, optimizer, x, seed, recorded)


class Scratchae:
    """The library itself, with Adam; on a CPU with compiled kernels, if asked for."""

    def __init__(
        self, model: Model, x: np.ndarray, device: str = "cpu", *, recorded: bool = True, compiled: bool = False
    ):
        recycle_memory()
        if compiled:
            compile_kernels()
        self.device = device
        self.model, self.host_x, self.x = model.to(device), x, move(x, device)
        self.start = model.parameters.copy()
        self.optimizer = Adam(LR, BETA1, BETA2, EPS)
        self.one_step = our_step(self.model, self.optimizer, self.x, device, recorded=recorded)
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        self.model.parameters[...] = self.start
        self.optimizer.t = 0
        for vector in self.optimizer.state().values():  # in place, as a recorded step knows their memory
            vector[...] = 0
        self.one_step.seed = seed or 0
        self.one_step.restart()
        self.rng = np.random.default_rng(seed or 0)
        self.given = False
        if self.device == "gpu":
            self.rng = OnDevice(self.rng, array_module(self.x))
            self.given = bool(noise(self.model, self.host_x, seed, "gpu")())

    def step(self) -> None:
        if self.given:  # with the noise that all libraries get
            self.model.training_step(self.x, self.rng)
            self.optimizer.update(self.model.parameters, self.model.gradient)
        else:
            self.one_step()

    def finish(self) -> None:
        synchronise(self.device)

    def gradients(self) -> tuple[float, Tensors]:
        loss = float(self.model.training_step(self.x, self.rng)["loss"])
        return loss, {name: on_host(getattr(layer, "d" + a)) for name, layer, a in self.model.named_parameters()}

    def parameters(self) -> Tensors:
        return {name: on_host(getattr(layer, a)) for name, layer, a in self.model.named_parameters()}

    def facts(self) -> dict[str, Any]:
        return {"scratchae": __version__, "numpy": np.__version__, "blas": machine.blas()}


class OnDevice:
    """NumPy's generator for a model on a GPU: it draws on the host, the same numbers for every library."""

    def __init__(self, rng: np.random.Generator, xp: Any):
        self.rng, self.xp = rng, xp

    def standard_normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return self.xp.asarray(self.rng.standard_normal(shape, dtype=dtype))


def on_host(x: Array) -> np.ndarray:
    return np.array(to_numpy(x))
