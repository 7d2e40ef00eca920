"""Find the bug: a dense layer.

This layer runs, its shapes fit, and the first gradient that it computes is right. One line of it is wrong.
Read what the check says, find the line, mend it, and say how training would go with it.

    y = x W + b          x (N, inputs), W (inputs, outputs), b (outputs,), y (N, outputs)

Check:  scratchae check 03_bug_dense
"""

import numpy as np


class Dense:
    def __init__(self, inputs, outputs, rng=None):
        rng = np.random.default_rng(rng)  # takes a generator, a seed, or None
        self.W = rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)
        self.b = np.zeros(outputs)
        self.dW = np.zeros_like(self.W)
        self.db = np.zeros_like(self.b)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW += self.x.T @ dy
        self.db = dy.sum(axis=0)
        return dy @ self.W.T
