"""How probable data and code are: the importance weights of a variational autoencoder are made of these."""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from ..layers.activations import softplus
from ..losses import BCEWithLogits, Loss


def log_probability(loss: Loss, prediction: Array, x: Array) -> Array:
    """log p(x|z) of each row of a prediction, (N,), where each pixel is 1 with the predicted probability p:
    Σⱼ x log p + (1 - x) log(1 - p). A single x serves for all rows.
    """
    xp = array_module(prediction)
    if isinstance(loss, BCEWithLogits):
        each = softplus(prediction)
        xp.subtract(x * prediction, each, out=each)  # log σ(a) = a - log(1 + eᵃ), log(1 - σ(a)) = -log(1 + eᵃ)
    else:
        tiny = float(np.finfo(prediction.dtype).tiny)
        p, q = xp.maximum(prediction, tiny), xp.maximum(1 - prediction, tiny)
        each = x * xp.log(p) + (1 - x) * xp.log(q)
    return xp.sum(each.reshape(len(each), -1), axis=1)


def log_prior_ratio(z: Array, epsilon: Array, log_var: Array) -> Array:
    """log p(z) - log q(z|x), summed over the last axis, where z = μ + σ ε. The constants and μ cancel."""
    return 0.5 * array_module(z).sum(epsilon * epsilon + log_var - z * z, axis=-1)
