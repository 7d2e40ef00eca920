"""How the numbers of a file become numbers that a network learns from; decided once, from the training examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError
from .source import Source

READ = 2**23  # bytes, as float64, that are read at a time from what may be larger than memory


@dataclass(frozen=True)
class Scaling:
    """x' = (x - offset) / divisor, float32; a missing number, NaN, becomes the mean, so 0 where the data are standardised.

    offset and divisor: a number for each feature, for each channel of images, or one for all. unit: whether x' lies in [0, 1].
    said: what was done, in words.
    """

    said: str
    unit: bool
    offset: np.ndarray
    divisor: np.ndarray

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Numbers of the file, scaled."""
        scaled = (x.astype(np.float32) - self.offset) / self.divisor
        if not self.unit:
            np.nan_to_num(scaled, copy=False, nan=0.0, posinf=np.inf, neginf=-np.inf)
        return scaled

    def undo(self, x: np.ndarray) -> np.ndarray:
        """Scaled numbers in those of the file."""
        return x * self.divisor + self.offset

    def record(self) -> dict[str, Any]:
        """Itself, as JSON can hold it."""
        return {
            "said": self.said,
            "unit": self.unit,
            "offset": self.offset.tolist(),
            "divisor": self.divisor.tolist(),
        }

    @staticmethod
    def from_record(record: dict[str, Any]) -> Scaling:
        offset, divisor = (np.asarray(record[name], np.float32) for name in ("offset", "divisor"))
        return Scaling(record["said"], record["unit"], offset, divisor)


def divided(by: float, said: str) -> Scaling:
    return Scaling(said, True, np.float32(0), np.float32(by))


PIXELS = divided(255, "bytes, divided by 255")


def scaling_for(source: Source, rows: np.ndarray) -> Scaling:
    """The scaling that suits the data: bytes and other images are divided by their largest possible value, numbers from 0 to 1
    stay, and all else is standardised, a table always and column by column. rows: the training examples, which alone decide.
    """
    x = source.x
    if x.dtype == np.uint8:
        return PIXELS
    if x.dtype == np.uint16:
        return divided(65535, "numbers of 16 bits, divided by 65,535")
    images = x.ndim == 4
    count, low, high, total, squares = 0, np.inf, -np.inf, 0.0, 0.0
    axes = (0, 1, 2) if images else (0,)
    for block in blocks(x, rows):
        require_finite(block, source)
        there = np.isfinite(block)
        block = np.where(there, block, 0).astype(np.float64)
        low, high = min(low, float(block.min())), max(high, float(block.max()))
        count, total, squares = (
            count + there.sum(axis=axes),
            total + block.sum(axis=axes),
            squares + (block**2).sum(axis=axes),
        )
    if not source.columns and 0 <= low <= high <= 1:
        return divided(1, "numbers from 0 to 1, left as they are")
    if images and low >= 0:
        largest = 255 if 128 < high <= 255 else high
        return divided(largest, f"numbers from 0, divided by {largest:g}")
    mean = total / np.maximum(count, 1)
    deviation = np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 0))
    constant = deviation <= 1e-7 * np.maximum(np.abs(mean), 1)
    what = "channel" if images else "column"
    said = f"each {what} standardised to mean 0 and deviation 1"
    if constant.any():
        said += f"; {constant.sum()} of {len(constant)} {what}s never change{named(source, constant)}"
    deviation = np.where(constant, 1, deviation)
    return Scaling(said, False, mean.astype(np.float32), deviation.astype(np.float32))


def named(source: Source, chosen: np.ndarray) -> str:
    """The names of some of the columns, in brackets, if they have names."""
    names = [source.columns[i] for i in np.flatnonzero(chosen)] if source.columns else []
    return f" ({', '.join(names[:5])}{', …' * (len(names) > 5)})" if names else ""


def blocks(x: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    """The rows, some at a time, in memory."""
    count = max(READ // (8 * x[0].size), 1)
    for start in range(0, len(rows), count):
        yield np.asarray(x[rows[start : start + count]])


def require_finite(x: np.ndarray, source: Source) -> None:
    """Raise DataError for NaN and infinity; a table has NaN only where missing cells were allowed."""
    wrong = np.isinf(x) if source.columns else ~np.isfinite(x)
    if wrong.any():
        count = int(wrong.reshape(len(x), -1).any(axis=1).sum())
        raise DataError(
            f"{source.name} holds NaN or infinity, in {count} of the first {len(x)} rows read: repair or remove them"
        )
