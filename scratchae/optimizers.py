"""Optimizers, in order of increasing complexity: each changes a flat vector of parameters in place, given the
gradient.

`lr` is a number or a schedule: a function of the number of updates done so far.
"""

from __future__ import annotations

import copy
import functools
import math
import numbers
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from .backend import Array, array_module, in_blocks, move, one_kernel
from .description import Described, plain
from .errors import OptionError, ShapeError


class Schedule(Described):
    """A learning rate that changes: `schedule(t)` is the rate for the update after t updates."""

    def __call__(self, t: int) -> float:
        raise NotImplementedError


class Step(Schedule):
    """The rate falls to `factor` of itself every `every` updates: lr · factor^⌊t / every⌋."""

    def __init__(self, lr: float, every: int, factor: float = 0.1):
        if every < 1:
            raise OptionError(f"Step(every={every}): expected at least 1 update")
        require_learning_rate(self, lr)
        self.lr, self.every, self.factor = plain(lr), plain(every), plain(factor)

    def __call__(self, t: int) -> float:
        return self.lr * self.factor ** (t // self.every)


class Cosine(Schedule):
    """Half a cosine from lr down to 0 over `steps` updates, after a linear rise over the first `warmup` of
    them.

    lr · ½ (1 + cos(π (t - warmup) / (steps - warmup))) (Loshchilov and Hutter 2017, eq. 5, without restarts).
    """

    def __init__(self, lr: float, steps: int, warmup: int = 0):
        if not 0 <= warmup < steps:
            raise OptionError(f"Cosine(steps={steps}, warmup={warmup}): expected 0 <= warmup < steps")
        require_learning_rate(self, lr)
        self.lr, self.steps, self.warmup = plain(lr), plain(steps), plain(warmup)

    def __call__(self, t: int) -> float:
        if t < self.warmup:
            return self.lr * (t + 1) / self.warmup
        progress = min((t - self.warmup) / (self.steps - self.warmup), 1.0)
        return self.lr * 0.5 * (1 + math.cos(math.pi * progress))


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
    # of an update, for each parameter: operations, and numbers read and written; None if they are not counted
    work: tuple[int, int] | None = None

    @property
    def formulas(self) -> dict[str, str]:
        """The update as expressions that study/formula/ reads: of θ and g, and of the state; t counts from 1."""
        clip = {} if self.clip_norm is None else {"g": "clip_norm / maximum(norm, clip_norm) * g"}
        if not self.weight_decay:
            return {**clip, **self.own_formulas}
        decayed = {name: text.replace("theta", "decayed") for name, text in self.own_formulas.items()}
        return {**clip, "decayed": "(1 - lr * weight_decay) * theta", **decayed}

    def __init__(self, lr: float | Schedule, weight_decay: float, clip_norm: float | None):
        name = type(self).__name__
        if not callable(lr):
            require_learning_rate(self, lr)
        if not 0 <= weight_decay < math.inf:
            raise OptionError(f"{name}(weight_decay={weight_decay}): expected weight_decay >= 0")
        if clip_norm is not None and not clip_norm > 0:
            raise OptionError(f"{name}(clip_norm={clip_norm}): expected clip_norm > 0, or None")
        self.lr, self.weight_decay, self.clip_norm = plain(lr), plain(weight_decay), plain(clip_norm)
        self.t = 0

    def learning_rate(self, t: int | None = None) -> float:
        """The rate of the update after t updates; of the next one, if t is not given."""
        return plain(self.lr(self.t if t is None else t) if callable(self.lr) else self.lr)

    def coefficients(self, t: int) -> tuple[float, ...]:
        """What changes from update to update, for the one after t updates: 1 - lr λ, and the formula's own."""
        raise NotImplementedError

    def update(self, parameters: Array, gradient: Array) -> None:
        """One step on the parameters, in place: clip, decay, then the optimizer's own formula, block by block."""
        self.prepare(parameters, gradient)
        self.apply(parameters, gradient, self.coefficients(self.t))
        self.t += 1

    def reset(self) -> None:
        """Forget what it remembers, and the parameters that it belongs to: as it was when it was made."""
        for name in self.state():
            delattr(self, name)
        self.t, self.bound = 0, None

    def restore(self, state: Mapping[str, Array], t: int) -> None:
        """Go back to where `state()` and `t` were these."""
        self.reset()
        for name, vector in state.items():
            setattr(self, name, vector)
        self.t = t

    def prepare(self, parameters: Array, gradient: Array) -> None:
        """Make the state for these parameters, if there is none. Raises ShapeError if the gradient is not theirs."""
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


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum μ: v ← μ v + g; θ ← θ - lr · v. Without momentum v is g.

    `weight_decay` λ is decoupled: θ ← (1 - lr λ) θ first. `clip_norm` bounds the norm of the whole gradient.
    """

    symbols = Optimizer.symbols | {"momentum": "μ"}

    def __init__(
        self,
        lr: float | Schedule,
        momentum: float = 0.0,
        *,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ):
        super().__init__(lr, weight_decay, clip_norm)
        if not 0 <= momentum < 1:
            raise OptionError(f"SGD(momentum={momentum}): expected 0 <= momentum < 1")
        self.momentum = plain(momentum)
        self.state_names = ("v",) if momentum else ()

    @property
    def work(self) -> tuple[int, int]:
        """θ - lr g; with momentum also v = μ v + g."""
        return (4, 5) if self.momentum else (2, 3)

    @property
    def own_formulas(self) -> dict[str, str]:
        """With momentum and without."""
        if self.momentum:
            return {"v": "momentum * v + g", "theta": "theta - lr * v"}
        return {"theta": "theta - lr * g"}

    def coefficients(self, t: int) -> tuple[float, ...]:
        lr = self.learning_rate(t)
        return 1 - lr * self.weight_decay, lr

    def formula(self, coefficients, θ, g, v=None):
        lr = coefficients[1]
        if self.weight_decay:
            θ *= coefficients[0]
        if v is not None:
            v *= self.momentum
            v += g  # v = μ v + g
            g = v
        θ -= lr * g


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1), t = 1, 2, …:

    m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²,  m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ),
    θ ← θ - lr · m̂ / (√v̂ + ε).

    `weight_decay` λ is decoupled: θ ← (1 - lr λ) θ first (AdamW). `clip_norm` bounds the norm of the whole
    gradient.
    """

    state_names = ("m", "v")
    kernel = "adam"
    work = 12, 7  # as in `adam`, with two bias corrections in two numbers; θ, g, m, v read, θ, m, v written
    symbols = Optimizer.symbols | {"beta1": "β₁", "beta2": "β₂", "t": "t", "eps": "ε"}
    own_formulas = {
        "m": "beta1 * m + (1 - beta1) * g",
        "v": "beta2 * v + (1 - beta2) * g ** 2",
        "theta": "theta - lr * (m / (1 - beta1 ** t)) / (sqrt(v / (1 - beta2 ** t)) + eps)",
    }

    def __init__(
        self,
        lr: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        *,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ):
        super().__init__(lr, weight_decay, clip_norm)
        if not (0 <= beta1 < 1 and 0 <= beta2 < 1):
            raise OptionError(f"Adam(beta1={beta1}, beta2={beta2}): expected 0 <= beta < 1")
        if not eps > 0:
            raise OptionError(f"Adam(eps={eps}): expected eps > 0")
        self.beta1, self.beta2, self.eps = plain(beta1), plain(beta2), plain(eps)

    def coefficients(self, t: int) -> tuple[float, ...]:
        # lr · m̂ / (√v̂ + ε) = step · m / (√v + ε̂), with the two bias corrections taken into two numbers (the paper, end of section 2)
        lr, t = self.learning_rate(t), t + 1
        correction = math.sqrt(1 - self.beta2**t)
        return 1 - lr * self.weight_decay, lr * correction / (1 - self.beta1**t), self.eps * correction

    def formula(self, coefficients, θ, g, m, v):
        adam(θ, g, m, v, coefficients, self.beta1, self.beta2, self.weight_decay > 0)


@one_kernel
def adam(
    θ: Array,
    g: Array,
    m: Array,
    v: Array,
    coefficients: tuple[float, ...] | Array,
    beta1: float,
    beta2: float,
    decays: bool = False,
) -> None:
    """Adam's update, in place; coefficients: those of `Adam.coefficients`, of which the first is 1 where nothing decays."""
    xp = array_module(θ)
    keep, step, eps = coefficients
    if decays:
        θ *= keep
    m *= beta1
    change = g * (1 - beta1)  # the one temporary, used again below
    m += change  # m = β₁ m + (1 - β₁) g
    v *= beta2
    xp.multiply(g, g, out=change)
    change *= 1 - beta2
    v += change  # v = β₂ v + (1 - β₂) g²
    xp.sqrt(v, out=change)
    change += eps
    xp.divide(m, change, out=change)
    change *= step
    θ -= change  # θ = θ - step · m / (√v + ε̂)


class OwnOptimizer(Optimizer):
    """An object with `update(parameters, gradient)` as an optimizer. What it remembers are its attributes, arrays and numbers.

    `update` changes the parameters in place, or returns the new ones. On a GPU its steps are not recorded.
    """

    def __init__(self, theirs: Any):
        self.theirs = theirs
        # what it had when it was first seen, for `reset`; kept by the object, which may be used again
        self.beginning = vars(theirs).setdefault("_beginning", copy.deepcopy(vars(theirs)))

    def update(self, parameters: Array, gradient: Array) -> None:
        self.apply(parameters, gradient, ())
        self.t += 1

    def prepare(self, parameters: Array, gradient: Array) -> None:
        """They make their state themselves."""

    def apply(self, parameters: Array, gradient: Array, coefficients: tuple[float, ...] | Array) -> None:
        before = parameters.copy() if self.t == 0 else None
        returned = self.theirs.update(parameters, gradient)
        if returned is not None and returned is not parameters:
            parameters[...] = returned
        if before is not None and bool((before == parameters).all()) and bool((gradient != 0).any()):
            warnings.warn(
                f"the first update of {self!r} has changed no parameter: it should change them in place, parameters -= …, "
                "or return the new ones",
                stacklevel=2,
            )

    def coefficients(self, t: int) -> tuple[float, ...]:
        return ()

    def learning_rate(self, t: int | None = None) -> float:
        """Their `lr`, if that is a number; else NaN."""
        lr = getattr(self.theirs, "lr", math.nan)
        return plain(lr) if isinstance(lr, numbers.Real) else math.nan

    def state(self) -> dict[str, Array]:
        """Their arrays, and their numbers as arrays without axes. Raises OptionError if they remember anything else."""
        found = {}
        for name, value in vars(self.theirs).items():
            if isinstance(value, bool | int | float) or hasattr(value, "dtype"):
                found[name] = value if getattr(value, "shape", ()) else np.asarray(value)
            elif not (value is None or isinstance(value, str) or callable(value) or name == "_beginning"):
                raise OptionError(
                    f"{self!r} keeps a {type(value).__name__} in {name}, so that training with it cannot be written to a "
                    "checkpoint: keep arrays and numbers in attributes of their own, or train without checkpoint=…"
                )
        return found

    def reset(self) -> None:
        vars(self.theirs).clear()
        vars(self.theirs).update(copy.deepcopy(self.beginning), _beginning=self.beginning)
        self.t = 0

    def restore(self, state: Mapping[str, Array], t: int) -> None:
        self.reset()
        vars(self.theirs).update({name: value if value.shape else value.item() for name, value in state.items()})
        self.t = t

    def to(self, device: str | None = None, dtype: object = None) -> OwnOptimizer:
        for name, value in vars(self.theirs).items():
            if hasattr(value, "dtype") and value.dtype.kind == "f":
                setattr(self.theirs, name, move(value, device, dtype))
        return self

    def __repr__(self) -> str:
        theirs = type(self.theirs)
        return f"{theirs.__name__}(…)" if theirs.__repr__ is object.__repr__ else repr(self.theirs)


def as_optimizer(optimizer: Any) -> Optimizer:
    """The optimizer itself; an object of a class with `update` of its own as an optimizer. Raises OptionError for all else."""
    if isinstance(optimizer, type):
        name = optimizer.__name__
        raise OptionError(f"optimizer={name} is a class: make one, optimizer={name}(…)")
    if isinstance(optimizer, Optimizer) and type(optimizer).update is Optimizer.update:
        return optimizer
    if isinstance(optimizer, OwnOptimizer):
        return optimizer
    if not callable(getattr(optimizer, "update", None)) or isinstance(optimizer, dict | set):
        raise OptionError(
            f"optimizer={optimizer!r}: expected an optimizer, such as Adam(1e-3), or an object with update(parameters, gradient)"
        )
    return OwnOptimizer(optimizer)


def clip_norm(gradient: Array, limit: float) -> Array:
    """The gradient, shortened to Euclidean norm `limit` if it is longer (Pascanu et al. 2013, algorithm 1)."""
    xp = array_module(gradient)
    norm = xp.sqrt(xp.sum(gradient * gradient))
    return gradient * (limit / xp.maximum(norm, limit))


def require_learning_rate(thing: Described, lr: float) -> None:
    """Raise OptionError unless the learning rate is a number that can be used."""
    if not 0 <= lr < math.inf:
        hint = " or a schedule" if isinstance(thing, Optimizer) else ""
        raise OptionError(f"{type(thing).__name__}(lr={lr}): expected a number >= 0{hint}")
