"""The backward pass of a dense layer, some of whose connections are cut.

The mask M (inputs, outputs) is given and does not change: it holds True where a connection is, and
False where it is cut. Forward, for N examples at once:

    V = W ⊙ M            element by element: a cut connection has weight 0
    y = x V + b          x (N, inputs), W (inputs, outputs), b (outputs,), y (N, outputs)

Backward is given dy = ∂L/∂y, as large as y. Derive and write

    self.dW = ∂L/∂W      (inputs, outputs)
    self.db = ∂L/∂b      (outputs,)
    return ∂L/∂x         (N, inputs)

Begin with one number: yₙₖ = Σᵢ xₙᵢ Wᵢₖ Mᵢₖ + bₖ. In which y does Wᵢₖ stand, and times what? Add up
over all of them, then write the sum as a product of matrices.

Check:  scratchae check 02_masked
"""

import numpy as np


class MaskedDense:
    def __init__(self, inputs, outputs, rng=None):
        rng = np.random.default_rng(rng)  # takes a generator, a seed, or None
        self.W = rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)
        self.b = np.zeros(outputs)
        self.M = rng.random((inputs, outputs)) < 0.5

    def forward(self, x):
        self.x = x
        return x @ (self.W * self.M) + self.b

    def backward(self, dy):
        raise NotImplementedError("self.dW = …, self.db = …, and return ∂L/∂x")
