"""Clip gradients by their norm.

`gradients` is a list of arrays, one for each weight of a net. Their norm is that of one long vector of all
their numbers, ‖g‖ = √(Σ g²). If it is larger than `limit`, return a list in which all are scaled by the same
factor, so that the norm is `limit`; otherwise the list as it is. Do not change the arrays that you are given.

Check:  scratchae check 16_clip
"""

import numpy as np


def clip(gradients, limit):
    """The gradients, with a norm of at most `limit`."""
    raise NotImplementedError("one norm for all arrays, and one factor, which is at most 1")
