"""The L1 penalty on a code.

    P = weight · 1/N Σₙ Σⱼ |zₙⱼ|        z (N, D), the code of N examples; P a number

Return (P, ∂P/∂z). At z = 0 the function has a corner; take the slope 0 there.
Why does this penalty make numbers exactly 0, and z² does not?

Check:  scratchae check 10_l1
"""

import numpy as np

WEIGHT = 0.3


def l1(z):
    """(P, dz) with weight 0.3."""
    raise NotImplementedError("P, and its gradient")
