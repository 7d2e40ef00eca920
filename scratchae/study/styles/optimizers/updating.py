"""A person's optimizer, in whatever style it is written, as a function from parameters and gradients to new parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..text.calls import method_of, parameters_of
from ..text.names import RATES, ZEROING, plain, stems_of_gradient

UPDATE = ("update", "step", "update_params", "update_parameters", "apply_gradients", "update_weights", "optimize", "apply", "apply_grads", "get_update", "__call__")  # fmt: skip
COUNTERS = ("t", "iteration", "epoch", "i", "n", "k", "iter", "step", "timestep", "it")
# what is handed over for a setting without a default
HANDED = {"lr": 0.1, "beta": 0.8, "momentum": 0.8, "mu": 0.8, "gamma": 0.8, "rho": 0.8, "decayrate": 0.8, "beta1": 0.8, "beta2": 0.95, "b1": 0.8, "b2": 0.95, "eps": 1e-8, "epsilon": 1e-8, "wd": 0.01, "weightdecay": 0.01, "l2": 0.01, "lam": 0.01, "lambd": 0.01}  # fmt: skip
SLOPE = 0.4  # of a gradient that an optimizer asks for itself at w: g + SLOPE w
Arrays = list[np.ndarray]


class Parameter:
    """A parameter with its gradient, under the names that people give them."""

    def __init__(self, value: np.ndarray, gradient: np.ndarray):
        self.data = self.value = value
        self.grad = self.gradient = gradient

    def __getitem__(self, name: str) -> np.ndarray:  # p["value"], p["grad"]
        return getattr(self, name)

    def __setitem__(self, name: str, value: np.ndarray) -> None:
        setattr(self, name, value)

    def __iter__(self) -> Iterator[np.ndarray]:  # for p, g in params
        return iter((self.data, self.grad))


def layer_of(p: Arrays, g: Arrays) -> SimpleNamespace:
    """A layer with weights and bias, under many names, for an optimizer that is handed layers."""
    values = dict(zip(("W", "b"), p, strict=False))
    names = {"W": ("W", "weights", "weight", "w"), "b": ("b", "biases", "bias")}
    layer = SimpleNamespace(params=dict(values), grads=dict(zip(("W", "b"), g, strict=False)))
    layer.parameters, layer.gradients = layer.params, layer.grads
    for (key, value), gradient in zip(values.items(), g, strict=False):
        for name in names[key]:
            setattr(layer, name, value)
            for form in ("d{}", "dLd{}", "dL_d{}", "d_{}", "grad_{}", "grad{}", "{}_grad", "{}_gradient"):
                setattr(layer, form.format(name), gradient)
    return layer


def from_layer(layer: SimpleNamespace, p: Arrays) -> Arrays:
    """The parameters as an optimizer left them: of the names for one, that which has changed."""
    names = (("W", "weights", "weight", "w"), ("b", "biases", "bias"))
    found = []
    for old, group, key in zip(p, names, ("W", "b"), strict=False):
        values = [getattr(layer, name) for name in group] + [layer.params[key]]
        found.append(next((value for value in values if value is not old), old))
    return found


# the ways to hand over parameters and gradients: what is handed over, and what to read the result from if nothing is returned
def by_arrays(p: Arrays, g: Arrays) -> tuple[tuple, Callable[[], Any]]:
    return (p[0], g[0]), lambda: p[:1]


def by_lists(p: Arrays, g: Arrays) -> tuple[tuple, Callable[[], Any]]:
    values = list(p)
    return (values, list(g)), lambda: values


def by_dicts(p: Arrays, g: Arrays) -> tuple[tuple, Callable[[], Any]]:
    values = dict(zip(("W", "b"), p, strict=False))
    return (values, dict(zip(("W", "b"), g, strict=False))), lambda: list(values.values())


def by_other_dicts(p: Arrays, g: Arrays) -> tuple[tuple, Callable[[], Any]]:
    values = dict(zip(("W1", "b1", "W2", "b2"), p, strict=True))
    return (values, dict(zip(("dW1", "db1", "dW2", "db2"), g, strict=True))), lambda: list(values.values())


def by_layer(p: Arrays, g: Arrays, held: SimpleNamespace) -> tuple[tuple, Callable[[], Any]]:
    vars(held).update(vars(layer_of(p, g)))  # the same layer in each step: an optimizer may keep its state there
    return (held,), lambda: from_layer(held, p)


def by_layers(p: Arrays, g: Arrays, held: SimpleNamespace) -> tuple[tuple, Callable[[], Any]]:
    (layer,), result = by_layer(p, g, held)
    return ([layer],), result


FORMS = (by_arrays, by_lists, by_dicts, by_other_dicts, by_layer, by_layers)


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
        for hook in ("pre_update_params", "pre_update"):
            if callable(before := getattr(self.theirs, hook, None)):
                before()
        found = self.method(*given, **extra | self.options)
        for hook in ("post_update_params", "post_update"):
            if callable(after := getattr(self.theirs, hook, None)):
                after()
        return arrays_in(self.kept(found), result)

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

    def settings(self) -> dict[str, Any]:
        """Its settings by plain names: attributes, the config of a function, or defaults."""
        found = {plain(n): v for n, v in getattr(self.theirs, "__dict__", {}).items()}
        found |= {plain(n): v for n, v in (self.config or {}).items()}
        for parameter in parameters_of(self.method):
            if parameter.default is not parameter.empty:
                found.setdefault(plain(parameter.name), parameter.default)
            elif plain(parameter.name) in RATES:
                found[plain(parameter.name)] = HANDED["lr"]
        found = (
            {plain(n): v for n, v in self.defaults.items()} | found | {plain(n): v for n, v in self.options.items()}
        )
        return {
            n: float(v) if isinstance(v, int | float) and not isinstance(v, bool) else v
            for n, v in found.items()
            if isinstance(v, int | float | bool | np.floating)
        }


def arrays_in(found: Any, result: Callable[[], Any]) -> Arrays:
    """The parameters as they were returned, or, if nothing was, as they are now."""
    if found is None:
        found = result()
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, np.ndarray) or np.isscalar(found):
        found = [np.asarray(found)]
    return [
        np.array(getattr(value, "data", value) if isinstance(value, Parameter) else value, np.float64)
        for value in found
    ]


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


class Made(Updating):
    """An optimizer that is given the parameters when it is made, which is at the first step."""

    def __init__(self, cls: type, options: dict[str, Any]):
        self.cls, self.options, self.made, self.config, self.count, self.form = cls, options, None, None, 2, None
        self.defaults: dict[str, Any] = {}

    def make(self, held: list) -> None:
        self.held = held
        self.theirs = self.made = self.cls(held, **self.options)
        self.method = getattr(self.made, method_of(self.made, UPDATE) or "step")


class Keeping(Made):
    """An optimizer that is given arrays when it is made, changes them in place, and is handed their gradients: step(gradients)."""

    def update(self, p: Arrays, g: Arrays, t: int) -> Arrays:
        if self.made is None:
            self.make([value.copy() for value in p])
        self.silent = self.method([gradient.copy() for gradient in g]) is None
        kept = next(
            (v for v in vars(self.made).values() if isinstance(v, list) and len(v) == len(p) and v is not g),
            self.held,
        )
        return [np.array(value) for value in (kept if all(map(np.shape, kept)) else self.held)]


class Holding(Made):
    """An optimizer that is given the parameters when it is made, and reads their gradients in step()."""

    def update(self, p: Arrays, g: Arrays, t: int) -> Arrays:
        if self.made is None:
            self.make([Parameter(value.copy(), gradient.copy()) for value, gradient in zip(p, g, strict=True)])
        for held, gradient in zip(self.held, g, strict=True):
            held.grad = held.gradient = gradient.copy()
        self.silent = self.method() is None
        return [np.array(h.data if h.data is not p0 else h.value) for h, p0 in zip(self.held, p, strict=True)]

    def zeroes(self) -> bool:
        """Whether its zero_grad, if it has one, sets all gradients to zero or None."""
        if (name := method_of(self.made, ZEROING)) is None:
            return True
        for held in self.held:
            held.grad = held.gradient = np.ones_like(held.data)
        getattr(self.made, name)()
        return all(any(g is None or not np.any(g) for g in (held.grad, held.gradient)) for held in self.held)


class HoldingLayers(Made):
    """An optimizer that is given layers or a model when it is made, and reads their parameters and gradients in step().

    of: what is handed over, made of a layer. called: whether the layer gives its parameters and gradients when it is called for them.
    """

    def __init__(self, cls: type, options: dict[str, Any], of: Callable[[Any], Any], called: bool):
        super().__init__(cls, options)
        self.of, self.called, self.layer, self.begun = of, called, SimpleNamespace(), []

    def update(self, p: Arrays, g: Arrays, t: int) -> Arrays:
        if self.made is None:
            self.begun = [value.copy() for value in p]
            self.layer = layer_of(self.begun, g)
            if self.called:
                lists = list(self.begun), [gradient.copy() for gradient in g]
                for names, held in zip((("params", "parameters"), ("grads", "gradients")), lists, strict=True):
                    for name in names:
                        setattr(self.layer, name, lambda held=held: held)
            self.make(self.of(self.layer))
        grads = self.layer.grads() if self.called else self.layer.grads
        for key, gradient in zip((0, 1) if self.called else ("W", "b"), g, strict=False):
            grads[key] = gradient.copy()
        values = layer_of(self.begun, [gradient.copy() for gradient in g])
        for name, value in vars(values).items():
            if stems_of_gradient(name) and isinstance(value, np.ndarray):
                setattr(self.layer, name, value)
        self.silent = self.method() is None
        return [np.array(v) for v in (self.layer.params() if self.called else from_layer(self.layer, self.begun))]


class HoldingBoth(Made):
    """An optimizer that is given lists of parameters and of gradients when it is made."""

    def make(self, held: list) -> None:
        self.held, self.grads = held, [np.zeros_like(value) for value in held]
        self.theirs = self.made = self.cls(held, self.grads, **self.options)
        self.method = getattr(self.made, method_of(self.made, UPDATE) or "step")

    def update(self, p: Arrays, g: Arrays, t: int) -> Arrays:
        if self.made is None:
            self.make([value.copy() for value in p])
        for held, gradient in zip(self.grads, g, strict=True):
            held[...] = gradient
        self.silent = self.method() is None
        return [np.array(value) for value in self.held]
