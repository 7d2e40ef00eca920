"""The arrays that an object holds, and the gradients that its backward leaves in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..readings.assigned import last_of, stems_of_tensor
from ..text.names import plain, stems_of_gradient
from .paths import Path, keys_of_gradient, keys_of_parameter, short, walk

Held = dict[str, tuple[Path, np.ndarray]]


def is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size > 0


def is_bias(path: Path, value: Any) -> bool:
    """Whether a single number is a parameter, such as self.b = 0.0 of a regression."""
    return isinstance(value, float) and len(path) == 1 and plain(path[0][1]) in ("b", "bias", "intercept", "w0", "b0")


def held_by(thing: Any) -> Held:
    """The arrays of floats that an object holds and that are no gradients of others, with their places, as self.name; each once."""
    found = [(path, value) for path, value in walk(thing) if is_float(value) or is_bias(path, value)]
    first = {id(value): path for path, value in reversed(found) if is_float(value)}
    arrays = {short(path): (path, np.array(value)) for path, value in found if first.get(id(value), path) == path}
    stems = {name: stems_of_tensor(name) for name in arrays}
    keys = {name: keys_of_parameter(path) for name, (path, _) in arrays.items()}
    return {
        f"self.{name}": (path, array)
        for name, (path, array) in arrays.items()
        if not any(
            stems_of_gradient(last_of(name)) & stems[other] or keys_of_gradient(path) & keys[other]
            for other in arrays
            if other != name
        )
    }


def copies(thing: Any) -> dict[Path, np.ndarray]:
    """Copies of all arrays and numbers of an object, by place."""
    return {path: np.array(array) for path, array in walk(thing)}


def left_by(
    thing: Any, before: Mapping[Path, np.ndarray], handed: Mapping[str, Any] = {}
) -> Iterator[tuple[str, Any]]:
    """The gradients that an object has in its attributes after its backward, by name, each array once. Of what its constructor was handed they are called
    dW, where the object holds W in a place that tells: grads[0] of params[0]."""
    held = {path: name for name, one in handed.items() for path, old in before.items() if same(old, np.asarray(one))}
    seen: set[int] = set()
    for path, array in walk(thing):
        now, keys = np.asarray(array), keys_of_gradient(path)
        if keys and is_float(now) and not same(now, before.get(path)) and id(array) not in seen:
            seen.add(id(array))
            name = next((name for other, name in held.items() if keys_of_parameter(other) & keys), None)
            yield (f"d{name}" if name else f"self.{short(path)}"), now


def same(now: np.ndarray, before: np.ndarray | None) -> bool:
    return before is not None and now.shape == before.shape and np.array_equal(now, before, equal_nan=True)
