"""One number for each channel, for images and for rows: y + b, and sums over pixels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..backend import Array, array_module


def channelwise(operation: Callable[..., Array], x: Array, v: Array, out: Array | None = None) -> Array:
    """operation(x, v) of an elementwise operation, with one number of v (C,) for each channel of x (…, C).

    NumPy loops along the last axis, and a loop over a few channels is mostly overhead. So each example becomes one long row,
    and v is repeated to match.
    """
    if array_module(x) is not np:
        return operation(x, v, out=out)
    rows = x.reshape(len(x), math.prod(x.shape[1:]))
    v = np.tile(v, rows.shape[1] // len(v))
    return operation(rows, v, out=None if out is None else out.reshape(rows.shape)).reshape(x.shape)


def add_channels(y: Array, b: Array) -> Array:
    """y + b, with one number of b (C,) for each channel of y (…, C). It is written over y if y is contiguous in memory."""
    return channelwise(array_module(y).add, y, b, out=y)


def channel_sums(x: Array, out: Array | None = None) -> Array:
    """Σ of x (…, C) over all axes but the last, (C,): a product with ones, since NumPy is slow at adding up many short rows."""
    xp = array_module(x)
    rows = x.reshape(-1, x.shape[-1])
    return xp.matmul(xp.ones(len(rows), dtype=x.dtype), rows, out=out)
