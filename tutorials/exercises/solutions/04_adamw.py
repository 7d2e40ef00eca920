"""Adam, with weight decay of two kinds.

Begin with the four lines of Adam, as in exercise 04_adam. `decay`, λ, makes weights smaller:

    decoupled=True       θ ← (1 - lr λ) θ before the step, and g stays as it is      (AdamW)
    decoupled=False      the loss has the term λ/2 ‖θ‖² too, whose gradient you derive and add to g

Only one of the two passes through m and v. `update` changes `parameters` in place and returns nothing;
it leaves `gradient` as it was. How large is the very first step?

Check:  scratchae check 04_adamw
"""

import numpy as np


class AdamWithDecay:
    def __init__(
        self, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, decay=0.0, decoupled=True
    ):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.decay, self.decoupled = decay, decoupled
        self.t = 0

    def update(self, parameters, gradient):
        if self.t == 0:
            self.m = np.zeros_like(parameters)
            self.v = np.zeros_like(parameters)
        self.t += 1
        if self.decoupled:
            parameters *= 1 - self.lr * self.decay
            g = gradient
        else:
            g = gradient + self.decay * parameters  # of λ/2 ‖θ‖²
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g**2
        m = self.m / (1 - self.beta1**self.t)
        v = self.v / (1 - self.beta2**self.t)
        parameters -= self.lr * m / (np.sqrt(v) + self.eps)
