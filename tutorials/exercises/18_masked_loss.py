"""The loss of a masked autoencoder, and its gradient.

Of images x (N, H, W, C), patches are hidden: hidden (N, H, W, 1) holds 1 where a pixel is hidden, in
all of its channels, and 0 where it is seen. The prediction (N, H, W, C) is judged by the hidden numbers
alone, each by its squared error. They are summed over an image, and averaged over the N images:

    L = 1/N Σₙ Σ_hidden (prediction - x)²

Return (L, dprediction). Images may have more or less of them hidden; a seen number that is NaN must do
no harm.

Check:  scratchae check 18_masked_loss
"""

import numpy as np


def masked_loss(prediction, x, hidden):
    """(L, dprediction)."""
    raise NotImplementedError("the squared errors where hidden is 1, and their derivative")
