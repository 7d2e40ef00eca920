"""The kernels of the CPU as functions of arrays. A GPU makes im2col(x) whole, and multiplies it; here convolution.cpp makes a part at a
time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ...errors import ShapeError
from ..cpu import blas_threads
from ..types import Array, Pair, count
from . import Kernels

CONVOLUTION = {"column_products", "matmul_col2im"}
LONG = {"relu": 2**16, "relu_backward": 2**16}  # in numbers: NumPy is faster on fewer
COLUMNS = 128 * 1024  # in numbers: so much of im2col(x) stays in the cache of a core
LEAST = 64  # rows, since each product reads all of W


class HostKernels(Kernels):
    """The kernels of the CPU: those that a GPU has too, and those of a convolution."""

    def get(self, name: str, x: Array, others: Sequence[object] = ()) -> Callable[..., Array] | None:
        return None if x.size < LONG.get(name, 0) else super().get(name, x, others)

    def column_products(
        self,
        x: Array,
        geometry: tuple[Pair, Pair, Pair],
        W: Array | None,
        b: Array | None,
        dy: Array | None,
        dW: Array | None,
    ) -> Array | None:
        """`layers.patches.Columns.products`."""
        images, n, columns = room(x, *geometry)
        K, D = columns.shape[1], (dy if W is None else W).shape[1]
        y = None if W is None else np.empty((n, D), x.dtype)
        total = None if dy is None else np.zeros((K, D), x.dtype)
        W, b, dy = of_shape("W", W, (K, D)), of_shape("b", b, (D,)), of_shape("dy", dy, (n, D))
        self.launch("column_products", x.dtype, n, images, x, columns, len(columns), D, W, b, y, dy, total)
        if dy is not None:
            dW[...] = total
        return y

    def matmul_col2im(
        self,
        y: Array,
        W: Array,
        size: Pair,
        stride: Pair = (1, 1),
        padding: Pair = (0, 0),
        b: Array | None = None,
    ) -> Array:
        KH, KW, C, D = W.shape
        x = np.empty((len(y), *size, C), y.dtype)
        images, n, columns = room(x, (KH, KW), stride, padding)
        y, W = of_shape("y", y.reshape(-1, y.shape[3]), (n, D)), np.ascontiguousarray(W)
        b = np.zeros(C, y.dtype) if b is None else of_shape("b", b, (C,))
        self.launch("matmul_col2im", x.dtype, n, images, y, W, b, columns, len(columns), D, x)
        return x


def room(x: Array, kernel: Pair, stride: Pair, padding: Pair) -> tuple[Array, int, Array]:
    """The sizes as convolution.cpp reads them, the number of all patches of x, and room for as many as are made at a time."""
    N, H, W, C = x.shape
    OH, OW = (count(*axis) for axis in zip((H, W), kernel, stride, padding, strict=True))
    images = np.array([N, H, W, C, OH, OW, *kernel, *stride, *padding], np.int64)
    n, K = N * OH * OW, math.prod(kernel) * C
    threads = max(library.num_threads for library in blas_threads().lib_controllers)
    return images, n, np.empty((min(max(COLUMNS * threads // K, LEAST), n), K), x.dtype)


def of_shape(name: str, a: Array | None, shape: tuple[int, ...]) -> Array | None:
    """a, side by side in memory. Raises ShapeError for another shape, beside which a kernel would read what is not its own."""
    if a is None:
        return None
    if a.shape != shape:
        raise ShapeError(f"{name} has the shape {a.shape}: expected {shape}, which fits the patches")
    return np.ascontiguousarray(a)
