"""How each thing that a learner's file may hold is checked: read in every way that its writing allows, right if it is right in one."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial, partialmethod
from typing import Any

import numpy as np

from ..errors import OptionError
from ..study.styles import losses
from ..study.styles.functions.three import cached
from ..study.styles.layers.joined import joined
from ..study.styles.objects.constructed import constructed
from ..study.styles.objects.copies import duplicate, repeatable
from ..study.styles.objects.stacks import layers_in, of_given
from ..study.styles.readings.apart import settings_of
from ..study.styles.text.calls import method_of, parameters_of, required
from ..study.styles.text.names import OF_METHODS, is_upstream
from ..study.trials import engines, first, fitting, functions, layers, optimizers, plan
from ..study.trials.inputs import candidates, drawn
from ..study.trials.result import RIGHT, UNUSABLE, WRONG, Result
from .objects import NotCheckableError, array_of, instance, of_arrays, of_tuples, varied


def check_layer(name: str, value: Any, cls: type, others: type | None, file: Mapping[str, Any]) -> Result:
    arrays = [] if value is not None else [p.name for p in required(cls) if fitting.WEIGHTS.fullmatch(p.name)]
    found = [*of_arrays(name, cls, file)] if arrays else []
    if found:  # where a number would do, such as W = 3, it would hide a transpose
        return functions.best(iter(found))
    try:
        result = layers.examine(name, instance(cls, value), given=array_of(file, "x"), cls=others)
    except NotImplementedError:
        raise
    except Exception as error:
        if value is not None or not required(cls):
            raise
        result = Result(UNUSABLE, "", error=error)
    if value is None and result.code == UNUSABLE and required(cls):
        return functions.best(itertools.chain(of_tuples(name, cls, file), of_arrays(name, cls, file), [result]))
    if result.code == WRONG and of_columns(instance(cls, value), result):
        of_means = of_mean(layers.examine(name, instance(cls, value), given=array_of(file, "x"), averaged=True))
        result = of_means if of_means.code == RIGHT else result
    if result.code == WRONG and array_of(file, "x") is None:
        result = for_one_example(name, instance(cls, value), result, others)
    if result.code == WRONG and value is None and not of_right_layers(instance(cls, None)):
        raise NotCheckableError(
            f"{name}: it was made of layers of the file, and not all of these are right by themselves"
        )
    return with_update(name, result)


def of_right_layers(net: Any) -> bool:
    """Whether what may be a net of layers that were put into it is one of right layers, so that what is wrong is its own."""
    return not of_given(type(net)) or all(layers.examine("", one).code == RIGHT for one in layers_in(net))


def of_columns(value: Any, result: Result) -> bool:
    """Whether the examples are the columns of x, and no more is wrong than the gradients of the parameters, which may be averaged."""
    checks = {check.name: check for check in result.report.checks} if result.report else {}
    if "x" not in checks or not checks["x"].passed or checks["x"].analytic.ndim != 2:
        return False
    n, m = checks["x"].analytic.shape
    return m > 1 and plan.takes(value, drawn((n + 1, m))) is not None and plan.takes(value, drawn((n, m + 1))) is None


def for_one_example(name: str, value: Any, result: Result, others: type | None) -> Result:
    """A layer that is wrong for several examples: right if it is meant for one, as a vector or as a column, and is right for that."""
    for words, x in first.meant(value, result):
        other = layers.examine(name, value, given=x, cls=others, alone=len(x) == 1)
        if other.code == RIGHT:
            other.tried.only.append(f"for one example, as x with {words}")
            return other
    return result


def with_update(name: str, result: Result) -> Result:
    """A right layer that updates itself: wrong if its update is."""
    step = optimizers.of_layer(name, result.layer) if result.code == RIGHT else None
    if step is None or step.code != WRONG:
        return result
    return replace(step, where="in its gradients right, and in its update not", tried=result.tried)


def with_options(
    check: Callable[..., Result], name: str, value: Any, cls: type, others: type | None, file: Mapping[str, Any]
) -> Result:
    """A check of a loss or an activation as a class; if it is right, also with other options of the constructor."""
    return varied(check(name, value, cls, others, file), cls if others is not None else None, lambda **options: check(
        name, constructed(cls, **options).value, cls, None, file
    ))  # fmt: skip


def check_activation(name: str, value: Any, cls: type, others: type | None, file: Mapping[str, Any]) -> Result:
    """A class with f and f′ as methods; or with f and what multiplies by ∂L/∂y itself, gradient(self, upstream), as a layer does."""
    thing = instance(cls, value)
    f, slope = getattr(thing, method_of(thing, OF_METHODS[0])), getattr(thing, method_of(thing, OF_METHODS[1]))
    asked = [p.name for p in required(slope)]
    upstream = len(asked) == 1 and is_upstream(asked[0])
    layer = as_layer(name, value, cls, others, file) if upstream else None
    if layer is not None and layer.code == RIGHT:
        return layer
    pair = check_pair(name, f, slope, file)
    if pair.code != WRONG or len(asked) != 1:
        return pair
    layer = layer or as_layer(name, value, cls, others, file)
    return layer if layer.code == RIGHT or (upstream and layer.code == WRONG) else pair


def as_layer(name: str, *given: Any) -> Result:
    """What may be a layer: what its check raises is no answer."""
    try:
        return check_layer(name, *given)
    except NotImplementedError:
        raise
    except Exception as error:
        return Result(UNUSABLE, "", error=error)


def check_pair(name: str, value: Callable, derivative: Callable, file: Mapping[str, Any]) -> Result:
    """Two functions as a layer, with the options that both know of."""

    def check(**options: Any) -> Result:
        alone = bool(options) and cached(value)  # a layer of several arrays takes longer
        return check_one_pair(name, *both_with(value, derivative, options), file, alone)

    return varied(check(), value if inspect.isroutine(value) else None, check)


def both_with(value: Callable, derivative: Callable, options: Mapping[str, Any]) -> tuple[Callable, Callable]:
    """Two functions with options set, of which the second is told too, or has them in its cache."""
    theirs = {p.name for p in parameters_of(derivative)}
    if not options.keys() <= ({p.name for p in settings_of(value, derivative)} if cached(value) else theirs):
        raise OptionError("one of the two does not take it")
    return with_set(value, options), with_set(derivative, {k: v for k, v in options.items() if k in theirs})


def check_one_pair(
    name: str, value: Callable, derivative: Callable, file: Mapping[str, Any], alone: bool = False
) -> Result:
    """Two functions as a layer, read in every way that fits: right if one of them is. alone: on one x only."""

    def results() -> Iterator[Result]:
        count = 0
        given = array_of(file, "x")
        for x in ([given] if given is not None else []) + [*candidates()]:
            for layer in sorted(joined(value, derivative, x, file), key=hides):
                if count and hides(layer):
                    break
                if plan.takes(layer, x) is None and plan.fits(layer, x):
                    count += 1
                    result = layers.examine(name, layer, given=first.several_columns(layer, x), alone=alone)
                    if result.code == WRONG and x.ndim == 2:
                        averaged = of_mean(layers.examine(name, layer.averaged(), given=x))
                        if averaged.code == RIGHT or (averaged.where and not result.where):
                            yield averaged
                    yield result
            if count:
                return
        for x in candidates():
            for layer in joined(value, derivative, x, file):
                yield layers.examine(name, layer, given=x)
                return
        text = f"{name}: no input was found that it takes: give it an array `x = …` in the file"
        yield Result(UNUSABLE, "", error=NotCheckableError(text))

    return functions.best(results())


def of_mean(result: Result) -> Result:
    """A result of gradients that are averaged over the columns, with what it holds for."""
    result.tried.only.append(
        "for a dy without the 1/m of a mean over the m columns: that is in the gradients of the parameters"
    )
    return result


def hides(layer: Any) -> bool:
    """Whether an array among its arguments holds one number, which hides sums and transposes."""
    return any(isinstance(value, np.ndarray | np.floating) and value.size == 1 for value in vars(layer).values())


def check_engine(name: str, value: Any, cls: type, others: type | None, file: Mapping[str, Any]) -> Result:
    """An engine of automatic differentiation."""
    functions = {n: f for n, f in file.items() if inspect.isfunction(f) and f.__module__ == cls.__module__}
    return engines.examine(cls.__name__, cls, functions)


def check_optimizer(name: str, value: Any, cls: type, others: type | None, file: Mapping[str, Any]) -> Result:
    try:
        made = instance(cls, value)
    except NotCheckableError:
        made = None  # it is given its parameters when it is made
    return optimizers.examine(cls.__name__, made, cls)


def check_loss_class(name: str, value: Any, cls: type, others: type | None, file: Mapping[str, Any]) -> Result:
    thing = instance(cls, value)
    method = getattr(thing, method_of(thing, ("forward", *OF_METHODS[0])))

    def check(**options: Any) -> Result:
        one = told(thing, options)
        calls = list(losses.of_object(one)) or ([one] if callable(one) else [])
        if not calls:
            raise NotCheckableError(
                f"{name} has a value, but no derivative was found: give it a method `backward(self)` that returns the gradient in the prediction"
            )
        return read(losses.both_orders(name, calls, method), method, file, losses.averages(cls))

    return varied(check(), method if others is not None else None, check)


def told(thing: Any, options: Mapping[str, Any]) -> Any:
    """An object whose methods are handed those of the options that they take."""
    cls, methods = type(thing), {}
    for name in {"forward", *OF_METHODS[0], "backward", *OF_METHODS[1]} & {*dir(cls)} if options else ():
        theirs = {p.name for p in parameters_of(getattr(cls, name))} & options.keys()
        if theirs:
            methods[name] = partialmethod(getattr(cls, name), **{key: options[key] for key in theirs})
    twin = duplicate(thing)
    if methods:
        twin.__class__ = type(cls.__name__, (cls,), methods | {"__module__": cls.__module__})
    return twin


def read(found: list[losses.Loss], method: Callable, file: Mapping[str, Any], averaged: bool = False) -> Result:
    """averaged: the values of the examples are averaged, and not summed."""
    return functions.best(
        functions.examine(loss, 2, given_inputs(loss, method, file))
        for loss in (found if averaged else functions.readings(found))
    )


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
    """A loss (prediction, target) or a penalty (z) that returns its value and gradients, with its options."""

    def check(**options: Any) -> Result:
        return check_one_function(name, with_set(function, options), file)

    return varied(check(), function if inspect.isfunction(function) else None, check)


def with_set(function: Callable, options: Mapping[str, Any]) -> Callable:
    """A function with some of its options set."""
    if not options:
        return function
    twin = partial(function, **options)
    twin.source, twin.__name__ = function, function.__name__
    return twin


def check_one_function(name: str, function: Callable, file: Mapping[str, Any]) -> Result:
    needed = required(function)
    if len(needed) == 2 and not gives_two(function, file):
        return read(losses.both_orders(name, [function], function), function, file)
    arrays = [array_of(file, p.name) for p in needed]
    given = None if any(array is None for array in arrays) else tuple(array.astype(np.float64) for array in arrays)
    return functions.examine(function, len(needed), given, alike=len(needed) == 2)


def gives_two(function: Callable, file: Mapping[str, Any]) -> bool:
    """Whether it returns a gradient for each of two arguments, as a divergence of μ and log σ² does."""
    found = returned(function, 2, file)
    return isinstance(found, tuple) and len(found) == 3


def gives_no_value(found: Any) -> bool:
    """Whether what a function gave is an array, or what it has trained, as fit(X, y) -> W, b or W, history, and no value with gradients."""
    if not isinstance(found, tuple) or len(found) < 2:
        return hasattr(found, "shape") and np.ndim(found) > 0
    return isinstance(found[-1], list | dict) or np.ndim(found[0]) > np.ndim(found[1])


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


def check_two(name: str, value: Callable, derivative: Callable, file: Mapping[str, Any]) -> Result:
    """A value and its derivative: of a loss, if the value is a number for two arguments; else a layer."""
    count = len(required(value))
    a_loss = losses.target_place(value) is not None or losses.looks_like_loss(name)
    if count == 2 and a_loss and len(required(derivative)) == 2:
        found = returned(value, 2, file)
        if found is not None and not isinstance(found, tuple):

            def check(**options: Any) -> Result:
                call = losses.of_functions(*both_with(value, derivative, options))
                return read(losses.both_orders(name, [call], value), value, file)

            return varied(check(), value if inspect.isfunction(value) else None, check)
    found = returned(value, 1, file) if count == 1 else None
    if found is not None and not isinstance(found, tuple) and np.ndim(found) == 0:

        def penalty(z):
            return value(z), derivative(z)

        penalty.__name__, penalty.source = name, value
        return functions.examine(penalty, 1)
    return check_pair(name, value, derivative, file)
