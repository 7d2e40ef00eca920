"""Check a gradient of any length with two losses.

For a direction v of length 1, the loss L(θ + h v) is a function of the one number h, and its derivative
at h = 0 is g · v. So draw v at random, once, and compare

    derived   g · v
    measured  (L(θ + h v) - L(θ - h v)) / 2h

`loss` is a function of the parameters (P,), which returns a number; gradient is what somebody
derived for g (P,). Draw v with `rng`, so that it points anywhere alike, with length 1. Call loss
twice, and leave theta as it was. Return (derived, measured).

Check:  scratchae check 03_directional
"""

import numpy as np


def directional(loss, theta, gradient, rng, h=1e-5):
    """(derived, measured), the slope of the loss along a random direction of length 1."""
    raise NotImplementedError("v from rng, of length 1; then the two slopes")
