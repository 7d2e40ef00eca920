"""A number that opens its own gate.

    s = σ(a) = 1 / (1 + e⁻ᵃ)        the gate, between 0 and 1
    y = a s                         element by element; a, s, y, dy and da are all of one shape

(This function is called swish or SiLU.) a acts on y along two paths: as the factor a, and through s.
Add up both, and write the result with a and s alone: no exponential is needed again.

Check your result in your head: what is the slope at a = 0, and far out on either side?

Check:  scratchae check 02_gate
"""

import numpy as np


class Gate:
    def forward(self, a):
        self.a = a
        self.s = 1 / (1 + np.exp(-a))
        return a * self.s

    def backward(self, dy):
        raise NotImplementedError(
            "return ∂L/∂a = dy · ∂y/∂a, written with self.a and self.s"
        )
