"""The best denoiser of a few points, and the score of the noisy data (Tweedie's formula).

The data are the n points X (n, D), each as likely. A noisy one is y = x + s ε with ε ~ N(0, 1). For
noisy points y (N, D) Bayes' rule gives each point of X the weight

    wᵢ ∝ exp( -|y - xᵢ|² / 2 s² ),   Σᵢ wᵢ = 1

so that E[x | y] = Σᵢ wᵢ xᵢ. The score is the gradient of the log of the noisy data's density, ∇ log
p(y). How does it follow from E[x | y]?

Return (mean, score), both (N, D). They must be right for a small s too, where every exp(…) of a point
far from the data is 0.

Check:  scratchae check 19_tweedie
"""

import numpy as np


def tweedie(y, X, s):
    """(E[x | y], ∇ log p(y))."""
    raise NotImplementedError(
        "the weights w (N, n), so that no row of them is 0; then mean and score"
    )
