"""The backward pass of the sigmoid.

    y = σ(a) = 1 / (1 + e⁻ᵃ)        element by element; a, y, dy and da are all of one shape

Derive ∂y/∂a, and write it with y alone: y is there already, so no exponential is needed.

Check:  scratchae check 02_sigmoid
"""

import numpy as np


class Sigmoid:
    def forward(self, a):
        self.y = 1 / (1 + np.exp(-a))
        return self.y

    def backward(self, dy):
        return dy * self.y * (1 - self.y)  # y = 1 / (1 + exp(-x))
