"""One neuron by hand: forward, loss and every derivative.

The neuron has three inputs, three weights and a bias. All are numbers, or vectors of three:

    a = w₁ x₁ + w₂ x₂ + w₃ x₃ + b        x (3,), w (3,), b a number
    y = σ(a) = 1 / (1 + e⁻ᵃ)             a number between 0 and 1
    L = (y - t)²                         t is the target, a number

Go back by the chain rule, one factor for each line above:

    ∂L/∂y = …,   ∂y/∂a = … (write it with y),   ∂a/∂wᵢ = …,   ∂a/∂b = …,   ∂a/∂xᵢ = …

Return (L, dw, db, dx): the loss, ∂L/∂w (3,), ∂L/∂b and ∂L/∂x (3,).

Check:  scratchae check 00_neuron
"""

import numpy as np


def neuron(x, w, b, t):
    """(L, dw, db, dx) of L = (σ(w · x + b) - t)²."""
    raise NotImplementedError("a, y and L; then dw, db and dx, back through each line")
