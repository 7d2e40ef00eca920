"""How probable data and code are: the importance weights of a variational autoencoder are made of these."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import Array, array_module, to_numpy
from ..errors import DataError
from ..layers.activations import softplus
from ..losses import BCEWithLogits, Loss

if TYPE_CHECKING:
    from .variational import VAE


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


def require_drawn(pixels: Array) -> None:
    """Raise DataError unless all pixels are 0 or 1."""
    if not bool(((pixels == 0) | (pixels == 1)).all()):
        raise DataError(
            "log_likelihood: x holds grey pixels, for which cross-entropy is not a likelihood: expected 0 and 1; "
            "(rng.random(x.shape) < x).astype(x.dtype) draws them"
        )


ROWS = 1000  # how many examples or samples to compute at a time


def weighted_mean(model: VAE, row: Array, samples: int, rng: Any) -> float:
    """log 1/K Σᵢ wᵢ of one example, (1, …): see `VAE.log_likelihood`."""
    xp = array_module(row)
    mean, log_var = model.infer(row)  # (1, D)
    sigma = xp.exp(log_var / 2)
    log_w = []
    for start in range(0, samples, ROWS):
        size = (min(ROWS, samples - start), model.code_size)
        epsilon = rng.standard_normal(size, dtype=mean.dtype)
        z = mean + sigma * epsilon
        prediction = model.decoder.forward(model.decoder_input(z, row))
        log_p = log_probability(model.loss, prediction, model.target(row))
        log_w.append(to_numpy(log_p + log_prior_ratio(z, epsilon, log_var)))
    log_w = np.concatenate(log_w).astype(np.float64)
    top = log_w.max()
    return top + math.log(np.exp(log_w - top).mean())
