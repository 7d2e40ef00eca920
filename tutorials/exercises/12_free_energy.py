"""The free energy of a restricted Boltzmann machine.

Visible units v (N, V) and hidden units h (H,) are 0 or 1, with energy

    E(v, h) = -v · a - h · b - v W h        W (V, H), a (V,), b (H,)

The free energy sums the hidden units out: e^-F(v) = Σₕ e^-E(v, h), over all 2ᴴ choices of h. As the hidden
units do not interact, the sum is a product over j, of 1 + e^(…): two terms for each unit. So

    F(v) = -v · a - Σⱼ log(1 + e^(vW + b)ⱼ)        (N,)

Write it so that large numbers do not overflow: np.logaddexp(0, x) is log(1 + eˣ).

Check:  scratchae check 12_free_energy
"""

import numpy as np


def free_energy(v, W, a, b):
    """F(v) for each row of v: (N,)."""
    raise NotImplementedError("F(v), a number for each row of v")
