"""What a training step of a model has to do: its layers' work and the optimizer's, for a batch of any size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backend import Array
from ..layers import Layer
from ..layers.observing import watched
from ..models import VAE, Model
from ..optimizers import Optimizer
from .flops import Shape, flops, gemm_flops, traffic, update_work

PROBE = 2  # examples, since batch normalisation needs more than one
BESIDE = {"log_var"}  # parts of a model that stand beside another of the same size


@dataclass(frozen=True)
class Run:
    """A forward of a layer in a step: the shapes of x and y for a batch, and what of its backward is asked for."""

    name: str
    layer: Layer
    x_shape: Shape
    y_shape: Shape
    first: bool = False  # the first layer with parameters: nobody asks for its ∂L/∂x
    before: bool = False  # it stands before that one, and has no backward at all

    def flops(self) -> tuple[int, int] | None:
        """(forward, backward); None where its class does not say."""
        found = flops(self.layer, self.x_shape, self.y_shape, first=self.first)
        return found if found is None or not self.before else (found[0], 0)

    def gemm_flops(self) -> tuple[int, int]:
        return gemm_flops(self.layer, self.x_shape, self.y_shape, first=self.first)

    def traffic(self) -> tuple[int, int]:
        """Bytes of (forward, backward), in float32."""
        forward, backward = traffic(self.layer, self.x_shape, self.y_shape, first=self.first)
        return forward, 0 if self.before else backward


@dataclass(frozen=True)
class Work:
    """A step's floating-point operations, those of its matrix products, and the bytes that it must move at least."""

    flops: int
    gemm_flops: int
    bytes: int


def runs(model: Model, examples: np.ndarray, batch_size: int) -> list[Run]:
    """Every forward of a layer in the objective of a batch of this size, in the order they run, by a trial with a few."""
    found: list[Run] = []
    names = {layer: name for name, layer in model.leaves()}
    begin = next((layer for layer in names if layer.parameter_names), None)
    begun = False

    def note(layer: Layer, x: Array, y: Array) -> None:
        nonlocal begun
        first = layer is begin and not begun
        begun = begun or first
        x_shape, y_shape = ((len(a) * batch_size // PROBE, *a.shape[1:]) for a in (x, y))
        found.append(Run(names[layer], layer, x_shape, y_shape, first, before=not begun))

    with watched(names, note):
        model.objective(examples[:PROBE], np.random.default_rng(0))
    return found


def through_layers(model: Model) -> bool:
    """Whether a step of the model is one run forward and one backward through its layers; that of an RBM is not."""
    return type(model).training_step in (Model.training_step, VAE.training_step)


def work(model: Model, optimizer: Optimizer, examples: np.ndarray, batch_size: int) -> Work | None:
    """The work of a whole step: all layers, and the update. The loss, penalties and what else a model does in a few
    operations for each output are not counted. None where layers do not tell the step (`through_layers`), or where the
    class of a layer or of the optimizer does not say its own.
    """
    if not through_layers(model):
        return None
    steps = runs(model, examples, batch_size)
    counted, update = [run.flops() for run in steps], update_work(optimizer, len(model.parameters))
    if None in counted or update is None:
        return None
    return Work(
        flops=sum(map(sum, counted)) + update[0],
        gemm_flops=sum(sum(run.gemm_flops()) for run in steps),
        bytes=sum(sum(run.traffic()) for run in steps) + update[1],
    )


def sizes(model: Model, examples: np.ndarray) -> list[int | list[int]]:
    """The sizes of data, and of what each layer with parameters makes of it: a number for rows, [H, W, C] for images.

    The code of a VAE counts once, though two heads tell where it lies. Empty where a model has no layers that run forward.
    """
    found = [run for run in runs(model, examples, 1) if run.layer.parameter_names]
    if not found:
        return []
    shapes = [found[0].x_shape[1:]]
    shapes += [run.y_shape[1:] for run in found if run.name.partition(".")[0] not in BESIDE]
    return [list(shape) if len(shape) > 1 else shape[0] for shape in shapes]
