"""Layers that make images smaller or larger, without parameters: pooling and up-sampling."""

from __future__ import annotations

import math

import numpy as np

from ..arguments import affordable, as_given, flag, pair
from ..backend import Array, array_module
from .convolution import patch_counts, require_images
from .layer import Layer
from .patches import Pair, overlap_add, pad, patches


class MaxPool2d(Layer):
    """The largest number of each patch, channel by channel: x (N, H, W, C) -> y (N, OH, OW, C).

    The stride is by default the kernel's size, so that patches lie side by side. OH = ⌊(H - kernel_size) / stride⌋ + 1: the
    pixels that are left over at the far edges are dropped. With `ceil_mode` they become a smaller patch: ⌈…⌉ instead of ⌊…⌋.
    The gradient goes to the place of the maximum; if several are equal, to the first in reading order. Raises ShapeError if
    no patch fits.
    """

    examples_apart = True
    symbol = "p"
    formulas = {
        "y": "max(windows(x, K, S, y_size), axis=3)  # Of every window only the largest number is passed on, so the image gets smaller and a small shift changes little. ([Chapter 08](08_convolution.py))",
        "dx": "from_windows(spread(dy, K) * first_max(windows(x, K, S, y_size)), x_size, K, S)  # Only the largest number of a window made y, so it alone gets what is asked; moving the others changes nothing.",
    }

    def __init__(self, kernel_size: int | Pair, stride: int | Pair | None = None, *, ceil_mode: bool = False):
        self.kernel_size, self.stride = as_given(kernel_size), as_given(stride)
        self.ceil_mode = flag(self, "ceil_mode", ceil_mode)
        self.K = pair(self, "kernel_size", kernel_size)
        self.S = self.K if stride is None else pair(self, "stride", stride)
        size = math.prod(self.K)
        self.flops = size, 0, 3 * size  # compare; compare, times dy, add where patches overlap

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        require_images(self, x)
        xp = array_module(x)
        self.x_size = x.shape[1:3]
        if self.ceil_mode:  # a place outside of x is never the maximum
            x = pad(x, *((0, missing(*axis)) for axis in zip(self.x_size, self.K, self.S, strict=True)), -xp.inf)
        patch_counts(self, x, self.K, self.S, (0, 0))
        self.x_at = by_offset(patches(x, self.K, self.S))  # (KH·KW, N, OH, OW, C)
        self.y = xp.max(self.x_at, axis=0)
        return self.y

    def backward(self, dy: Array) -> Array:
        xp = array_module(dy)
        # y = max of x_at over the offsets
        dx_at = xp.empty(self.x_at.shape, dtype=dy.dtype)
        free = xp.ones(dy.shape, dtype=bool)  # the patches whose maximum has not been found yet
        for x, dx in zip(self.x_at, dx_at, strict=True):
            first = free & (x == self.y)
            xp.multiply(dy, first, out=dx)  # ∂L/∂x = dy where x is the first maximum, otherwise 0
            free ^= first
        return overlap_add(in_patches(dx_at, self.K), self.x_size, self.S)


class AvgPool2d(Layer):
    """The mean of each patch, channel by channel: x (N, H, W, C) -> y (N, OH, OW, C).

    The stride is by default the kernel's size; OH = ⌊(H - kernel_size) / stride⌋ + 1. Raises ShapeError if no patch fits.
    """

    examples_apart = True
    symbol = "p"
    formulas = {
        "y": "mean(windows(x, K, S, y_size), axis=3)  # Every window becomes its mean, so the image gets smaller.",
        "dx": "from_windows(spread(dy, K) / area(K), x_size, K, S)  # Every number of a window has the same share in its mean, so each gets the same share of what is asked.",
    }

    def __init__(self, kernel_size: int | Pair, stride: int | Pair | None = None):
        self.kernel_size, self.stride = as_given(kernel_size), as_given(stride)
        self.K = pair(self, "kernel_size", kernel_size)
        self.S = self.K if stride is None else pair(self, "stride", stride)
        size = math.prod(self.K)
        self.flops = size, 0, 1 + size  # add all of a patch, the last a quotient; dy / K, add

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        require_images(self, x)
        patch_counts(self, x, self.K, self.S, (0, 0))
        self.x_size = x.shape[1:3]
        return array_module(x).mean(by_offset(patches(x, self.K, self.S)), axis=0)

    def backward(self, dy: Array) -> Array:
        # y = 1/K Σ of the K numbers of a patch
        share = dy / (self.K[0] * self.K[1])
        dx = array_module(dy).broadcast_to(share[:, :, :, None, None, :], (*dy.shape[:3], *self.K, dy.shape[3]))
        return overlap_add(dx, self.x_size, self.S)  # ∂L/∂x = Σ dy / K over the patches that hold x


class UpSample2d(Layer):
    """Each pixel becomes scale × scale equal pixels (nearest neighbour): x (N, H, W, C) -> y (N, H·scale, W·scale, C).

    Its adjoint sums each patch of scale × scale pixels, so ∂L/∂x is that sum of dy.
    """

    examples_apart = True
    symbol = "v"
    flops = 0, 0, 1  # copies; the sum of dy over them
    formulas = {
        "y": "upsample(x, S)  # Every pixel is copied to a block, so the image gets larger.",
        "dx": "sum(windows(dy, S, S, x_size), axis=3)  # A pixel stands in all places of its block, so what is asked of these adds up.",
    }

    def __init__(self, scale: int | Pair):
        self.scale = as_given(scale)
        self.S = pair(self, "scale", scale)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        require_images(self, x)
        N, H, W, C = x.shape
        affordable(self, N, H * self.S[0], W * self.S[1], C)
        y = array_module(x).broadcast_to(x[:, :, None, :, None, :], (N, H, self.S[0], W, self.S[1], C))
        return y.reshape(N, H * self.S[0], W * self.S[1], C)

    def backward(self, dy: Array) -> Array:
        # y holds each x scale² times
        return array_module(dy).sum(by_offset(patches(dy, self.S, self.S)), axis=0)  # ∂L/∂x = Σ dy over its copies


def by_offset(windows: Array) -> Array:
    """Patches (N, OH, OW, KH, KW, C) as (KH·KW, N, OH, OW, C): an image of the pixels at each offset. So sums and maxima
    over the offsets run along long stretches of memory.
    """
    N, OH, OW, KH, KW, C = windows.shape
    return windows.transpose(3, 4, 0, 1, 2, 5).reshape(KH * KW, N, OH, OW, C)


def in_patches(images: Array, kernel: Pair) -> Array:
    """The inverse of `by_offset`."""
    return images.reshape(*kernel, *images.shape[1:]).transpose(2, 3, 4, 0, 1, 5)


def missing(size: int, kernel: int, stride: int) -> int:
    """How much an axis must grow to make a smaller last patch whole, if that patch begins within the axis."""
    last = -(-(size - kernel) // stride) * stride  # where the last patch begins
    if last >= size:
        last -= stride
    return max(last + kernel - size, 0)
