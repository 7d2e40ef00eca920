"""An optimizer for each part of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..arguments import refuse
from ..backend import Array
from ..errors import OptionError
from .optimizer import Optimizer


class Parts(Optimizer):
    """Each part of a model has its own optimizer, as two players may have their own learning rates:

        Parts(generator=Adam(1e-4, beta1=0.5), discriminator=Adam(4e-4, beta1=0.5))

    θ holds the parts' parameters one part after the other, so each optimizer gets its own stretch of θ and of the gradient.
    `fit` tells where they lie; in a loop of your own, `optimizer.belong_to(model)` does. The learning rate that `fit` reports
    is that of the first. Raises OptionError unless there is an optimizer for each part.
    """

    def __init__(self, **optimizers: Optimizer):
        if not optimizers or not all(isinstance(one, Optimizer) for one in optimizers.values()):
            raise OptionError(
                f"Parts({optimizers}): expected an optimizer for each part of the model, generator=Adam(1e-4), …"
            )
        self.optimizers = optimizers
        self.stretches: dict[str, slice] = {}
        self.t = 0

    def belong_to(self, model: Any) -> None:
        stretches = model.stretches()
        if stretches.keys() != self.optimizers.keys():
            raise OptionError(
                f"{self!r} has optimizers for {', '.join(self.optimizers)}, the parts of {type(model).__name__} are "
                f"{', '.join(stretches)}: give one for each"
            )
        self.stretches = stretches

    def stretch(self, name: str) -> slice:
        """Where a part lies. Raises OptionError before it is known."""
        if not self.stretches:
            raise OptionError(
                f"{self!r} does not know the model's parts: optimizer.belong_to(model) comes before the first update"
            )
        return self.stretches[name]

    def prepare(self, parameters: Array, gradient: Array) -> None:
        if self.bound is not parameters:
            self.views = {name: parameters[self.stretch(name)] for name in self.optimizers}
            self.bound = parameters
        for name, one in self.optimizers.items():
            one.prepare(self.views[name], gradient[self.stretch(name)])

    def coefficients(self, t: int) -> tuple[float, ...]:
        return tuple(number for one in self.optimizers.values() for number in one.coefficients(t))

    def apply(self, parameters: Array, gradient: Array, coefficients: tuple[float, ...] | Array) -> None:
        first = 0
        for name, one in self.optimizers.items():
            last = first + len(one.coefficients(0))
            one.apply(self.views[name], gradient[self.stretch(name)], coefficients[first:last])
            first = last

    def learning_rate(self, t: int | None = None) -> float:
        return next(iter(self.optimizers.values())).learning_rate(self.t if t is None else t)

    def reset(self) -> None:
        self.t, self.bound = 0, None
        for one in self.optimizers.values():
            one.reset()

    def state_shapes(self, parameters: Array) -> dict[str, tuple[int, ...]]:
        return {
            f"{name}.{key}": shape
            for name, one in self.optimizers.items()
            for key, shape in one.state_shapes(parameters[self.stretch(name)]).items()
        }

    def state(self) -> dict[str, Array]:
        return {
            f"{name}.{key}": vector for name, one in self.optimizers.items() for key, vector in one.state().items()
        }

    def restore(self, state: Mapping[str, Array], t: int) -> None:
        if not isinstance(state, Mapping):
            refuse(self, "state", state, "arrays by name, as state() gives them")
        self.t, self.bound = t, None
        for name, one in self.optimizers.items():
            own = {
                key.removeprefix(f"{name}."): vector for key, vector in state.items() if key.startswith(f"{name}.")
            }
            one.restore(own, t)

    def to(self, device: str | None = None, dtype: object = None) -> Optimizer:
        self.bound = None
        for one in self.optimizers.values():
            one.to(device, dtype)
        return self

    def __getstate__(self) -> dict:
        return {name: value for name, value in vars(self).items() if name not in ("bound", "views")}
