"""Gradient descent with momentum.

A ball rolls down the loss: its speed v keeps a share μ of itself, and gains the gradient.

    v ← μ v + g
    θ ← θ - lr · v        θ, g, v are flat vectors of one size; v is 0 before the first step

`update` changes `parameters` in place, and returns nothing. Keep v between the calls.

Check:  scratchae check 04_momentum
"""

import numpy as np


class Momentum:
    def __init__(self, lr, momentum):
        self.lr, self.momentum = lr, momentum
        self.v = None

    def update(self, parameters, gradient):
        if self.v is None:
            self.v = np.zeros_like(parameters)
        self.v *= self.momentum
        self.v += gradient
        parameters -= self.lr * self.v
