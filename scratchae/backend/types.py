"""Types that the whole library uses, and the number of patches in an image."""

from __future__ import annotations

from typing import Any, TypeAlias

Array: TypeAlias = Any  # a NumPy or a CuPy array: the library uses only what both have
Pair: TypeAlias = tuple[int, int]  # (height, width)


def count(size: int, kernel: int, stride: int, padding: int) -> int:
    """The number of patches of a kernel's size along an axis."""
    return (size + 2 * padding - kernel) // stride + 1
