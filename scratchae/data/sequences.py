"""Sequences of several lengths as one array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..arguments import number
from ..backend import Array, require_floats
from ..errors import ArrayTypeError, DataError, ShapeError


def padded(sequences: Sequence[Array], padding: float = -1.0) -> np.ndarray:
    """Sequences (Tᵢ, D) of several lengths as one array (N, T, D), filled up with `padding`, for layers with the same `padding`.

    T is the longest length. Raises DataError if there are none, if one has no step, or if a step of one holds padding only, and
    ShapeError if they differ in D.
    """
    number("padded", "padding", padding)
    if not isinstance(sequences, Iterable) or getattr(sequences, "ndim", 1) == 0:
        raise ArrayTypeError(f"padded got a {type(sequences).__name__}: expected a list of arrays (T, D)")
    arrays = [np.asarray(sequence) for sequence in sequences]
    if not arrays:
        raise DataError("padded got no sequences: expected a list of arrays (T, D)")
    for i, array in enumerate(arrays):
        if array.ndim != 2 or array.shape[1:] != arrays[0].shape[1:]:
            raise ShapeError(
                f"sequence {i} has shape {array.shape}, sequence 0 {arrays[0].shape}: expected (T, D) with one D for all; a series of "
                "single numbers is series[:, None]"
            )
        require_floats(array, name=f"sequence {i}")
        if not len(array):
            raise DataError(f"sequence {i} has no steps: leave it out")
        if (steps := np.flatnonzero((array == padding).all(axis=1))).size:
            raise DataError(
                f"step {steps[0]} of sequence {i} holds padding={padding:g} only, and would be skipped: choose a number that the data "
                "do not hold"
            )
    found = np.full((len(arrays), max(map(len, arrays)), arrays[0].shape[1]), padding, np.result_type(*arrays))
    for row, array in zip(found, arrays, strict=True):
        row[: len(array)] = array
    return found
