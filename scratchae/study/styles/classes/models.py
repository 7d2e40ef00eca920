"""The readings of a method that gives the gradients of a whole model, or makes a step with them.

def loss_and_grads(self, x): return loss, grads            its value comes with it
def cost(self, x) and def gradients(self, x)               another method gives the value
def forward(self, x), def loss(self), def backward(self)   the object keeps what its forward made
def train_step(self, x): self.W -= self.lr * dW            what it takes off, divided by the rate
"""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..losses import PREDICTIONS, TARGETS
from ..objects.constructed import is_size
from ..objects.copies import duplicate, repeatable
from ..objects.held import held_by, labels, left_by
from ..objects.paths import put, walk
from ..readings.returned import (
    IS_GRADIENT,
    are_arrays,
    base_of,
    is_number,
    labelled,
    names_in,
    nested_names,
    returned_nodes,
)
from ..readings.several import Several, UnlikeError
from ..text.calls import parameters_of, required
from ..text.names import IS_COST, RATES, VALUES, is_upstream, plain
from ..text.written import returned_names
from . import examples
from .steps import RATE, Words, is_state, of_given_gradients, stepped, taken

IS_VALUE = re.compile(IS_COST.pattern + r"|likelihood|nll|elbo|divergence", re.I)


def of_method(
    title: str, cls: type, name: str, makers: list[Callable[..., Any]], fixed: bool = False
) -> Iterator[Several]:
    """The readings of the method of that name. makers: each makes an object, of the first or the second sizes, with options."""
    methods = {
        key: inspect.unwrap(getattr(cls, key))
        for key in dir(cls)
        if key[0] != "_" and inspect.isroutine(getattr(cls, key))
    }
    slope = methods.pop(name)
    values = [key for key in methods if IS_VALUE.search(key) or key in VALUES]
    values.sort(key=lambda key: not IS_VALUE.search(key))
    forwards = [key for key in methods if key in VALUES]
    for make in makers:

        def reading(how: Callable, *sources: Callable, make: Callable = make, steps: bool = False) -> Several:
            return of_object(title, cls, make, how, sources, fixed, steps)

        yield reading(lambda thing, words: alone(getattr(thing, name)(**taken(slope, words)), slope), slope)
        for value in values:
            v = methods[value]
            if is_direct(v, slope):
                for reduced in (np.mean, np.sum):
                    yield reading(
                        lambda thing, words, v=value, r=reduced: after(thing, words, None, v, name, r), v, slope
                    )
            for forward in forwards if is_after(v, slope) else ():
                if forward != value:
                    yield reading(
                        lambda thing, words, f=forward, v=value: after(thing, words, f, v, name, np.mean),
                        methods[forward], v, slope,
                    )  # fmt: skip
        if all(plain(p.name) in RATES for p in asked(slope)):
            given = reading(lambda thing, words: of_given_gradients(thing, words, slope), slope, steps=True)
            yield replace(given, descends=False)
            continue
        yield reading(lambda thing, words: stepped(thing, words, name), slope, steps=True)
        for how in examples.of_pair(methods, slope, [p.name for p in asked(slope)]):
            yield replace(reading(how, slope), parameters=examples.arguments())


def is_direct(value: Callable, slope: Callable) -> bool:
    """Whether a value and its gradients take the same arguments."""
    ours, theirs = ({p.name for p in asked(one)} for one in (value, slope))
    return bool(theirs) and ours <= theirs


def is_after(value: Callable, slope: Callable) -> bool:
    """Whether a value and its gradients are rather those of what a forward has kept."""
    ours, theirs = ([p.name for p in asked(one)] for one in (value, slope))
    return not theirs or not set(ours) <= set(theirs) or (len(theirs) == 1 and plain(theirs[0]) in TARGETS)


def asked(method: Callable) -> list[inspect.Parameter]:
    """The arguments that a method needs; targets with the default None too, without which it gives no loss."""
    wanted = [
        p for p in parameters_of(method) if p.default is p.empty or (p.default is None and plain(p.name) in TARGETS)
    ]
    return [
        p.replace(default=p.empty)
        for p in wanted
        if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]


def of_object(
    title: str, cls: type, make: Callable, how: Callable, sources: tuple[Callable, ...], fixed: bool, steps: bool
) -> Several:
    """A reading of objects: `how` is handed one and the arguments, and gives outputs and named gradients."""
    made_before: dict[str, tuple[Any, dict]] = {}
    parameters = {p.name: p for source in sources for p in asked(source)}
    if len(sources) > 1:  # what its forward gives, or ∂L/∂y
        own = {p.name for p in asked(sources[0])}
        parameters = {
            key: p
            for key, p in parameters.items()
            if key in own or not (is_upstream(key) or (len(sources) == 3 and plain(key) in PREDICTIONS - {"x"}))
        }
    rates = {
        p.name for p in parameters_of(sources[-1]) if plain(p.name) in RATES and type(p.default) in (type, float)
    }
    settings = tuple(
        p for p in parameters_of(sources[-1]) if p.default not in (p.empty, None) and plain(p.name) not in RATES
    )

    def made_of(arguments: Mapping[str, Any]) -> tuple[Any, dict]:
        key = repr((arguments.get("sizes", 0), arguments.get("options")))
        if key not in made_before:
            thing = make(arguments.get("sizes", 0), **(arguments.get("options") or {}))
            made_before[key] = thing, held_by(thing)
        return made_before[key]

    def run(arguments: Mapping[str, Any], upstream: Callable) -> tuple[list, list]:
        thing, places = made_of(arguments)
        thing = duplicate(thing)
        for name, (path, _) in places.items():
            if name in arguments:
                put(thing, path, arguments[name].copy())
        names = ("x", "y", *parameters, *(p.name for p in settings))
        words = {name: arguments[name] for name in names if name in arguments}
        with repeatable(0, thing):
            return how(thing, words | dict.fromkeys(rates, RATE))

    def held(arguments: Mapping[str, Any]) -> Words:
        arrays = {name: array for name, (_, array) in made_of(arguments)[1].items()}
        return {name: array for name, array in arrays.items() if not (steps and is_state(name, arrays))}

    return Several(
        title, sources[-1], [p for key, p in parameters.items() if key not in rates], run, {}, held,
        settings=settings, descends=steps, cls=None if fixed else cls, fixed=fixed, parts=sources,
    )  # fmt: skip


def alone(found: Any, source: Callable) -> tuple[list, list]:
    """Of a call that returns a value and its gradients."""
    if not isinstance(found, tuple) or len(found) < 2:
        raise UnlikeError
    if not is_number(found[0]) and is_number(found[-1]):
        found = (found[-1], *found[:-1])
    if not is_number(found[0]) or not are_arrays(found[1:]):
        raise UnlikeError
    rest = found[1:]
    count = len(rest) + 1
    nodes = zip(returned_nodes(source, count), returned_names(source, count), strict=True)
    first, *names = [base_of(node, name) for node, name in nodes]
    if IS_GRADIENT.fullmatch(first):
        raise UnlikeError
    if len(rest) == 1 and isinstance(rest[0], tuple | list):
        return [found[0]], list(labelled(rest[0], nested_names(source) or names_in(source)))
    return [found[0]], list(labelled(rest, names))


def after(
    thing: Any, words: Words, forward: str | None, value: str, slope: str, reduced: Callable
) -> tuple[list, list]:
    """Of a value and its gradients in two calls, after a forward, which the object keeps."""
    words = dict(words)
    y = getattr(thing, forward)(**taken(getattr(thing, forward), words)) if forward else None
    y = y[0] if isinstance(y, tuple) else y
    found = called(getattr(thing, value), words, y)
    found = found[0] if isinstance(found, tuple) else found
    gradients = getattr(thing, slope)
    wanted = [p.name for p in asked(gradients)]
    above = [name for name in wanted if name not in words and is_upstream(name)]
    if np.ndim(found) > 0 and len(above) == 1:
        raise UnlikeError  # a layer
    with_values = np.ndim(found) == 1
    if not with_values and not is_number(found):
        raise UnlikeError
    before = {path: np.array(array) for path, array in walk(thing)}
    result = called(gradients, words | dict.fromkeys(above, 1.0), y)
    if isinstance(result, tuple) and is_number(result[0]):
        raise UnlikeError  # it has its own value
    names = names_in(inspect.unwrap(getattr(gradients, "__func__", gradients)))
    return [reduced(found)], [*labelled(result, names), *labels(left_by(thing, before))]


def called(method: Callable, words: Words, y: Any) -> Any:
    """What a method gives for arguments by name, and for what its forward gave."""
    handed = taken(method, words)
    for p in asked(method):
        if p.name not in handed:
            if y is None or not (plain(p.name) in PREDICTIONS or plain(p.name).startswith("y")):
                raise UnlikeError
            handed[p.name] = y
    return method(**handed)


def makers(cls: type, constructed: Callable[..., Any]) -> list[Callable[..., Any]]:
    """How objects of small sizes are made: the last layer of as many units as there are classes, or of fewer."""
    options = [
        p.name
        for p in parameters_of(cls)
        if type(p.default) is int
        and p.default > 1
        and is_size(p.name)
        and not re.search("seed|iter|epoch|batch|step", p.name)
    ]

    def maker(first: tuple[int, ...], second: tuple[int, ...]) -> Callable[..., Any]:
        def make(sizes: int, **words: Any) -> Any:
            chosen = {0: first, 1: second}.get(sizes, (4, 4, 4, 4, 4))
            start = len(required(cls))
            ours = dict(zip(options, (*chosen, 2, 2, 2)[start:], strict=False))
            with contextlib.suppress(Exception):
                return constructed(cls, chosen, **(ours | words)).value
            return constructed(cls, chosen, **words).value

        return make

    return [maker((3, 4, 5, 2), (5, 3, 4, 2)), maker((3, 4, 2, 2), (5, 3, 6, 2))]
