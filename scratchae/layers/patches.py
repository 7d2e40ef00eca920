"""Images as the patches that a convolution looks at, and patches as images: `im2col` and its adjoint `col2im`.

`im2col` lays every patch of x in a row of a matrix, so that a convolution is one matrix product, im2col(x) W. Each
number of that matrix is a number of x, or a 0 of the padding: im2col is linear, a matrix P of zeros and ones applied to
the numbers of x. Its transpose goes the other way: `col2im` adds every number of the matrix to the place in the image
that it was taken from, and

    ⟨im2col(x), columns⟩ = ⟨x, col2im(columns)⟩    for all x and all columns.

The chain rule needs exactly this: ∂L/∂x = Pᵀ ∂L/∂columns = col2im(∂L/∂columns).

Images are (N, H, W, C). Kernel, stride and padding are pairs (height, width), written (KH, KW), (SH, SW), (PH, PW)
below. An image has OH × OW patches: one at every multiple of the stride, as long as the patch lies within the padded
image, so OH = ⌊(H + 2 PH - KH) / SH⌋ + 1.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

from ..backend import Array, Pair, array_module, count, example_blocks, kernel_for, one_kernel
from .channels import add_channels


@one_kernel
def im2col(x: Array, kernel: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0)) -> Array:
    """The patches of x as the rows of a matrix: x (N, H, W, C) -> columns (N·OH·OW, KH·KW·C).

    columns[(n, oy, ox), (i, j, c)] = x[n, oy SH + i - PH, ox SW + j - PW, c], or 0 where that is outside of x.
    """
    xp = array_module(x)
    windows = patches(pad(x, (padding[0],) * 2, (padding[1],) * 2), kernel, stride)
    N, OH, OW, KH, KW, C = windows.shape
    if C < 4:
        # a copy is fast along long runs of neighbours in memory: KW C numbers of a patch are few here, OW of an image are more
        columns = xp.ascontiguousarray(windows.transpose(3, 4, 5, 0, 1, 2))
        return columns.reshape(KH * KW * C, N * OH * OW).T
    # nothing is copied if a patch is a whole image
    return xp.ascontiguousarray(windows).reshape(N * OH * OW, KH * KW * C)


class Columns:
    """im2col(x) as a factor of matrix products, for some images at a time.

    The matrix is larger than x as often as a pixel lies in several patches. Whole, it would leave the core's cache between im2col
    and the product. So a block of it is made for each product, and once more for the next one. If one block is all, as on a GPU, it
    is kept.
    """

    def __init__(self, x: Array, kernel: Pair, stride: Pair, padding: Pair):
        self.geometry = kernel, stride, padding
        self.places = math.prod(count(*axis) for axis in zip(x.shape[1:3], *self.geometry, strict=True))
        self.blocks = example_blocks(x, self.places * math.prod(kernel) * x.shape[3])
        keeps = len(self.blocks) == 1 and kernel_for("column_products", x) is None
        self.x, self.whole = (None, im2col(x, *self.geometry)) if keeps else (x, None)

    def products(
        self, W: Array | None = None, b: Array | None = None, dy: Array | None = None, dW: Array | None = None
    ) -> Array | None:
        """im2col(x) W + b, and im2col(x)ᵀ dy written to dW: those of the two that have a factor, from the same columns."""
        factors = [factor for factor in (W, b, dy, dW) if factor is not None]
        if self.whole is None and (kernel := kernel_for("column_products", self.x, factors)):
            return kernel(self.x, self.geometry, W, b, dy, dW)
        xp, y = array_module(factors[0]), None
        if W is not None:
            dtype = xp.result_type(W, self.x if self.whole is None else self.whole)
            y = xp.empty((self.blocks[-1].stop * self.places, W.shape[1]), dtype)
        for images in self.blocks:
            columns = im2col(self.x[images], *self.geometry) if self.whole is None else self.whole
            rows = slice(images.start * self.places, images.stop * self.places)
            if W is not None:
                xp.matmul(columns, W, out=y[rows])
            if b is not None:
                add_channels(y[rows].reshape(-1, self.places, len(b)), b)
            if dy is not None and rows.start == 0:
                xp.matmul(columns.T, dy[rows], out=dW)
            elif dy is not None:
                dW += xp.matmul(columns.T, dy[rows])
        return y


@one_kernel
def col2im(columns: Array, size: Pair, kernel: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0)) -> Array:
    """The adjoint of `im2col`: columns (N·OH·OW, KH·KW·C) -> x (N, H, W, C), where size is (H, W).

    x[n, u, v, c] = Σ columns[(n, oy, ox), (i, j, c)] over all with u = oy SH + i - PH and v = ox SW + j - PW.
    """
    OH, OW = (count(*axis) for axis in zip(size, kernel, stride, padding, strict=True))
    C = columns.shape[1] // (kernel[0] * kernel[1])
    return overlap_add(columns.reshape(-1, OH, OW, *kernel, C), size, stride, padding)


@one_kernel
def matmul_col2im(
    y: Array, W: Array, size: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0), b: Array | None = None
) -> Array:
    """col2im(y Wᵀ) + b: each pixel of y paints the kernel, scaled by the pixel's value, and overlaps add up.

    y (N, OH, OW, D), W (KH, KW, C, D), b (C,) or None for 0 -> x (N, H, W, C), where size is (H, W).
    """
    xp = array_module(y)
    N, OH, OW, D = y.shape
    KH, KW, C, _ = W.shape
    if OH * OW == 1:  # nothing overlaps
        x = col2im(xp.matmul(y.reshape(N, D), W.reshape(-1, D).T), size, (KH, KW), stride, padding)
    elif C == 1:  # columns of long runs, one for each offset of the kernel
        x = col2im(xp.matmul(W.reshape(-1, D), y.reshape(-1, D).T).T, size, (KH, KW), stride, padding)
    else:
        x = matmul_by_phases(y, W, size, stride, padding)
    return x if b is None else add_channels(x, b)


# The parts


def patches(x: Array, kernel: Pair, stride: Pair) -> Array:
    """The patches of x (N, H, W, C) as a view (N, OH, OW, KH, KW, C), where a number appears once for each patch that holds it."""
    N, H, W, C = x.shape
    OH, OW = (count(*axis) for axis in zip((H, W), kernel, stride, (0, 0), strict=True))
    n, h, w, c = x.strides
    return array_module(x).lib.stride_tricks.as_strided(
        x, (N, OH, OW, *kernel, C), (n, h * stride[0], w * stride[1], h, w, c)
    )


def overlap_add(windows: Array, size: Pair, stride: Pair, padding: Pair = (0, 0)) -> Array:
    """The adjoint of `patches`: windows (N, OH, OW, KH, KW, C) added up where they lie in x (N, H, W, C)."""
    N, OH, OW, KH, KW, C = windows.shape
    apart = stride == (KH, KW) or OH * OW == 1
    # the patches lie side by side: one copy in another order is enough
    if apart and size == (OH * KH, OW * KW) and padding == (0, 0):
        return windows.transpose(0, 1, 3, 2, 4, 5).reshape(N, *size, C)
    x = array_module(windows).zeros((N, *size, C), dtype=windows.dtype)
    for i in range(KH):
        at_u, from_u = inside(i, OH, size[0], stride[0], padding[0])
        for j in range(KW):
            at_v, from_v = inside(j, OW, size[1], stride[1], padding[1])
            x[:, at_u, at_v] += windows[:, from_u, from_v, i, j]
    return x


def inside(i: int, patches: int, size: int, stride: int, padding: int) -> tuple[slice, slice]:
    """For offset i of the kernel, the places u = o · stride + i - padding that lie in 0 … size - 1, and their o."""
    first = max(0, -((i - padding) // stride))
    last = min(patches - 1, (size - 1 + padding - i) // stride)
    if last < first:
        return slice(0, 0), slice(0, 0)
    start = first * stride + i - padding
    return slice(start, last * stride + i - padding + 1, stride), slice(first, last + 1)


def pad(x: Array, down: Pair, across: Pair, value: float = 0) -> Array:
    """x (N, H, W, C) with rows (above, below) and columns (left, right) of a value added; a negative number of them is cut off."""
    if not any((*down, *across)):
        return x
    N, H, W, C = x.shape
    y = array_module(x).full((N, H + sum(down), W + sum(across), C), value, dtype=x.dtype)
    (to_u, from_u), (to_v, from_v) = (
        (slice(max(before, 0), length + before + min(after, 0)), slice(max(-before, 0), length + min(after, 0)))
        for length, (before, after) in ((H, down), (W, across))
    )
    y[:, to_u, to_v] = x[:, from_u, from_v]
    return y


# col2im(y Wᵀ) without col2im, which would have to add N OH OW runs of C numbers KH KW times


def matmul_by_phases(y: Array, W: Array, size: Pair, stride: Pair, padding: Pair) -> Array:
    """`matmul_col2im` as a product of patches of y with W rearranged.

    Only the few pixels of y near q contribute to the pixel of x at u = q SH + a - R, where a = 0 … SH - 1 is its phase. So
    all phases of q come from one patch of y. Each phase takes those offsets i of the kernel that lead to it: every SH-th.
    """
    xp = array_module(y)
    N, OH, OW, D = y.shape
    KH, KW, C, _ = W.shape
    down = phases(size[0], OH, KH, stride[0], padding[0])
    across = phases(size[1], OW, KW, stride[1], padding[1])
    row = across.window * D
    vertical = []
    # one vertical phase at a time, since it needs only some rows of the windows; all horizontal phases at once
    for offsets in down.offsets:
        # the places between the kernels stay zero
        first, last = (offsets[0][0], offsets[-1][0] + 1) if offsets else (0, 1)
        W_phase = xp.zeros((last - first, across.window, D, stride[1], C), dtype=W.dtype)
        for p, i in offsets:
            for b, places in enumerate(across.offsets):
                for q, j in places:
                    W_phase[p - first, q, :, b] = W[i, j].T
        vertical.append((slice(first * row, last * row), W_phase.reshape(-1, stride[1] * C)))
    x = xp.empty((N, down.count, stride[0], across.count * stride[1] * C), dtype=xp.result_type(y, W))
    for some in example_blocks(y, down.count * across.count * down.window * row):
        windows = im2col(pad(y[some], down.pad, across.pad), (down.window, across.window))
        for phase, (rows, W_phase) in enumerate(vertical):
            x[some, :, phase] = xp.matmul(windows[:, rows], W_phase).reshape(-1, down.count, x.shape[3])
    x = x.reshape(N, down.count * stride[0], across.count * stride[1], C)
    return xp.ascontiguousarray(x[:, down.start : down.start + size[0], across.start : across.start + size[1]])


class Phases(NamedTuple):
    """One axis of x and y: u = q · stride + phase - start, for q = 0 … count - 1.

    `window` is the number of pixels of y that reach the phases of one q. `pad` is the padding of y that gives every q such a
    window. `offsets` holds for each phase, in order, the places in the window and the kernel's offsets that lead from there.
    """

    count: int
    start: int
    window: int
    pad: Pair
    offsets: tuple[tuple[Pair, ...], ...]


@functools.cache
def phases(size: int, patches: int, kernel: int, stride: int, padding: int) -> Phases:
    """The arrangement of an axis with the least work: `start` shifts the phases, which may make the window a pixel smaller."""

    def arranged(start: int) -> Phases:
        # u = o · stride + i - padding = q · stride + phase - start, so (q - o) · stride + phase = start - padding + i
        found: list[list[Pair]] = [[] for _ in range(stride)]
        for i in reversed(range(kernel)):
            distance, phase = divmod(start - padding + i, stride)
            found[phase].append((-distance, i))  # o - q, ascending
        reached = [distance for offsets in found for distance, _ in offsets]
        nearest, window = min(reached), max(reached) - min(reached) + 1
        count = (size - 1 + start) // stride + 1
        around = (-nearest, count + window - 1 - patches + nearest)
        places = tuple(tuple((distance - nearest, i) for distance, i in offsets) for offsets in found)
        return Phases(count, start, window, around, places)

    return min(map(arranged, range(stride)), key=lambda axis: axis.count * axis.window)
