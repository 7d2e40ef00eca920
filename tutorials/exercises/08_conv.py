"""The backward pass of a convolution.

With `im2col` a convolution is a dense layer on patches (no padding, stride 1):

    columns = im2col(x)                (N·OH·OW, K·K·Cin)
    y = columns W + b                  W as a matrix (K·K·Cin, Cout), b (Cout,)
                                       y as images (N, OH, OW, Cout)

So dW and db are those of a dense layer. And columns hold every pixel of x several times, once for
each patch that it lies in: ∂L/∂x adds them up again, which is what `col2im`, the transpose of
`im2col`, does.

    im2col(x, (K, K))               images (N, H, W, C) -> matrix (N·OH·OW, K·K·C)
    col2im(columns, (H, W), (K, K)) the matrix -> images (N, H, W, C)

Check:  scratchae check 08_conv
"""

import numpy as np

from scratchae.layers.patches import col2im, im2col


class Conv2d:
    def __init__(self, in_channels, out_channels, rng=None):
        rng = np.random.default_rng(rng)  # takes a generator, a seed, or None
        self.K = 3
        self.W = rng.standard_normal((self.K * self.K * in_channels, out_channels))
        self.b = np.zeros(out_channels)

    def forward(self, x):
        N, H, W, _ = self.shape = x.shape
        self.columns = im2col(x, (self.K, self.K))
        y = self.columns @ self.W + self.b
        return y.reshape(N, H - self.K + 1, W - self.K + 1, -1)

    def backward(self, dy):
        """dy (N, OH, OW, Cout)."""
        N, H, W, _ = self.shape
        raise NotImplementedError("dy as rows of a matrix; then dW, db, and dx by col2im")
