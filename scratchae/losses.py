"""Losses: how far a prediction is from its target, and the gradient, as `(value, gradient…)`.

One scale everywhere: **summed over the features of an example, averaged over the batch**. So a value is per
example: squared error per image, nats per image. Divide by the number of features for the per-pixel means
that other libraries print.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .backend import Array, array_module, one_kernel, require_examples, require_floats
from .description import Described, ours
from .errors import ArrayTypeError, DataError, OptionError, ShapeError
from .layers.activations import relu, sigmoid


class Loss(Described):
    """`loss(prediction, target) -> (value, dprediction)`, arrays (N, …). Raises ShapeError if their shapes differ.

    A loss of your own can be a function, `Autoencoder(…, loss=huber)`:

        def huber(prediction, target):
            r = prediction - target
            value = np.where(abs(r) < 1, r * r / 2, abs(r) - 0.5).sum() / len(r)
            return value, np.clip(r, -1, 1) / len(r)  # ∂L/∂prediction

    A subclass can say more, such as its unit, or what its predictions mean in the data's units.
    """

    # whether it is a mean over examples, each with its own loss, so that a batch may be split (models/parallel.py);
    # not inherited
    examples_apart = False
    unit = ""  # the unit of the value, for axes and tables
    # how names in the formulas are written; a setting that is missing here is written as a number
    symbols: Mapping[str, str] = {}
    # value and dprediction as expressions that study/formula/ reads; N is the number of examples
    formulas: Mapping[str, str] = {}

    def __call__(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        raise NotImplementedError

    def mean(self, prediction: Array) -> Array:
        """What the prediction says about the data, in the data's own units: E[target | prediction]."""
        require_floats(prediction, name="prediction")
        return prediction

    def check_target(self, target: Array) -> None:
        """Raise DataError if this loss cannot take these targets."""
        require_examples(target, "target")

    def check_prediction(self, prediction: Array) -> None:
        """Raise DataError if this loss cannot take these predictions. `fit` calls it once."""


class OwnLoss(Loss):
    """A function `f(prediction, target) -> (value, dprediction)` as a loss. Raises an error if it returns something else."""

    def __init__(self, function: Callable[[Array, Array], tuple[Array, Array]]):
        self.function = function

    def __call__(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        return checked(self.function, self.function(prediction, target), prediction, "prediction")

    def __repr__(self) -> str:
        return name_of(self.function)


def as_loss(loss: Any, name: str = "loss") -> Loss:
    """The loss itself, or a function as a loss. Raises OptionError for a class or an object that cannot be called."""
    require_made(loss, Loss, name)
    return loss if isinstance(loss, Loss) else OwnLoss(loss)


def require_made(thing: Any, kind: type, name: str) -> None:
    """Raise OptionError if this is a class instead of an object, or an object that cannot be called, or one of ours of another kind."""
    if isinstance(thing, type):
        raise OptionError(f"{name}={thing.__name__} is a class: make an object of it, {name}={thing.__name__}(…)")
    if not callable(thing) or (ours(type(thing)) and not isinstance(thing, kind)):
        raise OptionError(f"{name}={thing!r}: expected a {name} of scratchae, or a function of your own")


def checked(function: Callable, returned: Any, x: Array, of: str) -> tuple[Array, Array]:
    """The (value, gradient) that a person's own function returned, with the gradient in the dtype of x."""
    name = name_of(function)
    if not isinstance(returned, tuple) or len(returned) != 2:
        found = f"{len(returned)} things" if isinstance(returned, tuple) else f"a {type(returned).__name__}"
        raise ArrayTypeError(
            f"{name} returned {found}: expected (value, gradient), the gradient with respect to the {of}"
        )
    value, gradient = returned
    if (shape_of(value), shape_of(gradient)) != ((), x.shape):
        raise ShapeError(
            f"{name} returned a value of shape {shape_of(value)} and a gradient of shape {shape_of(gradient)}: expected one "
            f"number, the sum over all features divided by the number of examples, and a gradient of shape {x.shape}"
        )
    return array_module(x).asarray(value), gradient.astype(x.dtype, copy=False)


def shape_of(value: Any) -> tuple[int, ...]:
    return tuple(getattr(value, "shape", ()))


def name_of(function: Callable) -> str:
    return getattr(function, "__name__", None) or repr(function)


class MSE(Loss):
    """Squared error, L = 1/N Σₙ Σⱼ (pₙⱼ - tₙⱼ)²; ∂L/∂p = 2 (p - t) / N."""

    examples_apart = True
    unit = "squared error"
    formulas = {
        "value": "sum((prediction - target) ** 2) / N  # It is the [squared error](glossary.md#squared-error), summed over the numbers of an example and averaged over the examples. ([Chapter 07](07_cross_entropy.py))",
        "dprediction": "2 * (prediction - target) / N  # The slope of a square is twice its base, so the gradient is twice the error of each number; N is there because L is a mean over the examples.",
    }

    def __call__(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        require_same_shape(prediction, target)
        n = len(prediction)
        difference = prediction - target
        # `sum` adds in pairs of pairs. `vdot` adds one number after the other, and for millions of float32 it loses the
        # fourth digit
        value = array_module(prediction).sum(difference * difference) / n
        difference *= 2 / n
        return value, difference


class BCE(Loss):
    """Binary cross-entropy of probabilities p in [0, 1] and targets t in [0, 1], in nats.

    L = -1/N Σₙ Σⱼ (t log p + (1 - t) log(1 - p)); ∂L/∂p = (-t / p + (1 - t) / (1 - p)) / N.

    The logarithm's argument is at least the smallest number of the dtype, so a certain and wrong p costs 87 nats in
    float32, not infinity. But behind a sigmoid its gradient is 0 there. `BCEWithLogits` has neither flaw: prefer it for
    training. Raises DataError if a target is outside [0, 1].
    """

    examples_apart = True
    unit = "nats"
    formulas = {
        "p": "maximum(prediction, tiny)",
        "q": "maximum(1 - prediction, tiny)",
        "value": "-sum(target * log(p) + (1 - target) * log(q)) / N",
        "dprediction": "((1 - target) / q - target / p) / N",
    }

    def __call__(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        require_same_shape(prediction, target)
        self.check_target(target)
        xp = array_module(prediction)
        n = len(prediction)
        tiny = float(np.finfo(prediction.dtype).tiny)
        p = xp.maximum(prediction, tiny)
        q = xp.maximum(1 - prediction, tiny)  # 1 - p
        value = -xp.sum(target * xp.log(p) + (1 - target) * xp.log(q)) / n
        return value, ((1 - target) / q - target / p) / n

    def check_target(self, target: Array) -> None:
        require_unit_interval(target)

    def check_prediction(self, prediction: Array) -> None:
        require_examples(prediction, "prediction")
        if not (float(prediction.min()) >= 0 and float(prediction.max()) <= 1):
            raise DataError(
                f"BCE needs predictions in [0, 1], got min {float(prediction.min()):g}, max "
                f"{float(prediction.max()):g}: end the decoder with Sigmoid(), or use BCEWithLogits()"
            )

    def floor(self, target: Array) -> float:
        """The least possible loss, at p = t: the targets' entropy in nats per example. It is 0 if all targets are 0 or 1."""
        return abs(float(BCE()(target, target)[0]))  # abs turns -0 into 0


class BCEWithLogits(BCE):
    """Binary cross-entropy of p = σ(a), given the logits a, in nats. It is stable for any a, even
    where p rounds to 0 or 1.

    L = 1/N Σₙ Σⱼ (log(1 + eᵃ) - t a), since log σ(a) = a - log(1 + eᵃ) and log(1 - σ(a)) = -log(1 + eᵃ);
    ∂L/∂a = (σ(a) - t) / N.
    Raises DataError if a target is outside [0, 1].
    """

    examples_apart = True
    formulas = {
        "value": "sum(softplus(prediction) - target * prediction) / N  # It is the [cross-entropy](glossary.md#cross-entropy) of the pixels, computed from the [logits](glossary.md#logit), so that no log of 0 can occur. ([Chapter 07](07_cross_entropy.py))",
        "dprediction": "(sigmoid(prediction) - target) / N  # The slope of softplus is σ, so the gradient is the predicted pixel minus the true one. ([Chapter 07](07_cross_entropy.py))",
    }

    def __call__(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        require_same_shape(prediction, target)
        self.check_target(target)
        n = len(prediction)
        p = sigmoid(prediction)
        value = cross_entropy(prediction, p, target)
        p -= target
        p *= 1 / n
        return value, p

    def check_prediction(self, prediction: Array) -> None:
        """Any number is a logit."""

    def mean(self, prediction: Array) -> Array:
        """σ(a): the logits as probabilities."""
        return sigmoid(super().mean(prediction))


def cross_entropy(logits: Array, p: Array, target: Array) -> Array:
    """1/N Σₙ Σⱼ (log(1 + eᵃ) - t a) for logits a with p = σ(a): the value of `BCEWithLogits`."""
    return array_module(logits).sum(pixel_costs(logits, p, target)) / len(logits)


@one_kernel
def pixel_costs(logits: Array, p: Array, target: Array) -> Array:
    """log(1 + eᵃ) - t a for each logit a with p = σ(a)."""
    xp = array_module(logits)
    # log(1 + eᵃ) = max(a, 0) - log max(p, 1 - p): one logarithm, of a number in [1/2, 1]
    cost = 1 - p
    xp.maximum(cost, p, out=cost)
    xp.log(cost, out=cost)
    xp.subtract(relu(logits), cost, out=cost)
    # subtract for each pixel before the sum: for large logits the difference is much smaller than either term
    cost -= target * logits
    return cost


class SoftmaxCrossEntropy(Loss):
    """Cross-entropy of one class among many, p = softmax(a), given the logits a, in nats: the classifier's loss.

    L = -1/N Σₙ Σⱼ tₙⱼ log pₙⱼ, pⱼ = e^aⱼ / Σₖ e^aₖ; ∂L/∂a = (p - t) / N, as each row of t adds up to 1.
    prediction, target (N, classes): a row of the target is 1 at its class and 0 elsewhere, or it holds shares of
    several classes. The loss is stable for any a: log pⱼ = (aⱼ - max a) - log Σₖ e^(aₖ - max a). Raises DataError if a row of
    the target is negative somewhere or does not add up to 1.
    """

    unit = "nats"
    formulas = {
        "p": "exp(prediction) / sum(exp(prediction), axis=1, keepdims=True)  # [Softmax](glossary.md#softmax) makes positive numbers that add up to 1: a probability for each class.",
        "value": "-sum(target * log(p)) / N  # It is minus the log-probability that the network gave to the right class, averaged over the examples.",
        "dprediction": "(p - target) / N  # All the slopes of log and softmax cancel, and what is left is the predicted probability minus the true one. ([Chapter 07](07_cross_entropy.py))",
    }

    def __call__(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        require_same_shape(prediction, target)
        self.check_target(target)
        xp = array_module(prediction)
        n = len(prediction)
        log_p = prediction - xp.max(prediction, axis=1, keepdims=True)
        log_p -= xp.log(xp.sum(xp.exp(log_p), axis=1, keepdims=True))
        value = -xp.sum(target * log_p) / n
        return value, (xp.exp(log_p) - target) / n

    def mean(self, prediction: Array) -> Array:
        """softmax(a): the logits as probabilities of the classes."""
        xp = require_examples(prediction, "prediction")
        if prediction.ndim != 2:
            raise ShapeError(f"SoftmaxCrossEntropy expects prediction (N, classes), got {tuple(prediction.shape)}")
        p = xp.exp(prediction - xp.max(prediction, axis=1, keepdims=True))
        return p / xp.sum(p, axis=1, keepdims=True)

    def check_target(self, target: Array) -> None:
        if require_examples(target, "target") is not np:
            return  # for the reason given in require_unit_interval
        if target.ndim != 2 or not (target.min() >= 0 and np.allclose(target.sum(axis=1), 1, atol=1e-4)):
            raise DataError(
                f"SoftmaxCrossEntropy needs targets (N, classes) >= 0 whose rows add up to 1, got shape {target.shape}: "
                "numpy.eye(classes, dtype='float32')[labels] makes them from labels"
            )


def gaussian_kl(mu: Array, log_var: Array) -> tuple[Array, Array, Array]:
    """KL(N(μ, σ²) ‖ N(0, 1)) with log_var = log σ², in nats, and its gradients: `(value, dmu, dlog_var)`.

    KL = 1/N Σₙ Σⱼ ½ (μ² + σ² - log σ² - 1); ∂KL/∂μ = μ / N; ∂KL/∂log σ² = ½ (σ² - 1) / N.
    mu, log_var (N, D). Kingma and Welling 2013, appendix B.
    """
    require_same_shape(mu, log_var, "log_var", "mu")
    xp = array_module(mu)
    n = len(mu)
    variance = xp.exp(log_var)
    value = 0.5 * xp.sum(mu * mu + variance - log_var - 1) / n
    return value, mu / n, (variance - 1) * (0.5 / n)


gaussian_kl.formulas = {
    "value": "sum(mu ** 2 + exp(log_var) - log_var - 1) / (2 * N)  # It is the [KL divergence](glossary.md#kl-divergence) of N(μ, σ²) to N(0, 1): it is 0 where μ = 0 and σ = 1, and says in nats how much a code tells. ([Chapter 11](11_variational.py))",
    "dmu": "mu / N  # The slope of ½ μ² is μ: the KL pulls every mean towards 0.",
    "dlog_var": "(exp(log_var) - 1) / (2 * N)  # The slope is 0 at σ² = 1: the KL pulls every variance towards 1.",
}


def require_same_shape(prediction: Array, target: Array, name: str = "target", other: str = "prediction") -> None:
    require_examples(prediction, other)
    require_floats(target, prediction, name=name)
    if prediction.shape != target.shape:
        raise ShapeError(
            f"{name} has shape {tuple(target.shape)}, {other} has {tuple(prediction.shape)}: they must be equal"
        )


def require_unit_interval(target: Array) -> None:
    if require_examples(target, "target") is not np:
        # reading a GPU array would make every step wait for the GPU: `fit` checks the data before it moves them there
        return
    if not math.isfinite(high := float(target.max())) or high > 1 or float(target.min()) < 0:
        hint = "divide by 255" if high > 2 else "scale the data to [0, 1]"
        raise DataError(
            f"cross-entropy needs targets in [0, 1], got min {float(target.min()):g}, max {high:g}: {hint}, or use MSE()"
        )
