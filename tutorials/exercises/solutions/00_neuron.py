"""One neuron by hand: forward, loss and every derivative.

The neuron has three inputs, three weights and a bias. All are numbers, or vectors of three:

    z = w₁ x₁ + w₂ x₂ + w₃ x₃ + b        x (3,), w (3,), b a number
    y = σ(z) = 1 / (1 + e⁻ᶻ)             a number between 0 and 1
    L = (y - t)²                         t is the target, a number

Go back by the chain rule, one factor for each line above:

    ∂L/∂y = …,   ∂y/∂z = … (write it with y),   ∂z/∂wᵢ = …,   ∂z/∂b = …,   ∂z/∂xᵢ = …

Return (L, dw, db, dx): the loss, ∂L/∂w (3,), ∂L/∂b and ∂L/∂x (3,).

Check:  scratchae check 00_neuron
"""

import numpy as np


def neuron(x, w, b, t):
    """(L, dw, db, dx) of L = (σ(w · x + b) - t)²."""
    z = w @ x + b
    y = 1 / (1 + np.exp(-z))
    L = (y - t) ** 2
    dy = 2 * (y - t)  # ∂L/∂y
    dz = dy * y * (1 - y)  # ∂y/∂z = y (1 - y)
    return L, dz * x, dz, dz * w  # ∂z/∂w = x, ∂z/∂b = 1, ∂z/∂x = w
