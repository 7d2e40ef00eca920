"""Norms of tensors, and medians of what was measured."""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from ..layers import Layer


def values(tensors: list[tuple[Layer, str]], attribute: str) -> list[Array]:
    """The tensors of a layer, or with "d{}" their gradients."""
    return [getattr(layer, attribute.format(name)) for layer, name in tensors]


def norm(tensors: list[Array]) -> float:
    """The Euclidean norm of all numbers of some tensors; infinite if their squares overflow."""
    xp = array_module(tensors[0])
    with np.errstate(over="ignore", invalid="ignore"):
        return float(xp.sqrt(sum(xp.vdot(tensor, tensor) for tensor in tensors)))


def median(numbers: list[float]) -> float:
    """The median of the values that are not NaN; NaN if there are none."""
    numbers = [number for number in numbers if not np.isnan(number)]
    return float(np.median(numbers)) if numbers else float("nan")
