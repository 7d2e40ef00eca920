"""Principal components from the singular value decomposition.

x (N, D) holds N examples. With the mean taken off, the singular value decomposition

    x - mean = U S Vᵀ          np.linalg.svd(…, full_matrices=False) gives U, S and Vᵀ

has the directions of greatest variance in the rows of Vᵀ, greatest first.

    code            z = (x - mean) · axesᵀ        (N, k)
    reconstruction  x̂ = z · axes + mean           (N, D)

Check:  scratchae check 06_pca
"""

import numpy as np


def pca(x, k):
    """(mean, axes, code, reconstruction): (D,), (k, D), (N, k), (N, D)."""
    mean = x.mean(axis=0)
    _, _, Vt = np.linalg.svd(x - mean, full_matrices=False)
    axes = Vt[:k]
    code = (x - mean) @ axes.T
    return mean, axes, code, code @ axes + mean
