"""The ways to run an optimizer: its functions and classes, told from what they take."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..objects.copies import duplicate
from ..text.calls import method_of, parameters_of, required, without_default
from ..text.names import COUNTERS, RATES, UPDATE, plain
from ..text.written import tree_of
from .handed import FORMS, by_arrays
from .holding import Holding, HoldingBoth, HoldingLayers, Keeping, KeepingKeys
from .updating import HANDED, Asking, Functional, Named, Shaped, Updating

GRADIENTS = re.compile(r"(?:d|g|grad)(?:[wp]|params?|s|theta|ients?)?|d_?[A-Z]\w*|grads?_\w+|\w+_grads?")
GRADIENT_FUNCTION = re.compile(r"^(?:grad\w*|g|d)(?:fn|func|function|f)$|^df$|^grad$")


def beginnings(function: Callable) -> Iterator[Callable]:
    """The ways to make what an optimizer keeps: a function of its file that begins it, or zeros like the gradients or parameters."""
    for name, other in getattr(function, "__globals__", {}).items():
        begins = inspect.isfunction(other) and re.search(r"init|zeros|make_|new_|create", name)
        if begins and len(required(other)) == 1:
            if "shape" in required(other)[0].name:
                yield lambda p, g, f=other: f(np.shape(p))
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
    asked = [plain(p.name) for p in required(function) if plain(p.name) not in RATES]
    held = keeps(function)
    if (asked and not held) or not RATES & {plain(p.name) for p in parameters_of(function)}:
        return False
    return any(len(made.args.args) == 1 if held else len(made.args.args) >= 2 for made in made_by(function))


def made_by(function: Callable) -> list[ast.FunctionDef]:
    """The functions that a function returns and that are written in it."""
    lines = getattr(next(iter(tree_of(function).body), None), "body", ())
    given = {getattr(node.value, "id", "") for node in lines if isinstance(node, ast.Return)}
    return [node for node in lines if isinstance(node, ast.FunctionDef) and node.name in given]


def keeps(function: Callable) -> bool:
    """Whether what makes an optimizer is handed the parameters: what it returns takes gradients alone, and reads the one thing that was handed."""
    asked = [p.name for p in required(function) if plain(p.name) not in RATES]
    return len(asked) == 1 and any(
        [bool(GRADIENTS.fullmatch(one.arg)) for one in made.args.args] == [True]
        and any(isinstance(node, ast.Name) and node.id == asked[0] for node in ast.walk(made))
        for made in made_by(function)
    )


def ways(make: Callable[[], Any], cls: Any, options: Mapping[str, Any]) -> Iterator[Callable[[], Updating]]:
    """The ways to run an optimizer, each as a function that makes it anew. cls: its class, or the function that makes it; None for a
    function, to which options are handed."""
    if inspect.isclass(cls):
        yield from ways_of_class(make, cls, dict(options))
        return
    if cls is not None and keeps(cls):
        yield lambda: Keeping(cls, dict(options))
        yield lambda: KeepingKeys(cls, dict(options))
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
    if {plain(p.name) for p in required(function)[2:]} <= {*RATES, *COUNTERS, "config", "state", "cache"}:
        for form in FORMS:
            yield lambda form=form: Updating(function, form, options)
    for form in FORMS[:4]:
        for begin in beginnings(function):
            yield lambda form=form, begin=begin: Functional(function, form, begin, options)


def asks(others: list[inspect.Parameter]) -> bool:
    """Whether it is handed a function that gives the gradient, after what it updates."""
    name = plain(others[0].name) if others else ""
    return bool(GRADIENT_FUNCTION.match(name)) and name not in ("grad", "g")


def is_name(name: str) -> bool:
    return plain(name) in ("name", "key", "id", "k", "param", "paramname", "layername")


def ways_of_class(make: Callable[[], Any], cls: type, options: dict[str, Any]) -> Iterator[Callable[[], Updating]]:
    made_with = [p.name for p in required(cls)]
    if (name := method_of(cls, UPDATE[:-1])) is not None:
        needed = without_default(getattr(cls, name))[1:]
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
        if (
            len(needed) == 1
            and made_with
            and set(map(plain, made_with[1:])) <= HANDED.keys()
            and first.startswith(("g", "d"))
        ):
            yield lambda: Keeping(cls, options)
            yield lambda: KeepingKeys(cls, options)
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
