"""Optimizers that are given parameters when they are made, which is at the first step."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..text.calls import method_of, parameters_of, required
from ..text.names import RATES, UPDATE, ZEROING, plain, stems_of_gradient
from .handed import Arrays, Parameter, from_layer, layer_of
from .updating import HANDED, Updating


class Made(Updating):
    """hold: what it is made with; hand: what a step is handed; now: the parameters after it."""

    def __init__(self, cls: type, options: dict[str, Any]):
        self.cls, self.options, self.made, self.config, self.count, self.form = cls, options, None, None, 2, None
        self.defaults: dict[str, Any] = {}

    def update(self, p: Arrays, g: Arrays, t: int) -> Arrays:
        g = copies(g)
        if self.made is None:
            held = self.hold(copies(p), g)
            asked = required(self.cls)[len(held) :]
            rest = {
                one.name: HANDED.get(plain(one.name), HANDED["lr"])
                for one in asked
                if plain(one.name) in HANDED.keys() | RATES
            }
            self.theirs = self.made = self.cls(*held, **rest | self.options)
            of_function = inspect.isfunction(self.made)
            self.method = self.made if of_function else getattr(self.made, method_of(self.made, UPDATE) or "step")
            if of_function:  # it shares the settings of what has made it
                self.defaults = {
                    p.name: p.default for p in parameters_of(self.cls) if p.default is not p.empty
                } | rest
        self.silent = self.method(*self.hand(g)) is None
        return [np.array(value) for value in self.now()]

    @property
    def source(self) -> Any:
        return self.cls


class Keeping(Made):
    """An optimizer that is given arrays, changes them in place, and is handed their gradients: step(gradients)."""

    def hold(self, p: Arrays, g: Arrays) -> tuple:
        self.held = p
        return (p,)

    def hand(self, g: Arrays) -> tuple:
        self.last = g
        return (g,)

    def now(self) -> Arrays:
        count = len(self.held)
        lists = (
            v for v in vars(self.made).values() if isinstance(v, list) and len(v) == count and v is not self.last
        )
        kept = next(lists, self.held)
        return kept if all(map(np.shape, kept)) else self.held


class KeepingKeys(Keeping):
    """The same with arrays by name, step({"W": dW, "b": db})."""

    def hold(self, p: Arrays, g: Arrays) -> tuple:
        self.held = dict(zip(("W", "b"), p, strict=True))
        return (self.held,)

    def hand(self, g: Arrays) -> tuple:
        return (dict(zip(("W", "b"), g, strict=True)),)

    def now(self) -> Arrays:
        return list(self.held.values())


class Holding(Made):
    """An optimizer that is given the parameters, and reads their gradients in step()."""

    def hold(self, p: Arrays, g: Arrays) -> tuple:
        self.begun, self.held = p, [Parameter(*pair) for pair in zip(p, g, strict=True)]
        return (self.held,)

    def hand(self, g: Arrays) -> tuple:
        for held, gradient in zip(self.held, g, strict=True):
            held.grad = held.gradient = gradient
        return ()

    def now(self) -> Arrays:
        return [h.data if h.data is not begun else h.value for h, begun in zip(self.held, self.begun, strict=True)]

    def zeroes(self) -> bool:
        """Whether its zero_grad, if it has one, sets all gradients to zero or None."""
        if (name := method_of(self.made, ZEROING)) is None:
            return True
        for held in self.held:
            held.grad = held.gradient = np.ones_like(held.data)
        getattr(self.made, name)()
        return all(any(g is None or not np.any(g) for g in (held.grad, held.gradient)) for held in self.held)


class HoldingLayers(Made):
    """An optimizer that is given layers or a model, and reads their parameters and gradients in step().

    of: what is handed over, made of a layer. called: whether the layer gives its parameters and gradients when it is called for them.
    """

    def __init__(self, cls: type, options: dict[str, Any], of: Callable[[Any], Any], called: bool):
        super().__init__(cls, options)
        self.of, self.as_methods = of, called

    def hold(self, p: Arrays, g: Arrays) -> tuple:
        self.begun, self.layer = p, layer_of(p, g)
        for names, held in ((("params", "parameters"), list(p)), (("grads", "gradients"), list(g))):
            for name in names if self.as_methods else ():
                setattr(self.layer, name, lambda held=held: held)
        return (self.of(self.layer),)

    def hand(self, g: Arrays) -> tuple:
        grads = self.layer.grads() if self.as_methods else self.layer.grads
        for key, gradient in zip((0, 1) if self.as_methods else ("W", "b"), g, strict=False):
            grads[key] = gradient
        for name, value in vars(layer_of(self.begun, copies(g))).items():
            if stems_of_gradient(name) and isinstance(value, np.ndarray):
                setattr(self.layer, name, value)
        return ()

    def now(self) -> Arrays:
        return self.layer.params() if self.as_methods else from_layer(self.layer, self.begun)


class HoldingBoth(Made):
    """An optimizer that is given lists of parameters and of gradients."""

    def hold(self, p: Arrays, g: Arrays) -> tuple:
        self.held, self.grads = p, [np.zeros_like(value) for value in p]
        return self.held, self.grads

    def hand(self, g: Arrays) -> tuple:
        for held, gradient in zip(self.grads, g, strict=True):
            held[...] = gradient
        return ()

    def now(self) -> Arrays:
        return self.held


def copies(arrays: Arrays) -> Arrays:
    return [array.copy() for array in arrays]
