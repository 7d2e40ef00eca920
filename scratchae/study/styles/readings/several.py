"""A value of several arrays and its gradients, however a person writes them: one call, for functions and for methods.

loss(anchor, positive, negative) -> (value, dA, dP, dN)            a value with its gradients
op(x, W) -> (y, backward)                                          a value with a function of the upstream
cell_forward(x, h, c, W) -> (h, c, cache) and cell_backward(dh, dc, cache)
cost(theta, X, y) and gradient(theta, X, y)                        a value and its gradients, apart
cell.forward(x, h) and cell.backward(dy), net.loss(X, y) -> (value, grads)      the same as methods
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Arrays = dict[str, Any]


class UnlikeError(Exception):
    """What was called does not return what this reading of it expects."""


@dataclass
class Several:
    """run(arguments, upstream): the outputs as a list, and the gradients, each with the name that its author gives it.

    parameters: the arguments of the value without a default. keys: of arguments that are dicts, the keys that are read; of lists, a Row. held: what an
    object itself holds that may have a gradient, by name. updates: what comes back is rather added to parameters;
    descends: or is what steps take off them, divided by a rate.
    one_of: how many functions give the gradients, one each. of_each: its value is made of those of several examples. settings: arguments with a default, of the value and of what gives its
    gradients, unless that has a cache of it. cls: the class whose options can be tried; fixed: what it holds is the file's. parts: the
    functions that run. sized: the arguments of its constructor that are handed sizes. told: a class says of what
    its gradients are. twice: of an object that sets its gradients to 0, which are added up and which are not. value: the outputs alone, where that takes less. refused: arguments on which it did
    not run, why, and the names of those that did not fit together. raised: what its gradients raised first, where the value ran.
    """

    name: str
    source: Callable
    parameters: list[inspect.Parameter]
    run: Callable[[Arrays, Callable], tuple[list[np.ndarray], list[tuple[str, Any]]]]
    keys: dict[str, list[str]] = field(default_factory=dict)
    held: Callable[[Arrays], Arrays] = lambda arguments: {}
    updates: bool = False
    descends: bool = False
    one_of: int = 1
    of_each: bool = False
    settings: tuple[inspect.Parameter, ...] = ()
    cls: type | None = None
    fixed: bool = False
    parts: tuple[Callable, ...] = ()
    sized: tuple[str, ...] = ()
    told: bool = False
    twice: Callable[[Arrays, Callable], tuple[list[str], list[str]]] | None = None
    value: Callable[[Arrays], list[Any]] | None = None
    raised: list[Exception] = field(default_factory=list)
    refused: dict[int, tuple[type[Exception], frozenset[str]]] = field(default_factory=dict)

    def complete(self, arguments: Arrays, seed: int) -> Arrays:
        """The arguments, and what the object holds, moved off the values with which it begins."""
        found = {p.name: None for p in self.parameters if p.name in arguments}
        found |= arguments
        for name, keys in self.keys.items():
            if isinstance(held := found.get(name), dict):  # in the order of the author
                found[name] = {key: held[key] for key in (*keys, *held) if key in held}
        held = self.held(arguments)
        rng = np.random.default_rng([seed, 7]) if held else None
        for name, array in held.items():
            if re.search(r"var|sigma|std|scale", name):
                found[name] = np.asarray(np.abs(array) * rng.uniform(0.6, 1.5, array.shape))
            else:
                found[name] = np.asarray(array + 0.3 * rng.standard_normal(array.shape))
        return found
