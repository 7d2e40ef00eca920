"""What everything else speaks of: arrays, pairs, and how many patches an image has."""

from __future__ import annotations

from typing import Any, TypeAlias

Array: TypeAlias = Any  # a NumPy or a CuPy array: the library uses only what both have
Pair: TypeAlias = tuple[int, int]  # (height, width)


def count(size: int, kernel: int, stride: int, padding: int) -> int:
    """How many patches of a kernel's size there are along an axis."""
    return (size + 2 * padding - kernel) // stride + 1
