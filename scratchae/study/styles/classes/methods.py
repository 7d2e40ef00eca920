"""The readings of a class whose values take several arguments, or whose gradients come in a form of its own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..functions.two import belongs, named_after, reductions
from ..objects.constructed import is_size
from ..objects.fresh import Objects
from ..objects.held import copies, held_by, is_float, left_by, same
from ..objects.paths import get, keys_of_gradient, short, walk
from ..readings.apart import apart, settings_of
from ..readings.returned import with_gradients
from ..readings.several import Arrays, Several, UnlikeError
from ..text.calls import method_of, parameters_of, required
from ..text.names import BACKWARD, FORWARD, IS_COST, SLOPES, VALUES, ZEROING
from ..text.written import keys_of, may_give_several, returns, text_of
from .steps import NOT_PLAIN, rates_of, taken_off


def by_methods(title: str, objects: Objects) -> Iterator[Several]:
    """The readings of a class: each of its values with each of its derivatives, and values that return their gradients. If its constructor
    takes arrays, they are arguments like those of the value."""
    cls, named = objects.cls, named_in(objects.cls)
    values, slopes = ([name for name in names if name in named] for names in (VALUES, SLOPES))
    pairs = [(value, None) for value in values if value not in slopes and may_give_several(getattr(cls, value))]
    pairs += [(value, slope) for value in values for slope in slopes if slope != value]
    yield from readings_of(title, objects, dict.fromkeys(pairs))


def of_slope(title: str, objects: Objects, slope: str) -> Iterator[Several]:
    """The readings of a method that gives gradients: with its value, as loss_and_grads; with those named after the same as it, or that take the
    same."""
    methods = {name: inspect.unwrap(getattr(objects.cls, name)) for name in named_in(objects.cls)}
    found = {name: named_after(name, slope) for name in methods if name != slope}
    by_name = [name for name, told in found.items() if told]
    values = by_name or [name for name in found if belongs(name, methods[name], slope, methods[slope])]
    alone = [(slope, None)] if IS_COST.search(slope) and may_give_several(methods[slope]) else []
    yield from readings_of(title, objects, [*alone, *((value, slope) for value in values)])


def with_terms(title: str, objects: Objects) -> Iterator[tuple[str, Several]]:
    """The readings of a layer whose backward may add the gradient of a number that one of its methods gives, such as a penalty of what went
    through; with that method's name."""
    pairs = [(value, slope) for value in FORWARD for slope in BACKWARD if {value, slope} <= {*named_in(objects.cls)}]
    for name in named_in(objects.cls):
        method = getattr(objects.cls, name)
        if inspect.isfunction(method) and len(required(method)) == 1 and returns(method) and name not in ZEROING:
            yield from ((name, adding(name, one, objects)) for one in readings_of(title, objects, pairs[:1]))


def adding(name: str, thing: Several, objects: Objects) -> Several:
    """A reading whose value is that of another, and beside it what a method gives for the same arguments."""
    value, data = thing.parts[0], [p.name for p in thing.parameters]

    def run(arguments: Arrays, upstream: Callable) -> tuple[list, list]:
        fresh = objects(arguments, data)
        getattr(fresh, value.__name__)(**{key: arguments[key] for key in data})
        term = getattr(fresh, name)()
        if np.ndim(term) or np.asarray(term).dtype.kind != "f":
            raise UnlikeError
        outputs, gradients = thing.run(arguments, upstream)
        return [*outputs, term], gradients

    return replace(thing, run=run)


def named_in(cls: type) -> list[str]:
    return [
        name for name in dir(cls) if callable(getattr(cls, name, None)) and (name == "__call__" or name[0] != "_")
    ]


def readings_of(title: str, objects: Objects, pairs: Collection[tuple[str, str | None]]) -> Iterator[Several]:
    cls, needed = objects.cls, required(objects.cls)
    takes_arrays = bool(pairs) and not objects.fixed and any(not is_size(p.name) for p in needed)
    takes_arrays = takes_arrays and not made_of_sizes(objects)
    ways = [objects, Objects(cls, needed=needed)] if takes_arrays else [objects]
    for value, slope in pairs:
        for reduced in reductions(value, getattr(cls, value)) if slope else (None,):
            yield from (reading(title, way, value, slope, reduced) for way in ways)


def made_of_sizes(objects: Objects) -> bool:
    """Whether a constructor that is handed sizes makes arrays of them."""
    try:
        return any(array.ndim for array in objects.held({}).values())
    except Exception:
        return False


class Context:
    """What a forward of static methods keeps for its backward."""

    def save_for_backward(self, *arrays: Any) -> None:
        self.saved = self.saved_tensors = self.saved_values = arrays


def reading(title: str, objects: Objects, value: str, slope: str | None, reduced: Callable | None = None) -> Several:
    """A reading of a value and what gives its gradients; slope: None if they come with it. reduced: what makes one number of the value."""
    cls, needed = objects.cls, objects.needed
    sources = [inspect.unwrap(getattr(cls, name)) for name in (value, slope) if name]
    called_with = required(getattr(cls, value))
    if not isinstance(inspect.getattr_static(cls, value), staticmethod):
        called_with = called_with[1:]
    if not called_with and slope and any(p.kind is p.VAR_POSITIONAL for p in parameters_of(sources[0])):
        called_with = of_any_number(sources[1])
    context = bool(called_with) and called_with[0].name == "ctx"  # as in torch.autograd.Function
    called_with = called_with[1:] if context else called_with
    steps = bool(slope) and not returns(sources[-1]) and not NOT_PLAIN.search(text_of(sources[-1]))
    rates = rates_of(sources[-1]) if steps else {}  # of a backward that only makes a step
    settings = tuple(p for p in settings_of(*sources) if p.name not in rates)
    calls_slope = bool(slope) and f".{slope}(" in text_of(sources[0])
    data = [p.name for p in called_with]

    def own(arguments: Arrays) -> Arrays:
        return {p.name: arguments[p.name] for p in (*called_with, *settings) if p.name in arguments}

    def run(arguments: Arrays, upstream: Callable) -> tuple[list, list]:
        fresh = objects(arguments, data)
        before = copies(fresh)
        method, other = getattr(fresh, value), getattr(fresh, slope or value)
        if context:
            ctx = Context()
            method, other = functools.partial(method, ctx), functools.partial(other, ctx)
        if slope is None:
            return with_gradients(method(**own(arguments)), sources[0], upstream)
        held = held_by(fresh) if rates else {}
        outputs, found = apart(method, other, own(arguments) | rates, upstream, reduced)
        if needed and len(found) == len(data) == 1 and not found[0][0].isidentifier():
            found = [(data[0], found[0][1])]  # of what the value is handed, and not of what the object is made with
        if calls_slope and any(
            name in arguments and not same(one, arguments[name]) for name, (_, one) in held_by(fresh).items()
        ):
            raise UnlikeError  # it is a step, which asks for the gradients itself
        if rates:
            return outputs, [(name, change) for name, change in taken_off(fresh, held) if np.any(change)]
        return outputs, [*found, *left_by(fresh, before, {p.name: arguments[p.name] for p in needed})]

    def twice(arguments: Arrays, upstream: Callable) -> tuple[list[str], list[str]]:
        """Of the gradients that an object holds as zeros: those that a second step is added to, and those that it sets anew."""
        fresh, steps = objects(arguments, data), []
        zeros = [
            path for path, array in walk(fresh) if keys_of_gradient(path) and is_float(array) and not np.any(array)
        ]
        for _ in range(2):
            apart(getattr(fresh, value), getattr(fresh, slope), own(arguments), upstream)
            steps.append({path: np.array(get(fresh, path)) for path in zeros})
        moved = [path for path in zeros if np.any(steps[0][path])]
        ways = [[short(p) for p in moved if np.allclose(steps[1][p], k * steps[0][p], rtol=1e-9)] for k in (2, 1)]
        return ways[0], ways[1]

    return objects.reading(
        title, run, [*called_with, *needed], sources, keys=keys_of(sources, data), settings=settings,
        held=lambda arguments: objects.held(arguments, data),
        twice=twice if slope and not needed and method_of(cls, ZEROING) else None,
        descends=bool(rates), of_each=reduced is not None,
        sized=() if needed or objects.fixed else tuple(p.name for p in required(cls)),
    )  # fmt: skip


def of_any_number(slope: Callable) -> list[inspect.Parameter]:
    """The arguments of a value that takes any number, forward(*xs): those of its gradients, or two arrays."""
    asked = [p for p in required(slope) if p.name != "self"]
    if len(asked) > 1:
        return asked
    return [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("x1", "x2")]
