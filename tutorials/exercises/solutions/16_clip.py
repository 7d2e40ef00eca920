"""Clip gradients by their norm.

`gradients` is a list of arrays, one for each weight of a net. Their norm is that of one long vector of all
their numbers, ‖g‖ = √(Σ g²). If it is larger than `limit`, return a list in which all are scaled by the same
factor, so that the norm is `limit`; otherwise the list as it is. Do not change the arrays that you are given.

Check:  scratchae check 16_clip
"""

import numpy as np


def clip(gradients, limit):
    """The gradients, with a norm of at most `limit`."""
    norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
    factor = min(1.0, limit / norm) if norm > 0 else 1.0
    return [factor * gradient for gradient in gradients]
