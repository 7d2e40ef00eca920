"""Images as the patches that a convolution looks at, and back: `im2col` and `col2im`, adjoint to each other.

`im2col` lays every patch of x in a row of a matrix, so that a convolution is one matrix product, im2col(x) W. Each
number of that matrix is a number of x, or a 0 of the padding: im2col is linear, a matrix P of zeros and ones applied to
the numbers of x. Its transpose goes the other way: `col2im` adds every number of the matrix to the place in the image
that it was taken from, and

    ⟨im2col(x), columns⟩ = ⟨x, col2im(columns)⟩    for all x and all columns.

The chain rule asks for just that: ∂L/∂x = Pᵀ ∂L/∂columns = col2im(∂L/∂columns).

Images are (N, H, W, C). Kernel, stride and padding are pairs (height, width), written (KH, KW), (SH, SW), (PH, PW)
below; there are OH × OW patches in an image, one at every multiple of the stride, for as long as it lies within the
padded image: OH = ⌊(H + 2 PH - KH) / SH⌋ + 1.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from ..backend import Array, Pair, array_module, count, one_kernel


@one_kernel
def im2col(x: Array, kernel: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0)) -> Array:
    """The patches of x as the rows of a matrix: x (N, H, W, C) -> columns (N·OH·OW, KH·KW·C).

    columns[(n, oy, ox), (i, j, c)] = x[n, oy SH + i - PH, ox SW + j - PW, c], or 0 where that is outside of x.
    """
    xp = array_module(x)
    windows = patches(pad(x, (padding[0],) * 2, (padding[1],) * 2), kernel, stride)
    N, OH, OW, KH, KW, C = windows.shape
    if C < 4:
        # a copy goes along runs of neighbours in memory: here KW C numbers of a patch would be few, OW of an image are more
        columns = xp.ascontiguousarray(windows.transpose(3, 4, 5, 0, 1, 2))
        return columns.reshape(KH * KW * C, N * OH * OW).T
    return xp.ascontiguousarray(windows).reshape(N * OH * OW, KH * KW * C)  # no copy, if a patch is a whole image


@one_kernel
def col2im(columns: Array, size: Pair, kernel: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0)) -> Array:
    """The adjoint of `im2col`: columns (N·OH·OW, KH·KW·C) -> x (N, H, W, C), where size is (H, W).

    x[n, u, v, c] = Σ columns[(n, oy, ox), (i, j, c)] over all with u = oy SH + i - PH and v = ox SW + j - PW.
    """
    OH, OW = (count(*axis) for axis in zip(size, kernel, stride, padding, strict=True))
    C = columns.shape[1] // (kernel[0] * kernel[1])
    return overlap_add(columns.reshape(-1, OH, OW, *kernel, C), size, stride, padding)


@one_kernel
def matmul_col2im(y: Array, W: Array, size: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0)) -> Array:
    """col2im(y Wᵀ): each pixel of y paints the kernel, in its strength, and what overlaps adds up.

    y (N, OH, OW, D), W (KH, KW, C, D) -> x (N, H, W, C), where size is (H, W).
    """
    xp = array_module(y)
    N, OH, OW, D = y.shape
    KH, KW, C, _ = W.shape
    if OH * OW == 1:  # nothing overlaps
        return col2im(xp.matmul(y.reshape(N, D), W.reshape(-1, D).T), size, (KH, KW), stride, padding)
    if C == 1:  # as columns of long runs, one for each offset of the kernel
        return col2im(xp.matmul(W.reshape(-1, D), y.reshape(-1, D).T).T, size, (KH, KW), stride, padding)
    return matmul_by_phases(y, W, size, stride, padding)


# The parts


def patches(x: Array, kernel: Pair, stride: Pair) -> Array:
    """The patches of x (N, H, W, C) as a view (N, OH, OW, KH, KW, C), in which a number stands as often as patches hold it."""
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
    if apart and size == (OH * KH, OW * KW) and padding == (0, 0):  # side by side: one copy, in another order
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
    """x (N, H, W, C) with so many rows (above, below) and columns (left, right) of a value around it; fewer than 0 are cut off."""
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


# col2im(y Wᵀ) without col2im, which would add up KH KW times N OH OW runs of C numbers


def matmul_by_phases(y: Array, W: Array, size: Pair, stride: Pair, padding: Pair) -> Array:
    """`matmul_col2im` as a product of patches of y with W rearranged.

    A pixel of x at u = q SH + a - R, of phase a = 0 … SH - 1, gets something from the few pixels of y near q only. So all
    phases of q come from one patch of y; each takes those offsets i of the kernel that lead to it, every SH-th.
    """
    xp = array_module(y)
    N, OH, OW, D = y.shape
    KH, KW, C, _ = W.shape
    down = phases(size[0], OH, KH, stride[0], padding[0])
    across = phases(size[1], OW, KW, stride[1], padding[1])
    windows = im2col(pad(y, down.pad, across.pad), (down.window, across.window))
    strips = []
    # one phase down at a time: it needs some rows of the windows; all phases across at once
    for offsets in down.offsets:
        first, last = (offsets[0][0], offsets[-1][0] + 1) if offsets else (0, 1)  # between kernels there are zeros
        W_phase = xp.zeros((last - first, across.window, D, stride[1], C), dtype=W.dtype)
        for p, i in offsets:
            for b, places in enumerate(across.offsets):
                for q, j in places:
                    W_phase[p - first, q, :, b] = W[i, j].T
        row = across.window * D
        strip = xp.matmul(windows[:, first * row : last * row], W_phase.reshape(-1, stride[1] * C))
        strips.append(strip.reshape(N, down.count, across.count * stride[1] * C))
    x = xp.stack(strips, axis=2) if len(strips) > 1 else strips[0]
    x = x.reshape(N, down.count * stride[0], across.count * stride[1], C)
    return xp.ascontiguousarray(x[:, down.start : down.start + size[0], across.start : across.start + size[1]])


class Phases(NamedTuple):
    """One axis of x and y: u = q · stride + phase - start, for q = 0 … count - 1.

    `window` is how many pixels of y reach the phases of one q, `pad` what to put around y for such a window at every q.
    `offsets` holds for each phase, in order, the places in the window, and the offsets of the kernel that lead from there.
    """

    count: int
    start: int
    window: int
    pad: Pair
    offsets: tuple[tuple[Pair, ...], ...]


@functools.cache
def phases(size: int, patches: int, kernel: int, stride: int, padding: int) -> Phases:
    """The arrangement of an axis with the least work: `start` shifts the phases, which may save a pixel of the window."""

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
