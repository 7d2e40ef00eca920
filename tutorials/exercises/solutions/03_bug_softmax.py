"""Find the bug: softmax.

    yⱼ = e^xⱼ / Σₖ e^xₖ        within each example; x, y (N, D), and each row of y adds up to 1

Moving one x moves every y of its example: all share the sum below the line. So

    ∂L/∂xᵢ = Σⱼ dyⱼ ∂yⱼ/∂xᵢ,   with ∂yⱼ/∂xᵢ = yⱼ (1 - yⱼ) for i = j, and … for i ≠ j

Check:  scratchae check 03_bug_softmax
"""

import numpy as np


class Softmax:
    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = e / e.sum(axis=1, keepdims=True)
        return self.y

    def backward(self, dy):
        return self.y * (dy - (dy * self.y).sum(axis=1, keepdims=True))  # ∂yⱼ/∂xᵢ = -yᵢ yⱼ
