"""The arrays that an object holds, and the gradients that its backward leaves in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ..readings.assigned import last_of, stems_of_tensor
from ..readings.several import Arrays
from ..text.names import plain, stems_of_gradient
from .paths import Path, keys_of_gradient, keys_of_parameter, short, walk


def is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size > 0


def is_bias(path: Path, value: Any) -> bool:
    """Whether a single number is a parameter, such as self.b = 0.0 of a regression."""
    return isinstance(value, float) and len(path) == 1 and plain(path[0][1]) in ("b", "bias", "intercept", "w0", "b0")


def held_by(thing: Any) -> dict[str, tuple[Path, np.ndarray]]:
    """The arrays of floats that an object holds and that are no gradients of others, with their places, as self.name."""
    arrays = {
        short(path): (path, np.array(value)) for path, value in walk(thing) if is_float(value) or is_bias(path, value)
    }
    stems = {name: stems_of_tensor(name) for name in arrays}
    return {
        f"self.{name}": found
        for name, found in arrays.items()
        if not any(stems_of_gradient(last_of(name)) & stems[other] for other in arrays if other != name)
    }


def left_by(thing: Any, before: Mapping[Path, np.ndarray]) -> Iterator[tuple[Path, np.ndarray]]:
    """The gradients that an object has in its attributes after its backward, and where."""
    for path, array in walk(thing):
        now = np.asarray(array)
        if keys_of_gradient(path) and is_float(now) and not same(now, before.get(path)):
            yield path, now


def labels(left: Iterable[tuple[Path, np.ndarray]]) -> Iterator[tuple[str, np.ndarray]]:
    return ((f"self.{short(path)}", now) for path, now in left)


def handed_over(
    left: Iterable[tuple[Path, np.ndarray]],
    arguments: Arrays,
    names: Collection[str],
    before: Mapping[Path, np.ndarray],
) -> Iterator[tuple[str, np.ndarray]]:
    """Gradients, under the names of the constructor's arguments where the object holds these in a place that tells: grads[0] of params[0]."""
    held = {
        path: name for name in names for path, array in before.items() if same(array, np.asarray(arguments[name]))
    }
    for path, now in left:
        name = next((name for other, name in held.items() if keys_of_parameter(other) & keys_of_gradient(path)), None)
        yield (f"d{name}" if name else f"self.{short(path)}"), now


def same(now: np.ndarray, before: np.ndarray | None) -> bool:
    return before is not None and now.shape == before.shape and np.array_equal(now, before, equal_nan=True)
