"""Squared error and its gradient.

Summed over the features of an example, averaged over the N examples:

    L = 1/N Σₙ Σⱼ (pₙⱼ - tₙⱼ)²        prediction p (N, D), target t (N, D), L a number

Return (L, ∂L/∂p); the gradient is (N, D).

Check:  scratchae check 02_mse
"""


def mse(prediction, target):
    """(L, dprediction)."""
    raise NotImplementedError("L, and its derivative in the prediction")
