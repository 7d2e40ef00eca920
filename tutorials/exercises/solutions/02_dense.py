"""The backward pass of a dense layer.

Forward, for N examples at once:

    y = x W + b          x (N, inputs), W (inputs, outputs), b (outputs,), y (N, outputs)

Backward is given dy = ∂L/∂y, as large as y. Derive and write

    self.dW = ∂L/∂W      (inputs, outputs)
    self.db = ∂L/∂b      (outputs,)
    return ∂L/∂x         (N, inputs)

Begin with one number: yₙₖ = Σᵢ xₙᵢ Wᵢₖ + bₖ. In which y does Wᵢₖ stand, and times what? Add up
over all of them, then write the sum as a product of matrices. The shapes leave little choice.

Check:  scratchae check 02_dense
"""

import numpy as np


class Dense:
    def __init__(self, inputs, outputs, rng=None):
        rng = np.random.default_rng(rng)  # takes a generator, a seed, or None
        self.W = rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)
        self.b = np.zeros(outputs)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        # y = x W + b
        self.dW = self.x.T @ dy
        self.db = dy.sum(axis=0)
        return dy @ self.W.T
