"""The linear VAE, solved by eigenvectors.

Encoder and decoder are linear, and the loss of an image is E_q |x - x̂|² / (2 s²) + β KL, with x̂ = z W + m.
Chapter 11 proves what training ends at. With c = β s², λᵢ the eigenvalues of the covariance of x (divided by
N), the largest first, and vᵢ their unit eigenvectors, number i of the code is used if λᵢ > c, and then

    wᵢ = √(λᵢ - c) vᵢ   (a row of W),   σᵢ² = c / λᵢ,   KLᵢ = ½ log(λᵢ / c).

A number that is not used has wᵢ = 0, σᵢ² = 1, KLᵢ = 0.

x (N, D), K numbers in the code. Return W (K, D), σ² (K,) and the KLs (K,). The sign of a row of W is yours to
choose.

Check:  scratchae check 11_linear_vae
"""

import numpy as np


def linear_vae(x, K, s2, beta):
    """(W, variances, kl)."""
    raise NotImplementedError(
        "the covariance, its eigenvectors (np.linalg.eigh), then the three formulas"
    )
