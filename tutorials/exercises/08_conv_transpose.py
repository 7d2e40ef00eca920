"""The transposed convolution: the adjoint, forward and backward.

A convolution y = im2col(x) W is linear in x. Its transpose sends an image of the size of y to one of the
size of x: every pixel paints the kernel, in its strength, and what overlaps adds up.

    y = col2im(x Wᵀ) + b        x (N, H, W, Cin) as rows (N·H·W, Cin), W (K·K·Cout, Cin), b (Cout,)
                                y (N, H + K - 1, W + K - 1, Cout)

`im2col` and `col2im` are transposes of each other, so backward goes the other way:

    columns = im2col(dy)        (N·H·W, K·K·Cout)
    dW = …, db = …, dx = …      dx (N, H, W, Cin)

    im2col(x, (K, K))               images (N, H, W, C) -> matrix (N·OH·OW, K·K·C)
    col2im(columns, (H, W), (K, K)) the matrix -> images (N, H, W, C)

Check:  scratchae check 08_conv_transpose
"""

import numpy as np

from scratchae.layers.patches import col2im, im2col


class ConvTranspose2d:
    def __init__(self, in_channels, out_channels, rng=None):
        rng = np.random.default_rng(rng)  # takes a generator, a seed, or None
        self.K = 3
        self.W = rng.standard_normal((self.K * self.K * out_channels, in_channels))
        self.b = np.zeros(out_channels)

    def forward(self, x):
        N, H, W, Cin = self.shape = x.shape
        self.rows = x.reshape(-1, Cin)  # (N·H·W, Cin)
        size = H + self.K - 1, W + self.K - 1
        raise NotImplementedError("return y, by col2im of a product, to this size")

    def backward(self, dy):
        raise NotImplementedError("columns = im2col(dy), then dW, db and dx")
