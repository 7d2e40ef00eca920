"""Squared error with a weight for each pixel, and its gradients.

Summed over the features of an example, averaged over the N examples:

    L = 1/N Σₙ Σⱼ wⱼ (pₙⱼ - tₙⱼ)²        prediction p (N, D), target t (N, D), w (D,), L a number

Return (L, ∂L/∂p, ∂L/∂w). Each gradient has the shape of what it belongs to. In how many terms of the
double sum does one wⱼ stand?

Check:  scratchae check 02_weighted_mse
"""


def weighted_mse(prediction, target, w):
    """(L, dprediction, dw)."""
    raise NotImplementedError(
        "L, its derivative in the prediction, and its derivative in w"
    )
