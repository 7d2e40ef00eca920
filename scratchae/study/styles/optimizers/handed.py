"""How parameters and gradients are handed over to an optimizer: as arrays, in lists or dicts, or in layers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

Arrays = list[np.ndarray]
Given = tuple[
    tuple, Callable[[], Any]
]  # what is handed over, and what to read the result from if nothing is returned
NAMES = {"W": ("W", "weights", "weight", "w"), "b": ("b", "biases", "bias")}


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
    values, slopes = dict(zip(NAMES, p, strict=False)), dict(zip(NAMES, g, strict=False))
    layer = SimpleNamespace(params=dict(values), grads=dict(slopes))
    layer.parameters, layer.gradients = layer.params, layer.grads
    for key, value in values.items():
        for name in NAMES[key]:
            setattr(layer, name, value)
            for form in ("d{}", "dLd{}", "dL_d{}", "d_{}", "grad_{}", "grad{}", "{}_grad", "{}_gradient"):
                setattr(layer, form.format(name), slopes[key])
    return layer


def from_layer(layer: SimpleNamespace, p: Arrays) -> Arrays:
    """The parameters as an optimizer left them: of the names for one, that which has changed."""
    found = []
    for old, (key, names) in zip(p, NAMES.items(), strict=False):
        values = [getattr(layer, name) for name in names] + [layer.params[key]]
        found.append(next((value for value in values if value is not old), old))
    return found


def by_arrays(p: Arrays, g: Arrays) -> Given:
    return (p[0], g[0]), lambda: p[:1]


def by_lists(p: Arrays, g: Arrays) -> Given:
    values = list(p)
    return (values, list(g)), lambda: values


def by_keys(keys: Sequence[str], slopes: Sequence[str], p: Arrays, g: Arrays) -> Given:
    values = dict(zip(keys, p, strict=False))
    return (values, dict(zip(slopes, g, strict=False))), lambda: list(values.values())


by_dicts = functools.partial(by_keys, ("W", "b"), ("W", "b"))
by_other_dicts = functools.partial(by_keys, ("W1", "b1", "W2", "b2"), ("dW1", "db1", "dW2", "db2"))


def by_layer(p: Arrays, g: Arrays, held: SimpleNamespace) -> Given:
    vars(held).update(vars(layer_of(p, g)))  # the same layer in each step: an optimizer may keep its state there
    return (held,), lambda: from_layer(held, p)


def by_layers(p: Arrays, g: Arrays, held: SimpleNamespace) -> Given:
    (layer,), result = by_layer(p, g, held)
    return ([layer],), result


def by_pairs(p: Arrays, g: Arrays) -> Given:
    values = [tuple(p)]
    return (values, [tuple(g)]), lambda: values


FORMS = (by_arrays, by_lists, by_dicts, by_other_dicts, by_layer, by_layers, by_pairs)


def arrays_in(found: Any) -> Arrays:
    """The parameters in what an optimizer gave back."""
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list) and found and isinstance(found[0], tuple):
        found = [one for pair in found for one in pair]
    if isinstance(found, np.ndarray) or np.isscalar(found):
        found = [np.asarray(found)]
    return [np.array(one.data if isinstance(one, Parameter) else one, np.float64) for one in found]
