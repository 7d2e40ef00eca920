"""Convolution and its adjoint, the transposed convolution: each is a matrix product with `im2col` before it or `col2im` after it.

Both have a kernel W with four axes: height, width, channels of the larger image, channels of the smaller one. With the
same W, stride and padding, and without b,

    ⟨Conv2d(x), y⟩ = ⟨x, ConvTranspose2d(y)⟩    for all images x and y:

each is the adjoint of the other: its matrix is the other's, transposed. So the forward of one is the ∂L/∂x of the other.
"""

from __future__ import annotations

import math

import numpy as np

from ..arguments import affordable, as_given, pair, whole
from ..backend import Array, Pair, array_module, count
from ..errors import OptionError, ShapeError
from .channels import channel_sums
from .initial import draw_weights
from .layer import Layer
from .patches import Columns, matmul_col2im
from .steps import rows


class Conv2d(Layer):
    """Convolution of images (as in other libraries, the kernel is not turned: strictly, a correlation), y = im2col(x) W + b.

    x (N, H, W, Cin) -> y (N, OH, OW, Cout), where OH = ⌊(H + 2 padding - kernel_size) / stride⌋ + 1, likewise OW;
    W (KH, KW, Cin, Cout), b (Cout,). A size is one number, or a pair for height and width:

    y[n, oy, ox, d] = b[d] + Σᵢⱼ꜀ W[i, j, c, d] · x[n, oy·stride + i - padding, ox·stride + j - padding, c],

    where x is 0 outside of the image. W is drawn as `init` says: use "he" before ReLU, otherwise "glorot" (see `Dense`).
    b starts at zero.

    Raises ShapeError if x is not (N, H, W, Cin), or if the kernel does not fit into it. Dumoulin and Visin 2016.
    """

    examples_apart = True
    parameter_names = ("W", "b")
    symbol = "a"
    flops = 1, 1, 0  # + b; Σ dy
    formulas = {
        "y": "im2col(x, K, S, P) @ rows(W) + b  # Every patch of x becomes a row of [im2col](glossary.md#im2col), so that one small kernel is applied at all places by one matrix product. ([Chapter 08](08_convolution.py))",
        "dW": "reshape(rows(im2col(x, K, S, P)).T @ rows(dy), W_shape)  # A weight of the kernel is used at every place of every example, so the product adds up what each place asks for, times the pixel that lay there. ([Chapter 08](08_convolution.py))",
        "db": "sum(rows(dy), axis=0)  # The same b is added at every place of every example, so what is asked of all of them adds up.",
        "dx": "col2im(dy @ rows(W).T, x_size, K, S, P)  # A pixel lies in several patches, so what each patch asks of it is added up where it lies: col2im is the [adjoint](glossary.md#adjoint) of im2col. ([Chapter 08](08_convolution.py))",
    }

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        *,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        init: str = "glorot",
        rng: int | np.random.Generator | None = None,
    ):
        self.in_channels = whole(self, "in_channels", in_channels)
        self.out_channels = whole(self, "out_channels", out_channels)
        self.kernel_size, self.stride, self.padding = map(as_given, (kernel_size, stride, padding))
        self.init = init
        self.K = pair(self, "kernel_size", kernel_size)
        self.S = pair(self, "stride", stride)
        self.P = pair(self, "padding", padding, least=0)
        area, reach = self.K[0] * self.K[1], self.K[0] * self.K[1] / (self.S[0] * self.S[1])
        self.W = draw_weights(
            (*self.K, self.in_channels, self.out_channels),
            area * self.in_channels,
            reach * self.out_channels,
            init,
            rng,
            self,
        )
        self.b = np.zeros(self.out_channels, np.float32)
        self.dW = np.zeros_like(self.W)
        self.db = np.zeros_like(self.b)

    def products(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        return math.prod(y_shape[:3]) * self.W.size  # each number of W with every pixel of y: im2col

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        require_images(self, x, self.in_channels)
        OH, OW = patch_counts(self, x, self.K, self.S, self.P)
        self.x_size = x.shape[1:3]
        self.columns = Columns(x, self.K, self.S, self.P)  # (N·OH·OW, KH·KW·Cin)
        y = self.columns.products(rows(self.W), self.b)  # y = columns W + b
        return y.reshape(len(x), OH, OW, self.out_channels)

    def backward(self, dy: Array) -> Array:
        self.backward_parameters(dy)
        # columns = im2col(x); y = columns W + b
        return matmul_col2im(dy, self.W, self.x_size, self.S, self.P)  # ∂L/∂x = col2im(∂L/∂columns) = col2im(dy Wᵀ)

    def backward_parameters(self, dy: Array) -> None:
        # y = columns W + b
        self.columns.products(dy=rows(dy), dW=rows(self.dW))  # ∂L/∂W = columnsᵀ dy
        channel_sums(dy, out=self.db)  # ∂L/∂b = Σ dy over images and pixels


class ConvTranspose2d(Layer):
    """Transposed convolution, y = col2im(x Wᵀ) + b: each pixel of x paints the kernel into y, and overlaps add up.

    x (N, H, W, Cin) -> y (N, OH, OW, Cout), where OH = (H - 1) stride - 2 padding + kernel_size + output_padding,
    likewise OW; W (KH, KW, Cout, Cin), b (Cout,). A size is one number, or a pair for height and width:

    y[n, oy·stride + i - padding, ox·stride + j - padding, c] += Σ_d W[i, j, c, d] · x[n, oy, ox, d], for all i, j, oy, ox.

    It is the adjoint of `Conv2d(Cout, Cin, …)` with the same W. A convolution with a stride maps images of several sizes to
    the same size. `output_padding`, which is less than the stride, chooses between them: it adds rows and columns to y.
    W is drawn as `init` says: use "he" before ReLU, otherwise "glorot". b starts at zero.

    Raises ShapeError if x is not (N, H, W, Cin), or if y would have no pixels. Dumoulin and Visin 2016, chapter 4.
    """

    examples_apart = True
    parameter_names = ("W", "b")
    symbol = "a"
    flops = 1, 1, 0  # + b; Σ dy
    formulas = {
        "y": "col2im(x @ rows(W).T, y_size, K, S, P) + b  # Each number of x paints a patch, the kernel times that number, and patches that overlap add up: it is a convolution's way back, its [transpose](glossary.md#transposed-convolution). ([Chapter 08](08_convolution.py))",
        "dW": "reshape(rows(im2col(dy, K, S, P)).T @ rows(x), W_shape)  # A weight of the kernel paints at every place, so the product adds up what is asked of each pixel that it painted, times the number that it was multiplied by.",
        "db": "sum(rows(dy), axis=0)  # The same b is added at every place of every example, so what is asked of all of them adds up.",
        "dx": "im2col(dy, K, S, P) @ rows(W)  # A number of x painted a patch of y, so what is asked of that patch comes back to it, weighted by the kernel: this is a convolution.",
    }

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        *,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        output_padding: int | Pair = 0,
        init: str = "glorot",
        rng: int | np.random.Generator | None = None,
    ):
        self.in_channels = whole(self, "in_channels", in_channels)
        self.out_channels = whole(self, "out_channels", out_channels)
        self.kernel_size, self.stride, self.padding = map(as_given, (kernel_size, stride, padding))
        self.output_padding, self.init = as_given(output_padding), init
        self.K = pair(self, "kernel_size", kernel_size)
        self.S = pair(self, "stride", stride)
        self.P = pair(self, "padding", padding, least=0)
        self.extra = pair(self, "output_padding", output_padding, least=0)
        if self.extra[0] >= self.S[0] or self.extra[1] >= self.S[1]:
            raise OptionError(
                f"ConvTranspose2d(output_padding={output_padding}, stride={stride}): expected output_padding < stride, "
                "since no convolution could have started from an image of that size"
            )
        area, reach = self.K[0] * self.K[1], self.K[0] * self.K[1] / (self.S[0] * self.S[1])
        self.W = draw_weights(
            (*self.K, self.out_channels, self.in_channels),
            reach * self.in_channels,
            area * self.out_channels,
            init,
            rng,
            self,
        )
        self.b = np.zeros(self.out_channels, np.float32)
        self.dW = np.zeros_like(self.W)
        self.db = np.zeros_like(self.b)

    def products(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        return math.prod(x_shape[:3]) * self.W.size  # each with every pixel of x; what overlaps in y is added up

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.x = x
        # columns = x Wᵀ; y = col2im(columns) + b
        return matmul_col2im(x, self.W, self.output_size(x), self.S, self.P, self.b)

    def backward(self, dy: Array) -> Array:
        # y = col2im(columns) + b
        channel_sums(dy, out=self.db)  # ∂L/∂b = Σ dy over images and pixels
        dcolumns = Columns(dy, self.K, self.S, self.P)  # ∂L/∂columns = im2col(dy), (N·H·W, KH·KW·Cout)
        # columns = x Wᵀ: ∂L/∂W = ∂L/∂columnsᵀ x, and ∂L/∂x = ∂L/∂columns W
        dx = dcolumns.products(rows(self.W), dy=rows(self.x), dW=rows(self.dW))
        return dx.reshape(self.x.shape)

    def output_size(self, x: Array) -> Pair:
        """Height and width of y. Raises ShapeError if x does not fit, or if there would be no pixels."""
        require_images(self, x, self.in_channels)
        sizes = []
        for axis, size, k, s, p, extra in zip(
            ("height", "width"), x.shape[1:3], self.K, self.S, self.P, self.extra, strict=True
        ):
            sizes.append((size - 1) * s - 2 * p + k + extra)
            if sizes[-1] < 1:
                raise ShapeError(
                    f"{self.label()} cannot make an image from x of shape {tuple(x.shape)}: its {axis} would be "
                    f"({size} - 1) · {s} - 2 · {p} + {k} + {extra} = {sizes[-1]}: use less padding or a larger kernel"
                )
        affordable(self, len(x), *sizes, self.out_channels)
        return tuple(sizes)


# Checks that every layer of images makes


def require_images(layer: Layer, x: Array, channels: int | None = None) -> None:
    """Raise ShapeError unless x is (N, H, W, channels) with H, W ≥ 1; without `channels`, any number of them will do."""
    array_module(x)  # raises an error if x is not an array
    if x.ndim == 4 and channels in (None, x.shape[3]) and 0 not in x.shape[1:]:
        return
    if x.ndim == 2:
        way_out = f"give each row its shape back, with Reshape(H, W, {channels or 'C'}) before this layer"
    elif x.ndim == 3 and channels not in (None, 1) and x.shape[2] == channels:
        way_out = "x[None] makes it a batch of one image; of sequences (N, T, C) x[:, :, None] makes images of width 1, for kernels of size (K, 1)"
    elif x.ndim == 3:
        way_out = "x[..., None] makes it images of one channel, x[None] a batch of one image"
    elif 0 in x.shape[1:]:
        way_out = "an image needs at least one pixel and one channel"
    elif x.ndim == 4 and x.shape[1] == channels:
        way_out = "the channels come last; x.transpose(0, 2, 3, 1) moves them there"
    else:
        way_out = "the last axis holds the channels"
    layer.refuse(x, f"(N, H, W, {channels or 'C'})", way_out)


def patch_counts(layer: Layer, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> Pair:
    """The number of patches along the height and the width of x. Raises ShapeError if there are none."""
    counts = []
    for axis, size, k, s, p in zip(("height", "width"), x.shape[1:3], kernel, stride, padding, strict=True):
        counts.append(count(size, k, s, p))
        if counts[-1] < 1:
            raise ShapeError(
                f"{layer.label()} does not fit into x of shape {tuple(x.shape)}: along the {axis} there would be "
                f"⌊({size} + 2 · {p} - {k}) / {s}⌋ + 1 = {counts[-1]} places for the kernel: it can be at most {size + 2 * p} long"
            )
    affordable(layer, len(x), *(size + 2 * p for size, p in zip(x.shape[1:3], padding, strict=True)), x.shape[3])
    return tuple(counts)
