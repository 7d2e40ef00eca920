"""The importance-weighted autoencoder: it draws several codes for each example, which gives a tighter bound."""

from __future__ import annotations

import numpy as np

from ..arguments import whole
from ..backend import Array, array_module, noise_source
from ..errors import OptionError
from ..layers import Layer
from ..losses import BCE, BCEWithLogits, Loss, gaussian_kl
from .likelihood import log_prior_ratio, log_probability
from .variational import VAE


class IWAE(VAE):
    """The importance-weighted autoencoder: a VAE with a tighter bound, from k samples of z for each x,

    L = -1/N Σₙ log 1/k Σᵢ wₙᵢ,   w = p(x|z) p(z) / q(z|x),   z = μ + σ ε.

    As k grows, L falls towards -log p(x). With k = 1 it is minus the ELBO, where the KL term is drawn instead of computed in
    closed form. The gradient goes through every sample, weighted by its share w̃ₙᵢ = wₙᵢ / Σⱼ wₙⱼ:  ∂L/∂log wₙᵢ = -w̃ₙᵢ / N.

    The metrics "reconstruction" and "kl" are the ELBO's two terms: their sum minus "loss" is how much tighter this bound is.
    Without an rng it computes the same as the VAE. Raises OptionError for samples < 1 and for a loss that is not a likelihood.
    Burda et al. 2016, eq. 8 to 14.
    """

    examples_apart = True
    symbols = VAE.symbols | {
        "codes": "z",
        "target": "t",
        "log_p": "log p",
        "log_w": "log w",
        "top": "m",
        "share": "w\u0303",
    }

    @property
    def formulas(self) -> dict[str, str]:
        """The formulas of the last forward, which ran with samples of the code or as a VAE."""
        if self.epsilon is None:
            return super().formulas
        if isinstance(self.loss, BCEWithLogits):
            log_p = "target * prediction - softplus(prediction)"
        else:
            log_p = "target * log(maximum(prediction, tiny)) + (1 - target) * log(maximum(1 - prediction, tiny))"
        n_k = "(N, samples)"
        return {
            **({"uniform": "uniform()", "x": "uniform < x"} if self.binarise else {}),
            "h": "encoder(x)",
            "mu": "mu(h)",
            "uncut": "log_var(h)",
            "log_var": "clip(uncut, -log_var_limit, log_var_limit)  # Without a limit σ² could leave the range of the numbers.",
            "sigma": "exp(log_var / 2)  # The network says log σ², which may be any number, so that σ is always positive.",
            "epsilon": "normal()",
            "z": "expand(mu, 1) + expand(sigma, 1) * epsilon  # Several codes are drawn for each example, each as a sum with slopes: [reparameterisation](glossary.md#reparameterisation). ([Chapter 11](11_variational.py))",
            "codes": "rows(z)  # All codes go through the decoder in one batch.",
            "prediction": "decoder(codes)",
            "target": "repeat(x, samples)  # Each example is the target of all of its codes.",
            "reconstruction": "loss(prediction, target)",
            "kl": "gaussian_kl(mu, log_var)",
            "log_p": f"reshape(sum(flat({log_p}), axis=1), {n_k})  # It says how well the decoder explains x from each code.",
            "log_w": "log_p + sum(epsilon ** 2 + expand(log_var, 1) - z ** 2, axis=2) / 2  # A code counts by how well it explains x, times how probable it is in the prior, over how probable it was to be drawn: its [importance weight](glossary.md#importance-weight).",
            "top": "max(log_w, axis=1, keepdims=True)  # The largest is taken away first, so that the exponential cannot overflow.",
            "w": "exp(log_w - top)  # From logarithms to weights, up to a factor that is given back later.",
            "loss": "-mean(log(mean(w, axis=1, keepdims=True)) + top)  # It is minus the log of the mean weight: with more codes it comes nearer to −log p(x).",
            "share": "w / sum(w, axis=1, keepdims=True)  # The weights of an example's codes as shares, which add up to 1.",
            "dprediction": "dprediction * per_row(samples * share, dprediction)  # Each code counts by its share.",
            "dcodes": "backward(decoder, dprediction)",
            "dz": "reshape(dcodes, z_shape) + expand(share, 2) * z / N  # A code goes into the decoder and into its own weight, so both gradients add up.",
            "dmu": "sum(dz, axis=1)  # The mean goes into all codes of the example, so what is asked of them adds up.",
            "dlog_var": "sum(dz * epsilon, axis=1) * sigma / 2 - 1 / (2 * N)  # σ goes into each code through σ ε, and log σ² into the weight; all of this adds up.",
            "duncut": "dlog_var * (abs(uncut) < log_var_limit)  # What was cut off does not move σ², so nothing is asked of it.",
            "dh": "backward(mu, dmu) + backward(log_var, duncut)  # h goes into both heads, so what both ask of it adds up.",
            "dx": "backward(encoder, dh)",
        }

    def __init__(
        self,
        encoder: Layer,
        mu: Layer,
        log_var: Layer,
        decoder: Layer,
        *,
        loss: Loss,
        samples: int = 5,
        binarise: bool = False,
        log_var_limit: float = 20.0,
    ):
        if not isinstance(loss, BCE | type):
            raise OptionError(
                f"IWAE needs a likelihood to weigh samples by, BCEWithLogits() or BCE(), got loss={loss!r}"
            )
        self.samples = whole(self, "samples", samples)
        super().__init__(encoder, mu, log_var, decoder, loss=loss, binarise=binarise, log_var_limit=log_var_limit)

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        if rng is None:
            return super().objective(x)
        xp = array_module(x)
        x = self.as_drawn(x, rng)
        mean, log_var = self.infer(x, rng)
        n, k, d = len(x), self.samples, self.code_size
        self.sigma = xp.exp(log_var / 2)
        self.epsilon = noise_source(rng, x).standard_normal((n, k, d), dtype=mean.dtype)
        self.z = mean[:, None] + self.sigma[:, None] * self.epsilon  # (N, k, D)
        prediction = self.decoder.forward(self.z.reshape(n * k, d), rng)  # codes
        x = xp.repeat(x, k, axis=0)  # target: (N k, …)
        reconstruction, self.dprediction = self.loss(prediction, x)
        log_w = log_probability(self.loss, prediction, x).reshape(n, k)  # log_p
        log_w += log_prior_ratio(self.z, self.epsilon, log_var[:, None])
        top = xp.max(log_w, axis=1, keepdims=True)  # so the largest exp is 1
        w = xp.exp(log_w - top)
        total = xp.sum(w, axis=1, keepdims=True)
        self.share = w / total  # w̃ (N, k)
        loss = -xp.mean(xp.log(total / k) + top)
        kl, *_ = gaussian_kl(mean, log_var)
        return {"loss": loss, "reconstruction": reconstruction, "kl": kl}

    def backward(self) -> None:
        if self.epsilon is None or self.dprediction is None:
            super().backward()
            return
        n, k, d = self.z.shape
        # log w = log p(x|z) - Σ ½ z² + Σ ½ ε² + Σ ½ log σ²;  ∂L/∂log w = -w̃ / N
        # log p(x|z): the loss has divided each of the N k rows by N k
        share = self.share.reshape(n * k, *[1] * (self.dprediction.ndim - 1))
        dz = self.decoder.backward(self.dprediction * (k * share)).reshape(n, k, d)  # dprediction
        # -½ z²
        dz = dz + self.share[:, :, None] * self.z / n
        # z = μ + σ ε, where all samples of an example have the same μ and σ
        dmu = dz.sum(axis=1)
        dlog_var = (dz * self.epsilon).sum(axis=1) * self.sigma / 2
        # ½ log σ² is in all samples of an example, and their shares add up to 1
        dlog_var -= 0.5 / n
        self.backward_heads(dmu, dlog_var)
