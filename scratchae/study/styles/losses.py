"""A loss in any style as a function (prediction, target) -> (value, gradient)."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import ArrayTypeError
from .objects.copies import duplicate, repeatable
from .text.calls import INPUT_GRADIENTS, OUTPUTS, attributes, method_of, outcome, parameters_of, without_default
from .text.names import OF_METHODS, plain, stem, stems_of_gradient
from .text.written import returned_names, text_of, upstream_option

TARGETS = {"target", "targets", "t", "ytrue", "truth", "label", "labels", "y", "groundtruth", "gt", "expected", "actual", "desired", "true", "teacher", "reference", "ylabel", "yhot", "onehot"}  # fmt: skip
PREDICTIONS = {"prediction", "predictions", "pred", "preds", "ypred", "yhat", "predicted", "output", "outputs", "logits", "scores", "x", "a", "al", "p", "probs", "out", "z", "o", "xhat", "probabilities", "estimate", "h", "yp"}  # fmt: skip
FLAGS = {"derivative", "deriv", "grad", "gradient", "prime", "derive", "backward", "isderivative"}
INNER = {"z", "zs", "weightedinput", "preactivation", "net", "zl"}  # what is handed over beside a = f(z)
LABEL = re.compile(r"y|ys|y_?(?:true|batch|train|\d)?|labels?|t|d|one_?hot|targets?", re.I)
LOSS_WORDS = (
    "loss", "entropy", "mse", "mae", "cost", "bce", "squarederror", "error", "huber", "hinge", "nll", "objective", "criterion",
)  # fmt: skip


@dataclass
class Loss:
    """value and gradient in one call, in the order (prediction, target), however they are written. `flipped`: theirs is the other."""

    name: str
    call: Callable[[np.ndarray, Any], tuple[Any, np.ndarray]]
    flipped: bool = False
    reduced: Callable[[Any], Any] = np.mean
    source: Any = None  # what to point at
    draws: bool = True  # whether it draws from np.random, as far as is known

    def __call__(self, prediction: np.ndarray, target: Any) -> tuple[Any, np.ndarray]:
        arguments = (target, prediction) if self.flipped else (prediction, target)
        if self.draws:
            with repeatable() as drawing:
                found = self.call(*arguments)
            self.draws = drawing.used
        else:
            found = self.call(*arguments)
        if not isinstance(found, tuple) or len(found) != 2:
            hint = ": does it end with `return`?" if found is None else ""
            raise ArrayTypeError(f"{self.name} returned {type(found).__name__}, expected (value, gradient){hint}")
        value, gradient = found
        return self.reduced(value) if np.ndim(value) else value, gradient

    def of_each(self, prediction: np.ndarray, target: Any) -> bool:
        """Whether its value is one for each example."""
        return np.ndim(self.call(*((target, prediction) if self.flipped else (prediction, target)))[0]) > 0

    @property
    def __name__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return self.name


def names_of(function: Callable) -> list[str]:
    return [plain(p.name) for p in parameters_of(function) if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]


def target_place(function: Callable) -> int | None:
    """Which of two arguments is the target, by their names; None if they do not say."""
    names = names_of(function)[:2]
    if len(names) < 2:
        return None
    first, second = names
    if second in TARGETS and not (first in TARGETS and (second in PREDICTIONS or (first != "y" and second == "y"))):
        return 1
    return 0 if first in TARGETS or second in PREDICTIONS else 1 if first in PREDICTIONS else None


def orders(function: Callable) -> tuple[bool, ...]:
    """Whether a loss takes the target first; both, if neither its arguments' names nor that of its gradient say."""
    names = [stem(p.name) for p in parameters_of(function)[:2]]
    told = [name in stems_of_gradient(returned_names(function, 2)[1]) for name in names]
    if sum(told) == 1 and len(names) == 2:  # `return J, dmu`
        return (told[1],)
    place = target_place(function)
    return (False,) if place == 1 else (True,) if place == 0 else (False, True)


def both_orders(name: str, calls: list[Callable], source: Callable) -> list[Loss]:
    """Losses of calls, in the orders of two arguments that `source` may mean."""
    return [Loss(name, call, flipped, source=source) for flipped in orders(source) for call in calls]


def is_target(name: str) -> bool:
    """Whether an argument of a net is what its output should be."""
    return bool(LABEL.fullmatch(name)) or plain(name) in TARGETS


def looks_like_loss(name: str) -> bool:
    return any(word in plain(name) for word in LOSS_WORDS)


def of_object(thing: Any) -> Iterator[Callable[[Any, Any], tuple[Any, Any]]]:
    """The calls (first, second) -> (value, gradient) of an object with a value and a derivative, or a forward and a backward."""
    values = [name for name in ("forward", *OF_METHODS[0]) if callable(getattr(thing, name, None))]
    slopes = [name for name in ("backward", *OF_METHODS[1]) if callable(getattr(thing, name, None))]
    for value in dict.fromkeys(values):
        if len(without_default(getattr(thing, value))) not in (2, 3):
            continue
        for slope in dict.fromkeys(slopes):
            if slope != value:
                names = [names_of(getattr(thing, name)) for name in (value, slope)]
                if len(names[0]) == 2 and len(names[1]) == 3 and names[1][0] in INNER and names[0][0] == names[1][1]:
                    yield from (through(thing, value, slope, f) for f in activations(thing))
                    continue
                if min(map(len, names)) >= 2 and names[0][0] != names[1][0]:
                    yield pair_of_methods(thing, value, slope, of_output=True)
                yield pair_of_methods(thing, value, slope)


def activations(thing: Any) -> Iterator[Callable]:
    """The functions that may stand between z and a: those of the file of an object, or else the usual ones."""
    file = vars(sys.modules[type(thing).__module__])
    named = (f for name, f in file.items() if re.fullmatch("sigmoid|sigma|logistic|softmax|tanh|relu", name))
    yield from list(filter(callable, named)) or (lambda z: 1 / (1 + np.exp(-z)), np.tanh, lambda z: z)


def through(thing: Any, value: str, slope: str, f: Callable) -> Callable:
    """A value of a = f(z) and its derivative in z, which is handed both: delta(z, a, y). The net may average what it gives."""
    averaged = [divisor(text_of(getattr(thing, name))) for name in (value, slope)]

    def call(z: Any, target: Any) -> tuple[Any, Any]:
        n = averaged[0](target) if averaged[0] and not averaged[1] else 1
        return getattr(thing, value)(f(z), target) * n, getattr(thing, slope)(z, f(z), target)

    return call


def divisor(text: str) -> Callable[[Any], int] | None:
    """The number of examples by which a text divides, of targets; None if by none."""
    if re.search(r"/\s*\(?\s*\w+\.shape\[1\]", text):
        return lambda target: target.shape[1]
    return len if re.search(r"/\s*\(?\s*(?:\w+\.shape\[0\]|len\()", text) else None


def averages(cls: type) -> bool:
    """Whether another method of a loss averages what its forward gives for each example."""
    texts = (text_of(method) for _, method in inspect.getmembers(cls, inspect.isfunction))
    return any(re.search(r"self\.(forward|loss|compute)\(", text) and "mean" in text for text in texts)


def pair_of_methods(thing: Any, value: str, slope: str, of_output: bool = False) -> Callable:
    """of_output: the derivative is handed what the value has kept as its output, such as a softmax, in place of the prediction."""

    def call(first: Any, second: Any) -> tuple[Any, Any]:
        fresh = duplicate(thing)
        found = getattr(fresh, value)(first, second)
        method = getattr(fresh, slope)
        above = dict.fromkeys(upstream_option(method), 1.7)
        needed, before = without_default(method), attributes(fresh)
        if of_output and (first := outcome(fresh, None, OUTPUTS, {})) is None:
            raise ArrayTypeError(f"{type(thing).__name__}.{value} keeps no output")
        if len(needed) >= 2:
            gradient = method(*([first] * (len(needed) - 1)), second, **above)
        else:
            gradient = method(*([1.0] * len(needed)), **above)
        if isinstance(gradient, tuple):
            gradient = next((g for g in gradient if hasattr(g, "shape")), None)
        return found * 1.7 if above else found, outcome(fresh, gradient, INPUT_GRADIENTS, before)

    return call


def of_functions(value: Callable, derivative: Callable) -> Callable:
    """A value and its derivative, two functions of the same two arguments."""

    def call(first: Any, second: Any) -> tuple[Any, Any]:
        order = names_of(value)[:2] == names_of(derivative)[:2][::-1]
        return value(first, second), derivative(*((second, first) if order else (first, second)))

    return call


def flagged(function: Callable) -> str | None:
    """The name of a flag that asks a function for its derivative, f(x, derivative=True)."""
    flags = (p.name for p in parameters_of(function) if plain(p.name) in FLAGS and p.default is False)
    return next(flags, None)


def with_flag(function: Callable, flag: str) -> tuple[Callable, Callable]:
    needed = [p for p in parameters_of(function) if p.name != flag]

    def derivative(*arguments: Any) -> Any:
        return function(*arguments, **{flag: True})

    def value(*arguments: Any) -> Any:
        return function(*arguments)

    for twin in (value, derivative):
        twin.__name__ = function.__name__
        twin.__signature__ = inspect.Signature(needed)
        twin.__wrapped__ = None
    return value, derivative


def is_loss(cls: type) -> bool:
    """Whether a class is rather a loss than a layer: its forward takes a prediction and a target."""
    name = method_of(cls, ("forward", *OF_METHODS[0][:-2]))
    names = names_of(inspect.unwrap(getattr(cls, name))) if name else []
    names = names[names[:1] == ["self"] :]
    return len(names) > 1 and bool(
        names[1] in TARGETS or names[0] in TARGETS - {"y", "a"} or looks_like_loss(cls.__name__)
    )
