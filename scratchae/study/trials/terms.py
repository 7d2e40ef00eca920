"""The scalar of a reading, L = Σ r y with a fixed r, its arguments, and the tensors among them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ..styles.objects.copies import repeatable
from ..styles.readings.several import Several, UnlikeError
from ..styles.text.fields import Dicts, Fields
from ..styles.text.written import Row


def arguments_of(thing: Several, known: Collection[str]) -> list[str]:
    """The names of the arguments, and the keys of those that are dicts."""
    names = [
        f"{p.name}[{key}]" for p in thing.parameters if p.name not in known for key in thing.keys.get(p.name, ())
    ]
    return [p.name for p in thing.parameters if p.name in known or p.name not in thing.keys] + names


def upstream(y: np.ndarray) -> np.ndarray:
    """∂L/∂y, the same for each y of a shape; 1 for a single number, which is a loss."""
    if y.ndim == 0:
        return np.float64(1.0)
    return np.random.default_rng([y.size, y.ndim]).standard_normal(y.shape)


def tensors_of(arguments: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of floats among arguments, those in a dict by key."""
    found = {}
    for name, value in arguments.items():
        if isinstance(value, dict):
            found |= {f"{name}[{key}]": one for key, one in value.items() if isinstance(one, np.ndarray)}
        elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
            found[name] = value
    return found


def copied(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {key: np.copy(one) if isinstance(one, np.ndarray) else one for key, one in value.items()}
        if isinstance(value, dict)
        else np.copy(value)
        if isinstance(value, np.ndarray)
        else value
        for name, value in arguments.items()
    }


def evaluated(
    thing: Several, arguments: Mapping[str, Any], anew: bool = True, slopes: bool = True
) -> tuple[np.ndarray, list[tuple[str, Any]]]:
    """The terms of L = Σ r y, and the gradients with the names that their author gave them, if they are asked for. anew: np.random begins anew."""
    given = copied(arguments)
    for name, keys in thing.keys.items():
        if isinstance(keys, Row | Fields | Dicts) and isinstance(given.get(name), dict):
            given[name] = keys.packed(given[name][key] for key in keys)
    with repeatable() if anew else contextlib.nullcontext():
        outputs, labelled = thing.run(given, upstream) if slopes or not thing.value else (thing.value(given), [])
    outputs = [np.asarray(y) for y in outputs]
    if any(y.dtype.kind != "f" or y.size == 0 for y in outputs):
        raise UnlikeError
    if not all(np.isfinite(y).all() for y in outputs):
        raise FloatingPointError("y is not finite")
    return np.concatenate([(upstream(y) * y).ravel() for y in outputs]), labelled
