"""Adam.

Adam (Kingma and Ba 2015, algorithm 1) divides each gradient by its own usual size. t counts the
steps, from 1:

    m ← β₁ m + (1 - β₁) g           running mean of the gradient
    v ← β₂ v + (1 - β₂) g²          and of its square
    m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)      both began at 0, and are corrected for that
    θ ← θ - lr · m̂ / (√v̂ + ε)

`update` changes `parameters` in place, and returns nothing. How large is the very first step?

Check:  scratchae check 04_adam
"""

import numpy as np


class Adam:
    def __init__(self, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.t = 0

    def update(self, parameters, gradient):
        if self.t == 0:
            self.m = np.zeros_like(parameters)
            self.v = np.zeros_like(parameters)
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * gradient
        self.v = self.beta2 * self.v + (1 - self.beta2) * gradient**2
        m_hat = self.m / (1 - self.beta1**self.t)
        v_hat = self.v / (1 - self.beta2**self.t)
        parameters -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
