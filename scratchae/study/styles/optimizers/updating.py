"""A person's optimizer, in whatever style it is written, as a function from parameters and gradients to new parameters."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..objects.copies import duplicate
from ..text.calls import method_of, parameters_of, required
from ..text.names import COUNTERS, RATES, UPDATE, plain
from ..text.written import text_of
from .handed import Arrays, arrays_in, by_arrays, by_dicts, by_layer, by_layers, by_lists, by_other_dicts

# what is handed over for a setting without a default
HANDED = {"lr": 0.1, "beta": 0.8, "momentum": 0.8, "mu": 0.8, "gamma": 0.8, "rho": 0.8, "decayrate": 0.8, "beta1": 0.8, "beta2": 0.95, "b1": 0.8, "b2": 0.95, "eps": 1e-8, "epsilon": 1e-8, "wd": 0.01, "weightdecay": 0.01, "l2": 0.01, "lam": 0.01, "lambd": 0.01}  # fmt: skip
SLOPE = 0.4  # of a gradient that an optimizer asks for itself at w: g + SLOPE w


class Updating:
    """`theirs` as `update(parameters, gradients, t) -> parameters`, all lists of arrays; `count` is how many it takes at once.

    defaults: settings besides those that it keeps itself. silent: whether its last call gave nothing back. asks: whether it is handed
    a function that gives the gradient at a point, in place of the gradient.
    """

    silent = asks = False
    shapes: list[tuple[int, ...]] | None = None  # those of its parameters, where they are not free

    def __init__(
        self,
        theirs: Any,
        form: Callable | None,
        options: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
    ):
        self.theirs, self.form, self.config, self.states = theirs, form, None, None
        self.held = (SimpleNamespace(),) if form in (by_layer, by_layers) else ()
        self.method = theirs if inspect.isfunction(theirs) else getattr(theirs, method_of(theirs, UPDATE) or "update")
        self.count = 1 if form is by_arrays else 4 if form is by_other_dicts else 2
        self.options, self.defaults = dict(options or {}), dict(defaults or {})

    def given(self, p: Arrays, g: Arrays) -> tuple[tuple, Callable[[], Any]]:
        return self.form([value.copy() for value in p], [value.copy() for value in g], *self.held)

    def update(self, p: Arrays, g: Arrays, t: int) -> Arrays:
        given, result = self.given(p, g)
        extra = self.extra(parameters_of(self.method)[len(given) :], given, t)
        self.run_hooks("pre_update_params", "pre_update")
        found = self.method(*given, **extra | self.options)
        self.run_hooks("post_update_params", "post_update")
        found = self.kept(found)
        return arrays_in(result() if found is None else found)

    def run_hooks(self, *names: str) -> None:
        for name in names:
            if callable(hook := getattr(self.theirs, name, None)):
                hook()

    def extra(self, needed: list[inspect.Parameter], given: tuple, t: int) -> dict[str, Any]:
        """Its arguments besides the parameters and gradients."""
        found = {}
        for parameter in needed:
            name = plain(parameter.name)
            if name in ("config", "state", "cache"):
                found[parameter.name] = self.config
            elif parameter.default is parameter.empty and name in RATES:
                found[parameter.name] = HANDED["lr"]
            elif parameter.default is parameter.empty and name in COUNTERS:
                found[parameter.name] = t
        return found

    def kept(self, found: Any) -> Any:
        """What it returned, without the state."""
        if isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], dict):
            found, self.config = found
        self.silent = found is None and self.form in (by_arrays, by_lists, by_dicts)
        return found

    @property
    def source(self) -> Any:
        """What is written: the class of an object, or the function."""
        return self.method if inspect.isfunction(self.theirs) else type(self.theirs)

    def called(self, name: str) -> str:
        """Its name, with that of the function that it holds and calls for its steps, self.rule(w, dw, …)."""
        for key, rule in getattr(self.theirs, "__dict__", {}).items():
            asked = [plain(p.name) for p in required(rule)] if inspect.isfunction(rule) else []
            if len(asked) > 1 and re.match("d|g", asked[1]) and f"self.{key}(" in text_of(self.source):
                return f"{name}_{rule.__name__}"
        return name

    def settings(self) -> dict[str, Any]:
        """Its settings by plain names: attributes, the config of a function, or defaults."""
        asked = parameters_of(self.method)
        rates = {p.name: HANDED["lr"] for p in asked if p.default is p.empty and plain(p.name) in RATES}
        options = {p.name: p.default for p in asked if p.default is not p.empty}
        own = getattr(self.theirs, "__dict__", {})
        inner = (one for of in own.values() if isinstance(of, dict) for one in of.values() if isinstance(one, dict))
        kept = {**next(inner, {}), **own, **(self.config or {})}  # of each parameter too, which all are alike
        file = getattr(inspect.unwrap(self.method), "__globals__", {})
        read = getattr(getattr(self.method, "__code__", None), "co_names", ())
        of_file = {name: file[name] for name in read if plain(name) in RATES and name in file}
        found = {
            plain(n): v
            for one in (of_file, self.defaults, options, kept, rates, self.options)
            for n, v in one.items()
        }
        numbers = {n: v for n, v in found.items() if isinstance(v, int | float | np.floating)}
        return {
            n: float(v) if isinstance(v, int | float) and not isinstance(v, bool) else v for n, v in numbers.items()
        }


class Named(Updating):
    """An optimizer that is handed one parameter at a time, with its name: update("W", W, dW) -> W."""

    def __init__(self, *given: Any, **named: Any):
        super().__init__(*given, **named)
        self.count = 2

    def update(self, p: Arrays, g: Arrays, t: int) -> Arrays:
        found = []
        for name, value, gradient in zip(("W", "b"), p, g, strict=False):
            value = value.copy()
            new = self.method(name, value, gradient.copy())
            found.append(np.array(value if new is None else new, np.float64))
        return found


class Shaped(Updating):
    """An optimizer of one parameter, whose shape it is told when it is made."""

    def __init__(self, cls: type, options: dict[str, Any]):
        self.cls, self.options, self.made = cls, options, False
        super().__init__(cls(shape=(1,), **options), by_arrays)

    def update(self, p: Arrays, g: Arrays, t: int) -> Arrays:
        if not self.made:
            super().__init__(self.cls(shape=p[0].shape, **self.options), by_arrays)
            self.made = True
        return super().update(p, g, t)


STATES = re.compile(
    r"^(?:[vmscrhg]|state|states|cache|caches|buf\w*|vel\w*|mom\w*|moment\w*|acc\w*|sq\w*|avg\w*|exp\w*|opt\w*state|memory|mems?\d?|hist\w*|[vms](?:t|w|dw|hat|prev)?)$"
)


def is_state(name: str) -> bool:
    return bool(STATES.match(plain(name))) and plain(name) not in COUNTERS


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
