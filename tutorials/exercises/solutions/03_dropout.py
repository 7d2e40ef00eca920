"""Dropout: its mask, its backward pass, and why it divides.

In training each number of x is dropped with probability p, `rate`, independently of the others:

    m = 0 with probability p, else 1 / (1 - p)          one m for each number of x
    y = x m

`forward(x, rng)` draws the mask with rng; without an rng, y = x (that is how the trained network is used).
`backward(dy)` belongs to the forward that ran last, with the mask that was drawn there.

`moments(x)` returns the expectation and the variance of each number of y over the masks, for given x.
Derive them: E[m] = p · 0 + (1 - p) / (1 - p), and E[m²] = …

Check:  scratchae check 03_dropout
"""

import numpy as np


class DropoutWithMoments:
    def __init__(self, rate):
        self.rate = rate

    def forward(self, x, rng=None):
        self.m = None
        if rng is None:
            return x
        self.m = (rng.random(x.shape) >= self.rate) / (1 - self.rate)
        return x * self.m

    def backward(self, dy):
        return dy if self.m is None else dy * self.m

    def moments(self, x):
        """(E[y], Var[y]), each as large as x."""
        # E[m] = 1, E[m²] = (1 - p) / (1 - p)² = 1 / (1 - p)
        return x, x**2 * self.rate / (1 - self.rate)
