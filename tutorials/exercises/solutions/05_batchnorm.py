"""Batch normalisation, forward and backward, as in training (Ioffe and Szegedy 2015).

x (N, D). For each of the D features, over the N examples of the batch:

    m = 1/N Σ x                      v = 1/N Σ (x - m)²
    x̂ = (x - m) / √(v + ε)           y = γ x̂ + β              γ, β (D,)

Backward, dγ and dβ are short. For dx, go one line back at a time: from y to x̂, from x̂ to v and to m,
and from all three to x. Each x is used in its own x̂, and in m and v, which all examples of the batch
share. What reaches x on the three ways adds up; at the end it fits in one line.

Check:  scratchae check 05_batchnorm
"""

import numpy as np


class BatchNormByHand:
    def __init__(self, features):
        self.gamma, self.beta, self.eps = np.ones(features), np.zeros(features), 1e-5

    def forward(self, x):
        m = x.mean(axis=0)
        v = ((x - m) ** 2).mean(axis=0)
        self.r = 1 / np.sqrt(v + self.eps)
        self.x_hat = (x - m) * self.r
        return self.gamma * self.x_hat + self.beta

    def backward(self, dy):
        n = len(dy)
        self.dgamma = (dy * self.x_hat).sum(axis=0)
        self.dbeta = dy.sum(axis=0)
        dx = dy - self.dbeta / n - self.x_hat * self.dgamma / n
        return self.gamma * self.r * dx
