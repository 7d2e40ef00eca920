"""Losses for data of any range: minus the logarithm of a Gaussian's density, with a variance that is given or learned."""

from __future__ import annotations

import math

import numpy as np

from .arguments import number
from .backend import Array, array_module, require_examples, require_floats
from .errors import ShapeError
from .losses import Loss, require_same_shape

LOG_2PI = math.log(2 * math.pi)


class Gaussian(Loss):
    """Minus the log-density of N(p, variance), in nats: L = 1/N Σₙ Σⱼ ½ ((p - t)² / variance + log(2π variance)).

    ∂L/∂p = (p - t) / (variance N). The smaller the variance, the more a reconstruction weighs against a KL term or a penalty.
    Raises OptionError unless variance > 0.
    """

    examples_apart = True
    unit = "nats"
    formulas = {
        "value": "sum((prediction - target) ** 2 / variance + log(6.283185307179586 * variance)) / (2 * N)  # It is minus the log-density of a normal distribution around the prediction, averaged over the examples. ([Chapter 11](11_variational.py))",
        "dprediction": "(prediction - target) / (variance * N)  # The slope of half a square is its base, so the gradient is the error, weighed by how sure the variance is.",
    }

    def __init__(self, variance: float = 1.0):
        self.variance = number(self, "0 < variance", variance)

    def __call__(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        require_same_shape(prediction, target)
        n = len(prediction)
        difference = prediction - target
        squares = array_module(prediction).sum(difference * difference) / n
        features = math.prod(prediction.shape[1:])
        value = (squares / self.variance + features * (LOG_2PI + math.log(self.variance))) / 2
        return value, difference / (self.variance * n)


class LearnedGaussian(Loss):
    """Minus the log-density of N(μ, σ²), in nats, where the decoder says both for each number of the data.

    prediction (N, …, 2 C), target (N, …, C): the first C of the last axis are μ, the others ℓ, and s = log σ² = max(ℓ, least).
    L = 1/N Σₙ Σⱼ ½ ((μ - t)² e⁻ˢ + s + log 2π);  ∂L/∂μ = (μ - t) e⁻ˢ / N;  ∂L/∂ℓ = ½ (1 - (μ - t)² e⁻ˢ) / N, and 0 below `least`.

    `least` keeps a column that never changes from an endless density: -8 is a deviation of 0.02. Raises ShapeError.
    """

    examples_apart = True
    unit = "nats"
    symbols = {"log_var": "s", "uncut": "ℓ", "precision": "e⁻ˢ", "channels": "C"}
    channels, axes = 1, 2  # of the last target, and of the last prediction

    @property
    def formulas(self) -> dict[str, str]:
        """Of rows; those of images would slice their last axis."""
        if self.axes != 2:
            return {}
        return {
            "mean": "prediction[:, :channels]  # The first half of what the decoder says are means.",
            "uncut": "prediction[:, channels:]  # The second half are logarithms of variances.",
            "log_var": "maximum(uncut, least)  # No variance may come too near to 0, where the density would have no bound.",
            "precision": "exp(-log_var)  # One over the variance says how much an error weighs.",
            "value": "sum((mean - target) ** 2 * precision + log_var + log(6.283185307179586)) / (2 * N)  # It is minus the log-density of a normal distribution, whose variance is predicted too.",
            "dmean": "(mean - target) * precision / N  # The slope of half a square is its base: the error, weighed by the precision.",
            "dlog_var": "(1 - (mean - target) ** 2 * precision) * (uncut > least) / (2 * N)  # It is 0 where the variance equals the squared error, so the network learns to say how large its errors are.",
            "dprediction": "joined(dmean, dlog_var)  # Both halves go back side by side, as they came.",
        }

    def __init__(self, least: float = -8.0):
        self.least = number(self, "-60 <= least", least)

    def __call__(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        xp = require_examples(prediction, "prediction")
        require_examples(target, "target")
        channels = self.channels = target.shape[-1]
        self.axes = prediction.ndim
        if prediction.shape != (*target.shape[:-1], 2 * channels):
            raise ShapeError(
                f"LearnedGaussian: the prediction has shape {tuple(prediction.shape)}, the target {tuple(target.shape)}: expected two numbers for "
                f"each of the target, a mean and a log σ², so (…, {2 * channels})"
            )
        n = len(prediction)
        uncut = prediction[..., channels:]
        log_var = xp.maximum(uncut, self.least)
        precision = xp.exp(-log_var)
        difference = prediction[..., :channels] - target
        cost = difference * difference * precision
        value = xp.sum(cost + log_var + LOG_2PI) / (2 * n)
        dmean = difference * precision / n
        dlog_var = (1 - cost) * (uncut > self.least) * (0.5 / n)
        return value, xp.concatenate([dmean, dlog_var], axis=-1)

    def mean(self, prediction: Array) -> Array:
        """μ."""
        require_floats(prediction, name="prediction")
        return prediction[..., : prediction.shape[-1] // 2]

    def deviation(self, prediction: Array) -> Array:
        """σ, the deviation that the decoder expects of each number."""
        xp = require_floats(prediction, name="prediction")
        return xp.exp(xp.maximum(prediction[..., prediction.shape[-1] // 2 :], np.float32(self.least)) / 2)
