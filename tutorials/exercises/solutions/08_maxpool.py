"""Max pooling over windows of 2 × 2 that lie side by side, forward and backward.

x (N, H, W, C) with even H and W. Each channel by itself:

    y[n, u, v, c] = the largest of x[n, 2u + i, 2v + j, c], i, j = 0, 1        y (N, H/2, W/2, C)

A small change of the largest number changes y by as much, and a change of the others changes nothing.
So where does dy go? If several numbers of a window are equally large (after a ReLU many are 0),
the first of them in reading order gets it: (0, 0), (0, 1), (1, 0), (1, 1). Loops are fine here.

`windows` lays the four numbers of each window along the last axis, and `images` lays them back.

Check:  scratchae check 08_maxpool
"""

import numpy as np


def windows(x):
    """(N, H, W, C) -> (N, H/2, W/2, C, 4), the four numbers in reading order."""
    N, H, W, C = x.shape
    return (
        x.reshape(N, H // 2, 2, W // 2, 2, C)
        .transpose(0, 1, 3, 5, 2, 4)
        .reshape(N, H // 2, W // 2, C, 4)
    )


def images(found):
    """The inverse of `windows`."""
    N, OH, OW, C, _ = found.shape
    return (
        found.reshape(N, OH, OW, C, 2, 2)
        .transpose(0, 1, 4, 2, 5, 3)
        .reshape(N, 2 * OH, 2 * OW, C)
    )


class MaxPoolByHand:
    def forward(self, x):
        found = windows(x)
        self.place = found.argmax(axis=-1)  # of several, the first
        return found.max(axis=-1)

    def backward(self, dy):
        """dy (N, H/2, W/2, C)."""
        at = np.arange(4) == self.place[..., None]  # (N, H/2, W/2, C, 4)
        return images(dy[..., None] * at)
