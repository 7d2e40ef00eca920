"""The kernels of kernels.cu as functions of arrays. `backend.one_kernel` calls them instead of several array operations.

Nothing here depends on the kind of array. On a GPU `launch` runs a kernel through CuPy (../cuda/launch.py). On a CPU it runs
the same source, compiled by a C++ compiler (host.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from importlib import resources
from types import ModuleType

import numpy as np

from ..types import Array, Pair, count


def text(name: str) -> str:
    """The text of a file of this folder."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


SOURCE = text("kernels.cu")
TYPES = {"float32": "float", "float64": "double"}  # the type that REAL stands for
DTYPES = set(map(np.dtype, TYPES))
INDEXED = {"take_batch"}  # kernels that take arrays of whole numbers beside x
CHANGES = {"adam"}  # kernels that change x

Launch = Callable[..., None]  # launch(name, dtype, n, *arguments); the arguments are arrays and 64-bit numbers


compiled: Kernels | None = None  # the CPU's kernels, after `host.compile_kernels` has made them


class Kernels:
    """One function for each kernel, with the name and the arguments of its plain twin.

    only: the names of those that are used. shares: whether a kernel shares long arrays among the cores by itself.
    """

    def __init__(self, xp: ModuleType, launch: Launch, only: Collection[str] | None = None, shares: bool = False):
        self.xp, self.launch, self.only, self.shares = xp, launch, only, shares

    def get(self, name: str, x: Array, others: Sequence[object] = ()) -> Callable[..., Array] | None:
        """The function of this name. None if there is none, or if it cannot take these arrays: because of their dtypes, or because
        x is not contiguous, or cannot be changed.
        """
        if x.dtype not in DTYPES or not x.flags.c_contiguous or (self.only is not None and name not in self.only):
            return None
        if name in CHANGES and not getattr(x.flags, "writeable", True):  # CuPy's arrays always are
            return None
        # a kernel would read other numbers than are there, and beyond the array
        for other in others if name not in INDEXED else ():
            if getattr(other, "dtype", x.dtype) != x.dtype:
                return None
        return getattr(self, name, None)

    def elementwise(self, name: str, x: Array, *others: Array) -> Array:
        """A kernel of arrays of one shape and dtype, such as sigmoid(x)."""
        y = self.xp.empty(x.shape, dtype=x.dtype)
        same_shape = (a if a.shape == x.shape else self.xp.broadcast_to(a, x.shape) for a in (x, *others))
        arrays = [*map(self.xp.ascontiguousarray, same_shape)]
        self.launch(name, x.dtype, x.size, *arrays, y)
        return y

    # Activations and losses

    def sigmoid(self, x: Array) -> Array:
        return self.elementwise("sigmoid", x)

    def softplus(self, x: Array) -> Array:
        return self.elementwise("softplus", x)

    def sigmoid_backward(self, y: Array, dy: Array) -> Array:
        return self.elementwise("sigmoid_backward", y, dy)

    def relu(self, x: Array) -> Array:
        return self.elementwise("relu", x)

    def relu_backward(self, y: Array, dy: Array) -> Array:
        return self.elementwise("relu_backward", y, dy)

    def pixel_costs(self, logits: Array, p: Array, target: Array) -> Array:
        return self.elementwise("pixel_costs", logits, p, target)

    # Images

    def im2col(self, x: Array, kernel: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0)) -> Array:
        N, H, W, C = x.shape
        OH, OW = (count(*axis) for axis in zip((H, W), kernel, stride, padding, strict=True))
        columns = self.xp.empty((N * OH * OW, kernel[0] * kernel[1] * C), dtype=x.dtype)
        self.launch("im2col", x.dtype, columns.size, x, columns, H, W, C, OH, OW, *kernel, *stride, *padding)
        return columns

    def col2im(
        self, columns: Array, size: Pair, kernel: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0)
    ) -> Array:
        OH, OW = (count(*axis) for axis in zip(size, kernel, stride, padding, strict=True))
        C = columns.shape[1] // (kernel[0] * kernel[1])
        x = self.xp.empty((len(columns) // (OH * OW), *size, C), dtype=columns.dtype)
        self.launch("col2im", x.dtype, x.size, columns, x, *size, C, OH, OW, *kernel, *stride, *padding)
        return x

    def matmul_col2im(
        self,
        y: Array,
        W: Array,
        size: Pair,
        stride: Pair = (1, 1),
        padding: Pair = (0, 0),
        b: Array | None = None,
    ) -> Array:
        columns = self.xp.matmul(y.reshape(-1, y.shape[3]), W.reshape(-1, W.shape[3]).T)
        x = self.col2im(columns, size, W.shape[:2], stride, padding)
        return x if b is None else self.xp.add(x, b, out=x)

    # Sparsity

    def among_largest(self, rows: Array, k: int) -> Array:
        mask = self.xp.empty(rows.shape, dtype=bool)
        self.launch("among_largest", rows.dtype, rows.size, rows, mask, rows.shape[1], k)
        return mask

    # Training

    def take_batch(self, x: Array, order: Array, position: Array, batch_size: int, rows: int) -> Array:
        batch = self.xp.empty((rows, *x.shape[1:]), dtype=x.dtype)
        width = math.prod(x.shape[1:])
        self.launch("take_batch", x.dtype, batch.size, x, order, position, batch, width, batch_size)
        return batch

    def adam(
        self,
        θ: Array,
        g: Array,
        m: Array,
        v: Array,
        coefficients: Array | Sequence[float],
        beta1: float,
        beta2: float,
        decays: bool = False,
    ) -> None:
        coefficients = self.xp.asarray(coefficients, dtype=θ.dtype)
        # float, since an int 0 would be passed as a whole number
        g, betas = self.xp.ascontiguousarray(g), (float(beta1), float(beta2))
        self.launch("adam", θ.dtype, θ.size, θ, g, m, v, coefficients, *betas)
