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
    raise NotImplementedError(
        "z, the nearest vectors e, the prediction; then dV, dz through q and the commitment, dW and dE"
    )
