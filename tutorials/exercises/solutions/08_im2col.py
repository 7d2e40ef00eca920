"""Patches of an image as the rows of a matrix.

A convolution looks at every K × K patch of an image. `im2col` writes each of them, flattened, in a row:
then the convolution is one matrix product. Images are (N, H, W, C), pixel by pixel with its
channels; there is no padding, and the stride is 1.

    OH = H - K + 1, OW = W - K + 1 patches down and across
    columns (N·OH·OW, K·K·C)
    columns[(n, u, v), (i, j, c)] = x[n, u + i, v + j, c]

The row of patch (n, u, v) is number (n · OH + u) · OW + v. Loops are fine here.

Check:  scratchae check 08_im2col
"""

import numpy as np


def im2col(x, K):
    """x (N, H, W, C) -> columns (N·OH·OW, K·K·C)."""
    N, H, W, C = x.shape
    OH, OW = H - K + 1, W - K + 1
    columns = np.zeros((N, OH, OW, K, K, C), dtype=x.dtype)
    for i in range(K):
        for j in range(K):
            columns[:, :, :, i, j] = x[:, i : i + OH, j : j + OW]
    return columns.reshape(N * OH * OW, K * K * C)
