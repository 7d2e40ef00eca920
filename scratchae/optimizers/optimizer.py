"""What an optimizer is: it changes a flat vector of parameters in place, given the gradient."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arguments import number, refuse, whole
from ..backend import Array, array_module, in_blocks, move, require_floats
from ..description import Described, plain
from ..errors import ArrayTypeError, OptionError, ShapeError
from .schedules import Schedule


class Optimizer(Described):
    """`update(parameters, gradient)` takes a step, in place; `t` counts them, `state_names` names what it remembers.

    It belongs to the vector of parameters of its first update: raises OptionError for another one. `fit` begins afresh with it,
    unless it resumes. For an optimizer of your own, a class with `update` will do:

        class SignDescent:
            def __init__(self, lr):
                self.lr = lr

            def update(self, parameters, gradient):
                parameters -= self.lr * np.sign(gradient)

    What it keeps in attributes of its own is written to checkpoints.
    """

    bound: Array | None = None  # the parameters that it belongs to
    t, weight_decay, clip_norm = 0, 0.0, None
    state_names: tuple[str, ...] = ()
    kernel = ""  # the function of this file that is its formula, if that is one kernel where there are kernels
    # how names in the formulas are written
    symbols: Mapping[str, str] = {"lr": "η", "weight_decay": "λ", "norm": "‖g‖", "clip_norm": "c"}
    own_formulas: Mapping[str, str] = {}
    # the work of an update, for each parameter: operations, and numbers read and written; None if they are not counted
    work: tuple[int, int] | None = None

    @property
    def formulas(self) -> dict[str, str]:
        """The update as expressions that study/formula/ reads: of θ and g, and of the state; t counts from 1."""
        clip = (
            {}
            if self.clip_norm is None
            else {
                "g": "clip_norm / maximum(norm, clip_norm) * g  # A gradient longer than c is cut to the length c and keeps its direction, so that one bad batch cannot throw the network far."
            }
        )
        if not self.weight_decay:
            return {**clip, **self.own_formulas}
        decayed = {name: text.replace("theta", "decayed") for name, text in self.own_formulas.items()}
        return {
            **clip,
            "decayed": "(1 - lr * weight_decay) * theta  # Every weight shrinks a little at each update, so that only what the data ask for again and again stays large.",
            **decayed,
        }

    def __init__(self, lr: float | Schedule, weight_decay: float, clip_norm: float | None):
        hint = ", or a schedule such as Cosine(1e-3, steps=1000)"
        self.lr = lr if callable(lr) and not isinstance(lr, type) else number(self, "0 <= lr", lr, hint)
        self.weight_decay = number(self, "0 <= weight_decay", weight_decay)
        self.clip_norm = None if clip_norm is None else number(self, "0 < clip_norm", clip_norm, ", or None")
        self.t = 0

    def learning_rate(self, t: int | None = None) -> float:
        """The rate of the update after t updates; of the next one, if t is not given."""
        if not callable(self.lr):
            return plain(self.lr)
        t = self.t if t is None else whole(self, "t", t, least=0)
        return number(self, "0 <= lr", self.lr(t), f", from its schedule after {t} updates")

    def coefficients(self, t: int) -> tuple[float, ...]:
        """What changes from update to update, for the one after t updates: 1 - lr λ, and the formula's own."""
        raise NotImplementedError

    def update(self, parameters: Array, gradient: Array) -> None:
        """One step on the parameters, in place: clip, decay, then the optimizer's own formula, block by block."""
        self.prepare(parameters, gradient)
        self.apply(parameters, gradient, self.coefficients(self.t))
        self.t += 1

    def belong_to(self, model: Any) -> None:
        """Learn what of the model it needs to know. `fit` calls it; only `Parts` needs to."""

    def reset(self) -> None:
        """Forget what it remembers, and the parameters that it belongs to: as it was when it was made."""
        for name in self.state():
            delattr(self, name)
        self.t, self.bound = 0, None

    def restore(self, state: Mapping[str, Array], t: int) -> None:
        """Go back to where `state()` and `t` were these."""
        if not isinstance(state, Mapping):
            refuse(self, "state", state, "arrays by name, as state() gives them")
        self.reset()
        for name, vector in state.items():
            setattr(self, name, vector)
        self.t = t

    def prepare(self, parameters: Array, gradient: Array) -> None:
        """Make the state for these parameters, if there is none. Raises ShapeError if the gradient is not theirs."""
        require_floats(parameters, name="parameters")
        require_floats(gradient, parameters, name="gradient")
        if not getattr(parameters.flags, "writeable", True):  # CuPy's arrays always are
            raise ArrayTypeError(
                "parameters cannot be written to: an optimizer changes them in place, give it parameters.copy()"
            )
        if parameters.shape != gradient.shape:
            raise ShapeError(
                f"gradient has shape {gradient.shape}, parameters {parameters.shape}: they must be equal"
            )
        foreign = any(vector.shape != parameters.shape for vector in self.state().values())
        if foreign or (self.bound is not None and self.bound is not parameters):
            raise OptionError(
                f"{self!r} belongs to the parameters that it updated first, and was given others; its {self.t} updates of those "
                f"would go wrong here. Make a {type(self).__name__} for each model, or start over with reset(); after "
                "model.to(…), optimizer.to(…) takes it along"
            )
        self.bound = parameters
        for name in self.state_names:
            if not hasattr(self, name):
                setattr(self, name, array_module(parameters).zeros_like(parameters))

    def apply(self, parameters: Array, gradient: Array, coefficients: tuple[float, ...] | Array) -> None:
        """The step that `update` takes, given its coefficients: as numbers, or on a GPU as an array there. Leaves t alone."""
        if self.clip_norm is not None:
            gradient = clip_norm(gradient, self.clip_norm)

        state = (getattr(self, name) for name in self.state_names)
        in_blocks(functools.partial(self.formula, coefficients), parameters, gradient, *state, kernel=self.kernel)

    def state_shapes(self, parameters: Array) -> dict[str, tuple[int, ...]]:
        """The shapes of what it remembers of these parameters, by name."""
        return dict.fromkeys(self.state_names, parameters.shape)

    def state(self) -> dict[str, Array]:
        """The vectors that it remembers, by name; none before the first update."""
        return {name: getattr(self, name) for name in self.state_names if hasattr(self, name)}

    def __getstate__(self) -> dict:
        # a copy belongs to nobody yet: the copy of a model has a vector of its own
        return {name: value for name, value in vars(self).items() if name != "bound"}

    def formula(self, coefficients: tuple[float, ...] | Array, θ: Array, g: Array, *state: Array) -> None:
        """The update of a block of parameters θ, in place, given its gradient g and state.

        Weight decay comes first, and is decoupled: θ ← coefficients[0] θ, no part of the gradient (Loshchilov and Hutter 2019).
        """
        raise NotImplementedError

    def to(self, device: str | None = None, dtype: object = None) -> Optimizer:
        """Move the state to a device and a dtype, as the parameters were, to which it belongs from then on."""
        self.bound = None
        for name, vector in self.state().items():
            setattr(self, name, move(vector, device, dtype))
        return self


def clip_norm(gradient: Array, limit: float) -> Array:
    """The gradient, shortened to Euclidean norm `limit` if it is longer (Pascanu et al. 2013, algorithm 1)."""
    xp = array_module(gradient)
    largest = xp.max(xp.abs(gradient))
    # divided by its largest number, as squares of numbers above 1.8e19 overflow float32
    direction = gradient / xp.maximum(largest, np.finfo(gradient.dtype).tiny)
    size = xp.maximum(xp.sqrt(xp.sum(direction * direction)), 1)  # ‖g‖ / largest; 1 if all is 0
    return xp.where(largest <= limit / size, gradient, direction * (limit / size))
