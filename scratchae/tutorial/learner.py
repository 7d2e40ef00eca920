"""Loads a learner's file, and finds the layers and losses to check in it and their inputs.

Every class with `forward` and `backward` is checked, or the instances of it that the file makes, and every loss
`(prediction, target) -> (value, gradient)` and penalty `(z) -> (value, gradient)`. Inputs are random numbers. If the file has
an array with the name of an argument (x, prediction, target, z), that array is used instead.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import OptionError

SIZES = (3, 4, 5, 2)  # the arguments for a constructor, one after the other, unless the file makes an instance
SHAPES = ((5, 3), (5, 4), (5, 6), (4, 5, 6, 3), (4, 5, 6, 1), (4, 6, 3))  # shapes of x, tried in this order


@dataclass(frozen=True)
class Subject:
    """Something to check: its name in the file, the object, and inputs for it."""

    name: str
    value: Any
    inputs: tuple[tuple[np.ndarray, ...], ...]  # candidates: the first that it accepts is used


class NotCheckableError(Exception):
    """The file has nothing to check, or a class that cannot be instantiated; the message says what to write."""


def load(path: Path) -> ModuleType:
    """The file as a module, as `python FILE` would load it: it can import the files beside it."""
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(f"_learner_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise OptionError(f"check: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def subjects(module: ModuleType) -> Iterator[Subject]:
    """Everything in the file that can be checked. Raises NotCheckableError if there is nothing."""
    own = [value for value in vars(module).values() if inspect.isclass(value) and value.__module__ == module.__name__]
    layers = [
        cls for cls in own if is_layer(cls) and not any(issubclass(other, cls) for other in own if other is not cls)
    ]
    losses = [cls for cls in own if not is_layer(cls) and "__call__" in vars(cls)]
    made = {name: value for name, value in vars(module).items() if type(value) in layers + losses}
    found = 0
    for cls in layers + losses:
        instances = {name: value for name, value in made.items() if type(value) is cls} or {"": construct(cls)}
        for name, value in instances.items():
            found += 1
            yield subject(f"{cls.__name__} ({name})" if name else cls.__name__, value, module)
    for name, value in vars(module).items():
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_"):
            inputs = function_inputs(module, value)
            if inputs and (is_loss(value) or returns_gradients(value, inputs[0])):
                found += 1
                yield Subject(name, value, inputs)
    if not found:
        raise NotCheckableError(
            "nothing to check: write a class with `forward(self, x)` and `backward(self, dy)`, or a loss "
            "`def loss(prediction, target)` that returns (value, gradient)"
        )


def subject(name: str, value: Any, module: ModuleType) -> Subject:
    """A layer, loss or penalty with the inputs to check it on."""
    return Subject(name, value, layer_inputs(module) if is_layer(value) else function_inputs(module, value))


def is_layer(value: Any) -> bool:
    return callable(getattr(value, "forward", None)) and callable(getattr(value, "backward", None))


def construct(cls: type) -> Any:
    """An instance of a class, with the sizes 3, 4, … as arguments of the constructor."""
    needed = required(cls)
    arguments = []
    for parameter, size in zip(needed, SIZES, strict=False):
        fraction = parameter.annotation in (float, "float") or parameter.name in (
            "rate",
            "slope",
            "std",
            "momentum",
            "weight",
        )
        arguments.append(0.4 if fraction else size)
    try:
        return cls(*arguments)
    except NotImplementedError:
        raise
    except Exception as error:
        if not needed:
            raise
        call = f"{cls.__name__}({', '.join(map(str, arguments))})"
        raise NotCheckableError(
            f"{call} raised {type(error).__name__}: {error}. Make an instance for the check to use: in the file "
            f"`layer = {cls.__name__}(…)` and an input `x = …` for it, or in Python check({cls.__name__}(…), x)"
        ) from error


def required(function: Callable) -> list[inspect.Parameter]:
    """The positional parameters without a default."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return [p for p in parameters if p.kind in kinds and p.default is inspect.Parameter.empty]


def layer_inputs(module: ModuleType) -> tuple[tuple[np.ndarray, ...], ...]:
    given = getattr(module, "x", None)
    if isinstance(given, np.ndarray):
        return ((given.astype(np.float64),),)
    return tuple((drawn(shape),) for shape in SHAPES)


def drawn(shape: tuple[int, ...]) -> np.ndarray:
    """Random numbers of both signs, none within a step of 0, where many functions have a corner."""
    x = np.random.default_rng(0).standard_normal(shape)
    return x + 0.05 * np.sign(x)


def is_loss(function: Callable) -> bool:
    names = [parameter.name for parameter in required(function)]
    return len(names) == 2 and names[1] in ("target", "targets", "t")


def function_inputs(module: ModuleType, function: Callable) -> tuple[tuple[np.ndarray, ...], ...]:
    """Inputs for a loss (two arguments, both in (0, 1)) or a penalty (one argument); empty if it has other arguments."""
    names = [parameter.name for parameter in required(function)]
    if len(names) not in (1, 2):
        return ()
    rng = np.random.default_rng(0)
    arguments = []
    for name in names:
        given = getattr(module, name, None)
        arguments.append(
            given.astype(np.float64) if isinstance(given, np.ndarray) else rng.uniform(0.05, 0.95, (5, 3))
        )
    return (tuple(arguments),)


def returns_gradients(function: Callable, inputs: tuple[np.ndarray, ...]) -> bool:
    """Whether it returns (number, array like the first input, …). Otherwise it is a helper function and is not checked."""
    try:
        found = function(*(array.copy() for array in inputs))
    except NotImplementedError:
        return True
    except Exception:
        return False
    pair = isinstance(found, tuple) and 2 <= len(found) <= 1 + len(inputs) and np.ndim(found[0]) == 0
    return pair and all(np.shape(gradient) == inputs[0].shape for gradient in found[1:])
