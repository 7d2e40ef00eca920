"""Batch normalisation."""

from __future__ import annotations

import numpy as np

from ..arguments import affordable, number, whole
from ..backend import Array, array_module
from ..errors import DataError
from .channels import channel_sums, channelwise
from .initial import within_room
from .layer import Layer


class BatchNorm(Layer):
    """Batch normalisation: each feature gets mean β and standard deviation γ over the batch (Ioffe and Szegedy 2015, algorithm 1).

    x (N, features) or (N, H, W, features); y has the same shape; gamma, beta (features,) are γ and β below.
    M is the number of values that each feature has in the batch: N, or N H W for images.

    In training, when forward is given an rng:  μ = 1/M Σ x,  σ² = 1/M Σ (x - μ)²,  x̂ = (x - μ) / √(σ² + ε),  y = γ x̂ + β,
    and the layer keeps running averages of μ and of the unbiased variance σ² M / (M - 1):
    running ← momentum · running + (1 - momentum) · batch. In inference, they stand in for μ and σ².

    In training an example's output depends on the other examples in its batch. Raises ShapeError if x has another number
    of features, and in training DataError if M is less than 2.
    """

    parameter_names = ("gamma", "beta")
    buffer_names = ("running_mean", "running_var")
    symbol = "n"
    # Σ x, x - μ, its square, their sum, / √(σ² + ε), γ x̂, + β; Σ dy, dy x̂, their sum; dy - mean, x̂ · its share, taken off, γ / √(σ² + ε)
    flops = 7, 3, 4
    symbols = {
        "mean": "μ",
        "var": "σ²",
        "x_hat": "x\u0302",
        "running_mean": "μ",
        "running_var": "σ²",
        "eps": "ε",
        "M": "M",
    }

    @property
    def formulas(self) -> dict[str, str]:
        """The formulas of the last forward, which ran in training or in inference."""
        outputs = {
            "x_hat": "(x - mean) / sqrt(var + eps)  # After this each feature has mean 0 and variance 1 over the batch, so the next layer finds numbers of one size.",
            "y": "gamma * x_hat + beta  # The network may choose scale and mean of each feature again, since γ and β are learned.",
        }
        gradients = {
            "dgamma": "sum(rows(dy * x_hat), axis=0)  # γ multiplies x̂ in every example, so its gradient adds up what is asked, times x̂.",
            "dbeta": "sum(rows(dy), axis=0)  # β is added in every example, so what is asked of all of them adds up.",
        }
        if getattr(self, "training", True):
            statistics = {
                "mean": "mean(rows(x), axis=0)  # The mean of each feature over the batch is what will be taken away.",
                "var": "mean(rows((x - mean) ** 2), axis=0)  # The mean square around the mean is what each feature will be divided by, after a root.",
            }
            dx = "gamma / sqrt(var + eps) * (dy - dbeta / M - x_hat * dgamma / M)  # x moves the mean and the variance too, which all examples share: the second and the third term take away what goes that way."
            return {**statistics, **outputs, **gradients, "dx": dx}
        statistics = {
            "mean": "running_mean  # In inference there is no batch to trust, so the mean remembered from training is taken.",
            "var": "running_var  # In inference the variance remembered from training is taken.",
        }
        return {
            **statistics,
            **outputs,
            **gradients,
            "dx": "gamma / sqrt(var + eps) * dy  # Mean and variance are fixed here, so only the scale is left.",
        }

    def __init__(self, features: int, *, momentum: float = 0.9, eps: float = 1e-5):
        self.features = whole(self, "features", features)
        affordable(self, self.features)
        self.momentum = number(self, "0 <= momentum <= 1", momentum)
        self.eps = number(self, "0 < eps", eps)
        self.gamma, self.beta = np.ones(within_room(self.features), np.float32), np.zeros(self.features, np.float32)
        self.dgamma, self.dbeta = np.zeros_like(self.gamma), np.zeros_like(self.beta)
        self.running_mean, self.running_var = np.zeros(self.features, np.float32), np.ones(self.features, np.float32)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        xp = array_module(x)
        if x.ndim not in (2, 4) or x.shape[-1] != self.features:
            self.refuse(x, f"(N, {self.features}) or (N, H, W, {self.features})", "features are the last axis")
        self.M, self.training = x.size // self.features, rng is not None
        if self.training:
            if self.M < 2:
                raise DataError(
                    f"{self.label()} got x of shape {tuple(x.shape)} in training: {self.M} number for each feature has "
                    "no variance. The layer needs batches of at least 2 examples, so choose a batch size that leaves no single "
                    "example for the end of an epoch; for inference, call forward(x) without rng"
                )
            mean = channel_sums(x) / self.M
            centred = channelwise(xp.subtract, x, mean)
            var = channel_sums(centred * centred) / self.M
            for running, batch in ((self.running_mean, mean), (self.running_var, var * (self.M / (self.M - 1)))):
                running *= self.momentum
                running += (1 - self.momentum) * batch
        else:
            centred, var = channelwise(xp.subtract, x, self.running_mean), self.running_var
        self.scale = 1 / xp.sqrt(var + self.eps)  # 1 / √(σ² + ε)
        self.x_hat = channelwise(xp.multiply, centred, self.scale)
        return channelwise(xp.add, channelwise(xp.multiply, self.x_hat, self.gamma), self.beta)

    def backward(self, dy: Array) -> Array:
        xp = array_module(dy)
        # y = γ x̂ + β
        channel_sums(dy * self.x_hat, out=self.dgamma)  # ∂L/∂γ = Σ dy x̂
        channel_sums(dy, out=self.dbeta)  # ∂L/∂β = Σ dy
        if self.training:
            # x̂ = (x - μ) / √(σ² + ε), where each x moves μ and σ² as well. So dy loses its mean and its part along x̂
            dy = channelwise(xp.subtract, dy, self.dbeta / self.M)  # dy - 1/M Σ dy
            dy -= channelwise(xp.multiply, self.x_hat, self.dgamma / self.M)  # … - x̂ 1/M Σ dy x̂
        return channelwise(xp.multiply, dy, self.gamma * self.scale)  # ∂L/∂x = γ / √(σ² + ε) · dy
