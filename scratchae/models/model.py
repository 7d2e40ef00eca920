"""What every model has: its layers' parameters as one flat vector, their gradients as another."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from ..backend import Array, array_module
from ..description import Described
from ..errors import DataError
from ..layers import GaussianNoise, Layer, MaskingNoise, SaltAndPepper
from ..layers.layer import require_distinct
from . import parallel


class Model(Described):
    """A system of layers with an objective.

    `parameters` θ and `gradient` are flat vectors; `layer.W` and `layer.dW` are views into them. So an
    optimizer is one formula on whole vectors, and data-parallel training would be one sum of gradients.
    Views start at multiples of 16 numbers (64 bytes); the gaps hold zeros and stay zero.

    A subclass names its parts in `part_names`, calls `gather()` at the end of its constructor, and defines
    `objective` and `backward`; or `training_step`, where that is no gradient of an objective.
    """

    part_names: tuple[str, ...] = ()  # attributes that hold layers, in the order they run
    # whether `objective` treats every example by itself, so that the batch may be split (`parallel.py`); not inherited
    examples_apart = False
    # what it computes beside its layers, in the order it does, as expressions that study/formula/ reads: encoder(x) runs a
    # part, loss(prediction, x) gives a value and a gradient, backward(encoder, dz) goes back through a part
    formulas: Mapping[str, str] = {}

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        """The loss and its parts on a batch x: {"loss": …, …}, summed over features and averaged over the batch."""
        raise NotImplementedError

    def backward(self) -> None:
        """∂loss/∂θ into `gradient`, of what `objective` has just computed."""
        raise NotImplementedError

    def training_step(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        """`objective(x, rng)`, and ∂loss/∂θ in `gradient`. Large batches are shared among the cores: see `parallel.py`."""
        parts = parallel.count_parts(self, x, rng)
        if parts > 1:
            return parallel.training_step(self, x, rng, parts)
        metrics = self.objective(x, rng)
        self.backward()
        return metrics

    def judge(self, x: Array, rng: np.random.Generator) -> dict[str, Array]:
        """The metrics of `objective` on data that are not learned from: in inference, but for what belongs to the task.

        A model that is to remove noise gets noise, a code that is drawn is drawn: both from `rng`. Dropout, which only helps
        training, is off. So training and validation measure the same. A subclass says what belongs to its task.
        """
        return self.objective(x)

    @property
    def denoises(self) -> bool:
        """Whether it begins with a layer of noise."""
        _, first = next(self.leaves())
        return isinstance(first, GaussianNoise | MaskingNoise | SaltAndPepper)

    def corrupted(self, x: Array, rng: np.random.Generator) -> Array:
        """x with the noise that it begins with; x itself if there is none."""
        _, first = next(self.leaves())
        return first.forward(x, rng) if self.denoises else x

    def check_data(self, x: Array) -> None:
        """Raise a ScratchaeError if the model cannot be trained on x, a NumPy array. Called by `fit`, once."""

    def leaves(self) -> Iterator[tuple[str, Layer]]:
        """Every layer that computes, with its name, such as "encoder.0"."""
        for part in self.part_names:
            yield from getattr(self, part).leaves(part)

    def named_parameters(self) -> Iterator[tuple[str, Layer, str]]:
        """Name, such as "encoder.0.W", layer and attribute of every parameter, in the order they stand in θ."""
        for name, layer in self.leaves():
            for attribute in layer.parameter_names:
                yield f"{name}.{attribute}", layer, attribute

    def named_buffers(self) -> Iterator[tuple[str, Layer, str]]:
        """Name, such as "encoder.1.running_mean", layer and attribute of what layers remember beside their parameters."""
        for name, layer in self.leaves():
            for attribute in layer.buffer_names:
                yield f"{name}.{attribute}", layer, attribute

    def tensors(self) -> dict[str, Array]:
        """Every parameter and buffer by name: all that training changes in the model."""
        named = itertools.chain(self.named_parameters(), self.named_buffers())
        return {name: getattr(layer, attribute) for name, layer, attribute in named}

    def gather(self) -> None:
        """Copy the layers' parameters into a new vector θ, the gradients into another; layers see them as views.

        The layers hold the truth: after `layer.W = …`, or after a layer was used in another model, gather
        brings θ up to date. `fit` begins with it.
        """
        slots, size = [], 0
        require_distinct(self.leaves())
        for _, layer, attribute in self.named_parameters():
            slots.append((layer, attribute, size))
            size += room(getattr(layer, attribute))
        if not slots:
            raise DataError(f"{type(self).__name__} has no parameters: none of its layers has any")
        first = getattr(slots[0][0], slots[0][1])
        xp = array_module(first)
        self.team = None
        self.parameters = xp.zeros(size, dtype=first.dtype)
        self.gradient = xp.zeros(size, dtype=first.dtype)
        for layer, attribute, start in slots:
            old = getattr(layer, attribute)
            for vector, target in ((self.parameters, attribute), (self.gradient, "d" + attribute)):
                view = vector[start : start + old.size].reshape(old.shape)
                view[...] = getattr(layer, target)
                setattr(layer, target, view)
        for name, layer in self.leaves():
            layer.name = name

    def parameter_count(self) -> int:
        """The number of trainable numbers."""
        return sum(getattr(layer, attribute).size for _, layer, attribute in self.named_parameters())

    def to(self, device: str | None = None, dtype: object = None) -> Model:
        """Move the model to a device ("cpu", "gpu") and a dtype, in place."""
        for part in self.part_names:
            getattr(self, part).to(device, dtype)
        self.gather()
        return self

    def __getstate__(self) -> dict:
        return {name: value for name, value in vars(self).items() if name != "team"}

    def __setstate__(self, state: dict) -> None:  # deepcopy and pickle would copy θ and its views apart
        self.__dict__.update(state)
        self.gather()

    def __copy__(self) -> Model:
        return copy.deepcopy(self)  # a shallow copy would share its layers, and take their views away


def room(parameter: Array) -> int:
    """How many numbers of θ a parameter takes, with the gap behind it: each begins at a multiple of 16."""
    return -(-parameter.size // 16) * 16
