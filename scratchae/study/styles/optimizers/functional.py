"""Optimizers as functions: with states that are handed in and out, made by another function, or that ask for the gradient at a point."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..objects.copies import duplicate
from ..text.calls import method_of, parameters_of, required
from ..text.names import RATES, plain
from ..text.written import tree_of
from .updating import (
    COUNTERS,
    FORMS,
    HANDED,
    SLOPE,
    UPDATE,
    Arrays,
    Holding,
    HoldingBoth,
    HoldingLayers,
    Keeping,
    Named,
    Shaped,
    Updating,
    by_arrays,
)

STATES = re.compile(
    r"^(?:[vmscrhg]|state|states|cache|caches|buf\w*|vel\w*|mom\w*|moment\w*|acc\w*|sq\w*|avg\w*|exp\w*|opt\w*state|memory|mem\d?|hist\w*|[vms](?:t|w|dw|hat|prev)?)$"
)
GRADIENT_FUNCTION = re.compile(r"^(?:grad\w*|g|d)(?:fn|func|function|f)$|^df$|^grad$")


class Functional(Updating):
    """A function that is handed what it keeps, and gives it back: update(params, grads, v, lr) -> params, v."""

    def __init__(self, theirs: Callable, form: Callable, begin: Callable, options: Mapping[str, Any]):
        super().__init__(theirs, form, options)
        self.begin, self.handed = begin, {}
        self.names = [p.name for p in required(theirs)[2:] if is_state(p.name)]

    def extra(self, needed: list[inspect.Parameter], given: tuple, t: int) -> dict[str, Any]:
        if self.states is None:
            made = self.begin(*given)
            self.states = (
                list(made) if isinstance(made, tuple) and len(made) == len(self.names) else [made] * len(self.names)
            )
            self.states = [duplicate(one) for one in self.states]
        for p in needed:
            if p.default is p.empty and p.name not in self.names and plain(p.name) not in COUNTERS:
                self.handed[p.name] = HANDED.get("lr" if plain(p.name) in RATES else plain(p.name), 0.1)
        counters = {p.name: t for p in needed if p.default is p.empty and plain(p.name) in COUNTERS}
        return dict(zip(self.names, self.states, strict=True)) | self.handed | counters

    def kept(self, found: Any) -> Any:
        self.silent = False
        count = len(self.names)
        if isinstance(found, tuple) and len(found) > count:
            self.states = list(found[1 : 1 + count])
            return found[0]
        return found

    def settings(self) -> dict[str, Any]:
        self.defaults = {**self.defaults, **self.handed}
        return super().settings()


class Asking(Updating):
    """An optimizer that asks for the gradient itself, where it wants it: step(w, grad_fn) -> w."""

    asks = True

    def given(self, p: Arrays, g: Arrays) -> tuple[tuple, Callable[[], Any]]:
        value, gradient = p[0].copy(), g[0]
        return (value, lambda w: gradient + SLOPE * w), lambda: [value]


def is_state(name: str) -> bool:
    return bool(STATES.match(plain(name))) and plain(name) not in COUNTERS


def beginnings(function: Callable) -> Iterator[Callable]:
    """The ways to make what an optimizer keeps: a function of its file that begins it, or zeros like the gradients or parameters."""
    for name, other in getattr(function, "__globals__", {}).items():
        if (
            inspect.isfunction(other)
            and re.search(r"init|zeros|make_|new_|create", name)
            and len(required(other)) == 1
        ):
            yield lambda p, g, f=other: f(p)
    yield lambda p, g: like(g)
    yield lambda p, g: like(p)
    yield lambda p, g: {}
    yield lambda p, g: None


def like(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: np.zeros_like(value) for key, value in values.items()}
    return [np.zeros_like(value) for value in values] if isinstance(values, list) else np.zeros_like(values)


def is_factory(function: Callable) -> bool:
    """Whether a function makes an optimizer: it has a learning rate, and returns a function that is defined in it."""
    if not any(plain(p.name) in RATES for p in parameters_of(function)) or any(
        plain(p.name) not in RATES for p in required(function)
    ):
        return False
    written = next(iter(tree_of(function).body), None)
    lines = getattr(written, "body", ())
    takes = {node.name: len(node.args.args) for node in lines if isinstance(node, ast.FunctionDef)}
    return any(isinstance(node, ast.Return) and takes.get(getattr(node.value, "id", ""), 0) >= 2 for node in lines)


def ways(make: Callable[[], Any], cls: Any, options: Mapping[str, Any]) -> Iterator[Callable[[], Updating]]:
    """The ways to run an optimizer, each as a function that makes it anew. cls: its class, or the function that makes it; None for a
    function, to which options are handed."""
    if inspect.isclass(cls):
        yield from ways_of_class(make, cls, dict(options))
        return
    function = make()
    if cls is not None:
        defaults = {p.name: p.default for p in parameters_of(cls) if p.default is not p.empty} | dict(options)
        names = [p.name for p in required(function)]
        if len(names) == 3 and is_name(names[0]):
            yield lambda: Named(make(), by_arrays, defaults=defaults)
        for form in FORMS:
            yield lambda form=form: Updating(make(), form, defaults=defaults)
        return
    if asks(required(function)[1:]):
        yield lambda: Asking(function, by_arrays, options)
        return
    extra = [
        p for p in required(function)[2:] if plain(p.name) not in (*RATES, *COUNTERS, "config", "state", "cache")
    ]
    if not extra:
        for form in FORMS:
            yield lambda form=form: Updating(function, form, options)
    for form in FORMS[:4]:
        for begin in beginnings(function):
            yield lambda form=form, begin=begin: Functional(function, form, begin, options)


def asks(others: list[inspect.Parameter]) -> bool:
    return (
        bool(others)
        and bool(GRADIENT_FUNCTION.match(plain(others[0].name)))
        and plain(others[0].name) not in ("grad", "g")
    )


def is_name(name: str) -> bool:
    return plain(name) in ("name", "key", "id", "k", "param", "paramname", "layername")


def ways_of_class(make: Callable[[], Any], cls: type, options: dict[str, Any]) -> Iterator[Callable[[], Updating]]:
    made_with = [p.name for p in required(cls)]
    if (name := method_of(cls, UPDATE[:-1])) is not None:
        needed = [p for p in parameters_of(getattr(cls, name))[1:] if p.default is p.empty]
        first = plain(needed[0].name) if needed else ""
        if not needed:
            if len(made_with) > 1 and re.match(r"^d|^g", plain(made_with[1])):
                yield lambda: HoldingBoth(cls, options)
                return
            yield lambda: Holding(cls, options)
            for called in (False, True):
                for of in (lambda layer: [layer], lambda layer: layer, lambda layer: SimpleNamespace(layers=[layer])):
                    yield lambda of=of, called=called: HoldingLayers(cls, options, of, called)
            return
        if len(needed) == 1 and len(made_with) == 1 and first.startswith(("g", "d")):
            yield lambda: Keeping(cls, options)
            return
        if len(needed) == 3 and is_name(first):
            yield lambda: Named(duplicate(make()), by_arrays)
            return
        if asks(needed[1:]):
            yield lambda: Asking(duplicate(make()), by_arrays)
            return
    if made_with == ["shape"]:
        yield lambda: Shaped(cls, options)
        return
    for form in FORMS:
        yield lambda form=form: Updating(duplicate(make()), form)
