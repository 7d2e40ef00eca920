"""IDX files, in which MNIST and its kin (EMNIST, KMNIST, QMNIST) come: any type of number, any number of axes, packed or not."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from ..arguments import any_path, whole
from ..errors import DataError

TYPES = {8: "u1", 9: "i1", 11: "i2", 12: "i4", 13: "f4", 14: "f8"}  # the third byte of a file


def is_idx(path: Path) -> bool:
    """Whether a file begins as an IDX file does, packed by gzip or not."""
    try:
        with open(path, "rb") as file:
            start = file.read(4)
        if start[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                start = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in TYPES and 1 <= start[3] <= 8


def read_idx(path: str | Path, axes: int | None = None) -> np.ndarray:
    """The array in an IDX file, packed by gzip or not: 0, 0, type, number of axes, their lengths as big-endian words, the numbers.

    axes: how many are expected, of bytes; by default any number, of any type. Raises DataError for a file that is damaged, or
    that holds something else.
    """
    path = any_path("read_idx", "path", path)
    if axes is not None:
        whole("read_idx", "axes", axes, 0, most=255)
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b" or path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be decompressed ({error}): it is missing or damaged; use another copy of it"
        ) from None
    begins = content[:4].hex(" ") or "nothing"
    if axes is not None and content[:4] != bytes([0, 0, 8, axes]):
        raise DataError(f"{path} is not an IDX file of uint8 with {axes} axes: it begins with {begins}")
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES or len(content) < 4 + 4 * content[3]:
        raise DataError(
            f"{path} is not an IDX file: it begins with {begins}, expected 00 00, a type and a number of axes"
        )
    kind, header = np.dtype(">" + TYPES[content[2]]), 4 + 4 * content[3]
    shape = tuple(np.frombuffer(content, ">u4", content[3], 4).tolist())
    size = len(content) - header
    if size != math.prod(shape) * kind.itemsize:
        raise DataError(
            f"{path} is damaged: it holds {size} bytes, but its header announces {shape} of {kind.itemsize}"
        )
    return np.frombuffer(content, kind, offset=header).reshape(shape).astype(kind.newbyteorder("="), copy=False)
