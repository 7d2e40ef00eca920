"""Loads a learner's file, and finds what can be checked in it.

Checked are every class with a forward and a backward, or the instances of it that the file makes; losses and penalties, as functions,
classes or two functions that belong together; optimizers; and models of the library. Inputs are random numbers. If the file
has an array with the name of an argument (x, prediction, target, z), that array is used too.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import OptionError
from ..models import Model
from ..optimizers import Optimizer
from ..study.styles import losses
from ..study.styles.calls import BACKWARD, FORWARD, method_of, parameters_of
from ..study.styles.copies import repeatable
from ..study.styles.joined import OF_METHODS, joined, partner
from ..study.styles.names import plain
from ..study.styles.updating import UPDATE
from ..study.trials import functions, layers, models, optimizers
from ..study.trials.inputs import candidates, constructed, required
from ..study.trials.result import UNUSABLE, Result

HOW = """nothing to check: write a class with `forward(self, x)` and `backward(self, dy)`, or a loss `def loss(prediction, target)` that returns (value, gradient), or an optimizer with `update(self, parameters, gradient)`. The shortest that works:
    class Twice:
        def forward(self, x): return 2 * x
        def backward(self, dy): return 2 * dy"""


@dataclass(frozen=True)
class Subject:
    """Something to check: its name in the file, what to point at in messages, and the check."""

    name: str
    value: Any
    check: Callable[[], Result]


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


def subjects(module: ModuleType) -> list[Subject]:
    """Everything in the file that can be checked. Raises NotCheckableError if there is nothing."""
    found = [*of_classes(module), *of_functions(module), *of_models(module)]
    if not found:
        raise NotCheckableError(HOW)
    return found


def own(module: ModuleType, kind: Callable[[Any], bool]) -> dict[str, Any]:
    """What the file itself defines, without what begins with an underscore."""
    return {
        name: value
        for name, value in vars(module).items()
        if kind(value) and getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
    }


def of_classes(module: ModuleType) -> Iterator[Subject]:
    classes = list(dict.fromkeys(own(module, inspect.isclass).values()))
    classes = [c for c in classes if not any(issubclass(other, c) for other in classes if other is not c)]
    for cls in classes:
        if issubclass(cls, Model):
            continue
        check = check_of(cls)
        if check is None:
            continue
        made = {name: value for name, value in vars(module).items() if type(value) is cls}
        for i, (name, value) in enumerate((made or {"": None}).items()):
            title = f"{cls.__name__} ({name})" if name else cls.__name__
            others = cls if i == 0 else None  # of several instances, one is enough to try the class with other options
            yield Subject(title, cls if value is None else value, lambda v=value, c=cls, k=check, o=others, t=title: k(t, v, c, o, vars(module)))


def check_of(cls: type) -> Callable[..., Result] | None:
    """How objects of a class are checked; None if it is nothing that can be."""
    if losses.of_class(cls):
        return check_loss_class
    if is_layer(cls):
        return check_layer
    if method_of(cls, UPDATE[:-1]) and (issubclass(cls, Optimizer) or takes_gradients(cls)):
        return check_optimizer
    value, slope = method_of(cls, OF_METHODS[0]), method_of(cls, OF_METHODS[1])
    if value and slope:
        return check_activation if len(required(getattr(cls, value))) <= 2 else check_loss_class
    return check_function_class if "__call__" in vars(cls) else None


def is_layer(value: Any) -> bool:
    return bool(method_of(value, FORWARD) and method_of(value, BACKWARD))


def takes_gradients(cls: type) -> bool:
    """Whether a class is an optimizer: its update takes gradients, or its name or constructor tells of a learning rate."""
    names = [plain(p.name) for p in parameters_of(getattr(cls, method_of(cls, UPDATE[:-1])))[1:]]
    told = any(name.startswith(("grad", "dw", "dp", "dtheta")) or name in ("g", "layer", "layers", "model", "network") for name in names)
    made = [plain(p.name) for p in parameters_of(cls)]
    return told or any(name in optimizers.SETTINGS["lr"] for name in made)


def instance(cls: type, value: Any) -> Any:
    """The object to check: that of the file, or a new one."""
    return construct(cls) if value is None else value


def construct(cls: type) -> Any:
    """An instance of a class, with the sizes 3, 4, … as arguments of the constructor."""
    try:
        return constructed(cls).value
    except NotImplementedError:
        raise
    except Exception as error:
        if not required(cls):
            raise
        call = f"{cls.__name__}({', '.join(p.name for p in required(cls))})"
        raise NotCheckableError(
            f"{call} with sizes such as 3 and 4 raised {type(error).__name__}: {error}. Make an instance for the check to use: in the file "
            f"`layer = {cls.__name__}(…)` and an input `x = …` for it, or in Python check({cls.__name__}(…), x)"
        ) from error


def check_layer(name: str, value: Any, cls: type, others: type | None, file: Mapping[str, Any]) -> Result:
    return layers.examine(name, instance(cls, value), given=array_of(file, "x"), cls=others)


def array_of(file: Mapping[str, Any], *names: str) -> np.ndarray | None:
    """The array, or the list of numbers, that the file has under one of these names."""
    for name in names:
        given = file.get(name)
        if isinstance(given, list):
            try:
                given = np.array(given)
            except ValueError:
                continue
        if isinstance(given, np.ndarray) and given.dtype.kind in "fiub" and given.size and given.ndim:
            return given.astype(np.float64) if given.dtype.kind == "f" else given
    return None


def check_activation(name: str, value: Any, cls: type, others: type | None, file: Mapping[str, Any]) -> Result:
    """A class with f and f′ as methods."""
    thing = instance(cls, value)
    f, slope = getattr(thing, method_of(thing, OF_METHODS[0])), getattr(thing, method_of(thing, OF_METHODS[1]))
    return check_pair(name, f, slope, file)


def check_pair(name: str, value: Callable, derivative: Callable, file: Mapping[str, Any]) -> Result:
    """Two functions as a layer, read in every way that fits: right if one of them is."""
    def results() -> Iterator[Result]:
        count = 0
        given = array_of(file, "x")
        for x in ([given] if given is not None else []) + [*candidates()]:
            for layer in joined(value, derivative, x, file):
                if layers.takes(layer, x) is None and layers.fits(layer, x):
                    count += 1
                    yield layers.examine(name, layer, given=x)
            if count:
                return
        for x in candidates():
            for layer in joined(value, derivative, x, file):
                yield layers.examine(name, layer, given=x)
                return
        yield Result(UNUSABLE, "", error=NotCheckableError(f"{name}: no input was found that it takes: give it an array `x = …` in the file"))

    return functions.best(results())


def check_optimizer(name: str, value: Any, cls: type, others: type | None, file: Mapping[str, Any]) -> Result:
    try:
        made = instance(cls, value)
    except NotCheckableError:
        made = None  # it is given its parameters when it is made
    return optimizers.examine(cls.__name__, made, cls)


def check_loss_class(name: str, value: Any, cls: type, others: type | None, file: Mapping[str, Any]) -> Result:
    thing = instance(cls, value)
    method = getattr(thing, method_of(thing, ("forward", *OF_METHODS[0])))
    calls = list(losses.of_object(thing))
    if not calls and callable(thing):
        calls = [thing]
    if not calls:
        raise NotCheckableError(
            f"{name} has a value, but no derivative was found: give it a method `backward(self)` that returns the gradient in the prediction"
        )
    return read([losses.Loss(name, call, flipped, source=method) for flipped in orders(method) for call in calls], method, file)


def orders(function: Callable) -> tuple[bool, ...]:
    """Whether a loss takes the target first; both, if the names of its arguments do not say."""
    place = losses.target_place(function)
    return (False,) if place == 1 else (True,) if place == 0 else (False, True)


def read(found: list[losses.Loss], method: Callable, file: Mapping[str, Any]) -> Result:
    return functions.best(functions.examine(loss, 2, given_inputs(loss, method, file)) for loss in functions.readings(found))


def given_inputs(loss: losses.Loss, method: Callable, file: Mapping[str, Any]) -> tuple[np.ndarray, ...] | None:
    """The arrays that the file has under the names of both arguments."""
    names = [p.name for p in parameters_of(method)][:2]
    arrays = [array_of(file, name) for name in names]
    if any(array is None for array in arrays):
        return None
    prediction, target = arrays[::-1] if loss.flipped else arrays
    return prediction.astype(np.float64), target


def check_function_class(name: str, value: Any, cls: type, others: type | None, file: Mapping[str, Any]) -> Result:
    """A loss or penalty whose objects are called."""
    return check_function(name, instance(cls, value), file)


def check_function(name: str, function: Callable, file: Mapping[str, Any]) -> Result:
    """A loss (prediction, target) or a penalty (z) that returns its value and gradients."""
    needed = required(function)
    if len(needed) == 2 and not gives_two(function, file):
        return read([losses.Loss(name, function, flipped, source=function) for flipped in orders(function)], function, file)
    arrays = [array_of(file, p.name) for p in needed]
    given = tuple(array.astype(np.float64) for array in arrays) if all(array is not None for array in arrays) else None
    return functions.examine(function, len(needed), given, alike=len(needed) == 2)


def gives_two(function: Callable, file: Mapping[str, Any]) -> bool:
    """Whether it returns a gradient for each of two arguments, as a divergence of μ and log σ² does."""
    found = returned(function, 2, file)
    return isinstance(found, tuple) and len(found) == 3


def returned(function: Callable, arguments: int, file: Mapping[str, Any]) -> Any:
    """What a function returns for the first inputs that it takes; None if it takes none."""
    arrays = [array_of(file, p.name) for p in required(function)]
    own = [tuple(arrays)] if all(array is not None for array in arrays) else []
    drawn = [draw.inputs for draw in functions.draws(arguments, None, "clip") if draw.aspect == "first"]
    for inputs in own + drawn + [pair[::-1] for pair in drawn]:
        try:
            with repeatable(), np.errstate(all="ignore"):
                return function(*(array.copy() for array in inputs))
        except NotImplementedError:
            raise
        except Exception:
            continue
    return None


def of_functions(module: ModuleType) -> Iterator[Subject]:
    file, used = vars(module), set()
    all_own = own(module, inspect.isfunction)
    for name, value in all_own.items():
        if slope := partner(name, all_own):
            used |= {name, slope}
            yield Subject(name, value, lambda n=name, v=value, s=all_own[slope]: check_two(n, v, s, file))
    for name, value in all_own.items():
        if name in used:
            continue
        if flag := losses.flagged(value):
            used.add(name)
            yield Subject(name, value, lambda n=name, v=losses.with_flag(value, flag): check_two(n, *v, file))
        elif len(required(value)) in (1, 2) and is_function_to_check(name, value, file):
            yield Subject(name, value, lambda n=name, v=value: check_function(n, v, file))
        elif is_update(value):
            yield Subject(name, value, lambda n=name, v=value: optimizers.examine(n, v, None))


def is_update(function: Callable) -> bool:
    """Whether it is an optimizer as a function: (w, dw, config) -> (w, config)."""
    names = [plain(p.name) for p in parameters_of(function)]
    return len(names) >= 3 and names[0] in ("w", "p", "x", "theta", "param", "params", "parameters", "weights") and names[1].startswith(("d", "g")) and any(
        name in ("config", "lr", "learningrate", "state") for name in names[2:]
    )


def check_two(name: str, value: Callable, derivative: Callable, file: Mapping[str, Any]) -> Result:
    """A value and its derivative: of a loss, if the value is a number for two arguments; else a layer."""
    count = len(required(value))
    if count == 2 and (losses.target_place(value) is not None or losses.looks_like_loss(name)) and len(required(derivative)) == 2:
        found = returned(value, 2, file)
        if found is not None and not isinstance(found, tuple):
            call = losses.of_functions(value, derivative)
            return read([losses.Loss(name, call, flipped, source=value) for flipped in orders(value)], value, file)
    if count == 1 and np.ndim(returned(value, 1, file)) == 0 and not isinstance(returned(value, 1, file), tuple) and returned(value, 1, file) is not None:
        def penalty(z):
            return value(z), derivative(z)

        penalty.__name__, penalty.source = name, value
        return functions.examine(penalty, 1)
    return check_pair(name, value, derivative, file)


def is_function_to_check(name: str, function: Callable, file: Mapping[str, Any]) -> bool:
    """Whether it is a loss or penalty. Otherwise it is a helper function and is not checked."""
    needed = required(function)
    if len(needed) == 2 and losses.target_place(function) is not None and (losses.looks_like_loss(name) or plain(needed[1].name) in ("target", "targets", "t")):
        return True
    try:
        found = returned(function, len(needed), file)
    except NotImplementedError:
        return len(needed) == 1 or losses.target_place(function) is not None
    pair = isinstance(found, tuple) and 2 <= len(found) <= 1 + len(needed) and np.ndim(found[0]) == 0
    return pair and hasattr(found[1], "shape") and np.ndim(found[1]) > 0


def of_models(module: ModuleType) -> Iterator[Subject]:
    """Models of the library, made in the file or of a class of it."""
    classes = [c for c in own(module, inspect.isclass).values() if issubclass(c, Model)]
    made = {name: value for name, value in vars(module).items() if isinstance(value, Model) and type(value) in classes}
    for cls in classes:
        instances = {name: value for name, value in made.items() if type(value) is cls}
        for name, value in (instances or {"": None}).items():
            title = f"{cls.__name__} ({name})" if name else cls.__name__
            yield Subject(title, cls if value is None else value, lambda v=value, c=cls, t=title: models.examine(t, v, c, array_of(vars(module), "x")))


def subject(name: str, value: Any, inputs: tuple[np.ndarray, ...]) -> Subject:
    """A layer, loss, penalty or optimizer of a notebook, with the inputs to check it on, if there are any."""
    cls = value if inspect.isclass(value) else type(value)
    file = dict(zip(("x",) if is_layer(value) else [p.name for p in required(value)] if callable(value) else (), inputs, strict=False))
    if inspect.isfunction(value) and len(required(value)) in (1, 2):
        return Subject(name, value, lambda: check_function(name, value, file))
    check = None if inspect.isfunction(value) else check_of(cls)
    if check is None:
        raise NotCheckableError(
            f"{name}: there is nothing to compare. A layer has forward(x) and backward(dy); a loss (prediction, target), or a "
            "penalty (z), returns (value, gradient)"
        )
    made = None if inspect.isclass(value) else value
    if inputs and check is check_layer:
        return Subject(name, value, lambda: layers.examine(name, instance(cls, made), given=inputs[0], alone=True))
    return Subject(name, value, lambda: check(name, made, cls, None if inputs else cls, file))
