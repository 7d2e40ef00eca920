"""One step of a vector-quantised autoencoder: a gradient that goes straight through.

The encoder makes z = x W of x (N, D), with W (D, H). Of the codebook E (K, H), e is the nearest vector
for each z (N, H). The decoder makes x̂ = e V, with V (H, D). With sg(…) for what is held still, and q =
z + sg(e - z), the loss of N examples is

    L = 1/N Σₙ ( |qₙ V - xₙ|² + |sg(zₙ) - eₙ|² + β |zₙ - sg(eₙ)|² )

Return (dW, dE, dV), the gradient with what sg(…) holds held still. What does the codebook get of the
first term?

Check:  scratchae check 18_straight_through
"""

import numpy as np


def straight_through(x, W, E, V, beta):
    """(dW, dE, dV)."""
    N, z = len(x), x @ W
    k = ((z[:, None] - E) ** 2).sum(axis=2).argmin(axis=1)  # (N,)
    e = E[k]  # the value of q
    dprediction = 2 / N * (e @ V - x)
    dV = e.T @ dprediction
    # ∂q/∂z = 1, and the commitment
    dz = dprediction @ V.T + 2 * beta / N * (z - e)
    dW = x.T @ dz
    # q does not move with e: only the second term does
    chosen = (k[:, None] == np.arange(len(E))).astype(x.dtype)  # (N, K)
    dE = chosen.T @ (2 / N * (e - z))
    return dW, dE, dV
