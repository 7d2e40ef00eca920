"""Momentum with a mean in place of a sum.

The chapter adds up gradients:      v ← μ v + g,             θ ← θ - lr · v
Many programs average them:         v ← μ v + (1 - μ) g,     θ ← θ - (…) · v

Write the second form, so that θ takes the *same path* as with the first, for any lr and μ. What stands
in place of the dots? (Unroll both v. It is why a learning rate cannot be copied from one program to
another without a look at its formula.)

`update` changes `parameters` in place, and returns nothing. `self.v` is the mean.

Check:  scratchae check 04_mean_momentum
"""

import numpy as np


class MeanMomentum:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.v = lr, momentum, None

    def update(self, parameters, gradient):
        if self.v is None:
            self.v = np.zeros_like(parameters)
        self.v *= self.momentum
        self.v += (1 - self.momentum) * gradient
        # this v is 1 - μ times the other
        parameters -= self.lr / (1 - self.momentum) * self.v
