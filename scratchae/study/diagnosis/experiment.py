"""An experiment runs a layer, loss, penalty or model afresh as often as a diagnosis asks, at any input.

It runs on the host, in float64. It never changes its subject or its inputs: each run works on copies.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ...backend import to_numpy
from ...layers import Layer
from ...layers.observing import watched
from ...models import Model
from ..differences import Differences, Index
from ..styles.objects.copies import duplicate

STEP = 1e-6  # how far each element is moved: little, so that no step crosses a corner nearby


class RefusedError(Exception):
    """The subject raised an error (the cause of this one): it does not accept the experiment's input."""


# the errors of a subject that does not accept the experiment's input, or that returns something odd
REFUSALS = (RefusedError, ValueError, IndexError, TypeError)


@contextlib.contextmanager
def offering() -> Iterator[None]:
    """Turn any error of the subject in this block into RefusedError."""
    try:
        yield
    except Exception as error:
        raise RefusedError(str(error)) from error


Arrays = dict[str, np.ndarray]


class Experiment:
    """`run` gives y and every gradient; `slopes` gives the right gradients. `inputs` are the inputs of the check."""

    def __init__(self, subject: Any, inputs: Arrays):
        self.subject, self.inputs = subject, inputs

    def fresh(self) -> Any:
        """The subject as it was given: it keeps nothing from earlier runs."""
        return duplicate(self.subject)

    def value(self, subject: Any, inputs: Arrays) -> np.ndarray:
        """y, or the loss."""
        raise NotImplementedError

    def run(
        self, inputs: Arrays | None = None, r: np.ndarray | None = None, subject: Any = None
    ) -> tuple[Any, Arrays]:
        """y and the gradients by name, given the upstream r. By default, the inputs and r are those of the check."""
        raise NotImplementedError

    def upstream(self, y: np.ndarray) -> np.ndarray:
        """∂L/∂y for a y of this shape."""
        return np.ones_like(y)

    def tensor(self, subject: Any, inputs: Arrays, name: str) -> np.ndarray:
        """The input or parameter of this name."""
        return inputs[name]

    def names(self) -> Sequence[str]:
        """The names of all tensors that get a gradient."""
        return tuple(self.inputs)

    def slopes(
        self,
        name: str,
        where: Sequence[Index] | None = None,
        inputs: Arrays | None = None,
        r: np.ndarray | None = None,
        subject: Any = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The slopes of Σ r y to the left and to the right as elements of a tensor move: all, or those at some places."""
        subject = self.fresh() if subject is None else subject
        inputs = {key: array.copy() for key, array in (inputs or self.inputs).items()}
        tensor = self.tensor(subject, inputs, name)
        moved = Differences(
            tensor, lambda: self.value(subject, inputs), lambda plus, minus: np.sum((plus - minus) * r)
        )
        r = self.upstream(moved.centre) if r is None else r
        places = list(np.ndindex(*tensor.shape)) if where is None else where
        found = [moved.slopes(index, STEP * max(1.0, abs(float(tensor[index])))) for index in places]
        left, right = np.array(found).reshape(-1, 2).T
        shape = tensor.shape if where is None else (len(places),)
        return left.reshape(shape), right.reshape(shape)


class LayerExperiment(Experiment):
    """y = f(x), with the upstream r and the noise that the gradient check draws from the same seed."""

    def __init__(self, layer: Layer, x: Any, seed: int, noise: bool):
        x = np.array(to_numpy(x))
        super().__init__(
            duplicate(layer).to("cpu", np.float64), {"x": x if x.dtype.kind in "iu" else x.astype(np.float64)}
        )
        self.seed, self.noise = seed, noise

    def beside(self, x: np.ndarray, seed: int | None = None, noise: bool = True) -> LayerExperiment:
        """The same subject at another x, with other noise or without noise."""
        other = copy.copy(self)
        other.inputs, other.seed, other.noise = (
            {"x": x},
            self.seed + 1 if seed is None else seed,
            self.noise and noise,
        )
        return other

    def rng(self) -> np.random.Generator | None:
        return np.random.default_rng(self.seed) if self.noise else None

    def upstream(self, y: np.ndarray) -> np.ndarray:
        return np.random.default_rng([self.seed, 1]).standard_normal(y.shape)

    def value(self, subject: Layer, inputs: Arrays) -> np.ndarray:
        with offering():
            return np.array(subject.forward(inputs["x"].copy(), self.rng()))

    def run(self, inputs=None, r=None, subject=None):
        subject = self.fresh() if subject is None else subject
        y = self.value(subject, inputs or self.inputs)
        with offering():
            dx = subject.backward((self.upstream(y) if r is None else r).astype(y.dtype))
        return y, {"x": dx if dx is None else np.array(dx)} | self.parameter_gradients(subject)

    def parameter_gradients(self, subject: Layer) -> Arrays:
        return {
            name: np.array(getattr(leaf, "d" + attribute))
            for name, (leaf, attribute) in self.places(subject).items()
            if hasattr(leaf, "d" + attribute)
        }

    def places(self, subject: Layer) -> dict[str, tuple[Layer, str]]:
        """The place of each parameter, by name: its layer and attribute."""
        return {
            f"{name}.{attribute}".lstrip("."): (leaf, attribute)
            for name, leaf in subject.leaves()
            for attribute in leaf.parameter_names
        }

    def names(self) -> Sequence[str]:
        return *(("x",) if self.inputs["x"].dtype.kind == "f" else ()), *self.places(self.subject)

    def tensor(self, subject: Layer, inputs: Arrays, name: str) -> np.ndarray:
        return inputs["x"] if name == "x" else getattr(*self.places(subject)[name])


class ModelExperiment(LayerExperiment):
    """The loss of a model. Only its parameters get gradients, and there is no upstream."""

    def fresh(self) -> Model:
        subject = super().fresh()
        subject.hold()
        return subject

    def upstream(self, y: np.ndarray) -> np.ndarray:
        return np.ones_like(y)

    def value(self, subject: Model, inputs: Arrays) -> np.ndarray:
        with offering():
            return np.array(subject.descended(inputs["x"].copy(), self.rng())["loss"])

    def run(self, inputs=None, r=None, subject=None):
        subject = self.fresh() if subject is None else subject
        with offering():
            metrics = subject.training_step((inputs or self.inputs)["x"].copy(), self.rng())
        return np.array(metrics["loss"]), self.parameter_gradients(subject)

    def places(self, subject: Model) -> dict[str, tuple[Layer, str]]:
        return {name: (layer, attribute) for name, layer, attribute in subject.named_parameters()}

    def names(self) -> Sequence[str]:
        return tuple(self.places(self.subject))


class FunctionExperiment(Experiment):
    """`function(*inputs) -> (value, gradient…)`: each gradient belongs to the input in the same position; `function.right` names those
    that come after them."""

    def fresh(self) -> Callable:
        return self.subject

    def value(self, subject: Callable, inputs: Arrays) -> np.ndarray:
        with offering():
            return np.array(subject(*(array.copy() for array in inputs.values()))[0])

    def run(self, inputs=None, r=None, subject=None):
        inputs = inputs or self.inputs
        with offering():
            value, *gradients = self.subject(*(array.copy() for array in inputs.values()))
        names = (*inputs, *getattr(self.subject, "right", ()))
        return np.array(value), {name: np.array(gradient) for name, gradient in zip(names, gradients, strict=False)}

    def names(self) -> Sequence[str]:
        return tuple(name for name in self.run()[1] if name in self.inputs)


def parts(experiment: LayerExperiment) -> Iterator[tuple[str, LayerExperiment]]:
    """The layers of a chain or a model, each by itself, at the input that it gets there."""
    subject = experiment.fresh()
    leaves = list(subject.leaves())
    if leaves == [("", subject)]:
        return
    inputs: dict[int, np.ndarray] = {}

    with watched((layer for _, layer in leaves), lambda layer, x, y: inputs.setdefault(id(layer), np.array(x))):
        experiment.value(subject, experiment.inputs)
    for name, layer in leaves:
        if id(layer) in inputs:
            yield name, LayerExperiment(layer, inputs[id(layer)], experiment.seed, experiment.noise)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """An experiment may make a subject overflow, which needs no warning."""
    with np.errstate(all="ignore"):
        yield
