"""Variational autoencoders: the encoder gives a distribution of the code, and the decoder makes data from a draw of it.

The prior p(z) = N(0, 1) and the decoder p(x|z) make data. The encoder q(z|x) = N(μ(x), σ²(x)) says which z may have made
an x. For any q,

    log p(x) ≥ E_q[log p(x|z)] - KL(q(z|x) ‖ p(z))        (the evidence lower bound, ELBO),

so both are trained by raising the bound. z is drawn as μ + σ ε with ε ~ N(0, 1), so that it has derivatives with respect
to μ and σ.

Kingma and Welling 2013. `IWAE` in importance.py and `CVAE` in conditional.py are built on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..arguments import affordable, flag, number, whole
from ..backend import Array, array_module, generator, noise_source, require_examples, require_floats, to_numpy
from ..errors import OptionError, ShapeError
from ..layers import Layer
from ..layers.layer import as_layer
from ..losses import BCE, Loss, as_loss, gaussian_kl
from .fitting import require_shape
from .heads import charge, outputs
from .likelihood import ROWS, require_drawn, weighted_mean
from .model import Model
from .warmup import Warmup


class VAE(Model):
    """h = encoder(x), q(z|x) = N(mu(h), exp(log_var(h))), z ~ q, L = loss(decoder(z), x) + β KL(q ‖ N(0, 1)).

    x (N, …), h (N, H), z (N, D); mu and log_var are layers, such as Dense(H, D), and log_var is log σ². With β = 1 and a
    cross-entropy, L is minus the ELBO, in nats. Without an rng nothing is drawn, and z = μ: then L is not a bound,
    and lower than the bound (see `elbo`).

    With `binarise=True`, each step of training draws every pixel anew: 1 with probability x, otherwise 0. The drawn pixels
    are both input and target. With False, x itself is input and target, grey or not. Grey pixels train well, since
    cross-entropy is linear in the target. But the cross-entropy of grey pixels is not a likelihood, so losses of the two
    kinds cannot be compared. Without an rng, x is not drawn: x itself is the mean of the draws.

    |log σ²| is cut at `log_var_limit`, so that exp cannot overflow. Where it is cut, its gradient is 0.

    Against a code that stays unused: `beta=Warmup(steps)` lets β grow from 0, and `free_bits` makes so many nats of each number of
    the code cost as much as none: the loss counts Σⱼ max(KLⱼ, free_bits) of each example (Kingma et al. 2016, appendix C, there of
    a batch's mean). The metric "kl" is the whole KL term nevertheless.

    Raises OptionError for β < 0 and other impossible arguments, ShapeError if the heads differ in size. Kingma
    and Welling 2013, appendix C; Higgins et al. 2017 for β.
    """

    part_names = ("encoder", "mu", "log_var", "decoder")
    examples_apart = True
    symbols = {
        **{"mu": "μ", "uncut": "ℓ", "log_var": "log σ²", "uniform": "u"},
        **{"reconstruction": "R", "kl": "KL", "beta": "β", "beta_now": "β", "pays": "κ", "charged": "K"},
    }
    notes = {"h": "for both heads", "prediction": "the prediction"}
    # for a decoder that gets more than the code and makes less than x: its input, its target, and the gradient's way back
    ends: Mapping[str, str] = {}
    dprediction: Array | None = None  # until `objective` has run
    epsilon: Array | None = None  # the draws of the last forward; None if z was μ

    @property
    def formulas(self) -> dict[str, str]:
        """The formulas of the last forward, which ran with a draw of the code or without."""
        pixels, draw, drawn = {}, {"z": "mu  # Without a draw the code is its mean."}, ""
        if self.epsilon is not None:
            draw = {
                "sigma": "exp(log_var / 2)  # The network says log σ², which may be any number, so that σ is always positive.",
                "epsilon": "normal()  # Chance enters here, as an input that no parameter changes, so that gradients pass beside it.",
                "z": "mu + sigma * epsilon  # A draw of N(μ, σ²) is written as a sum, so that it has slopes: this is [reparameterisation](glossary.md#reparameterisation). ([Chapter 11](11_variational.py))",
            }
            drawn = " + dz * epsilon * sigma / 2"
            if self.binarise:
                pixels = {"uniform": "uniform()", "x": "uniform < x  # Each grey pixel is drawn black or white."}
        ends = dict(self.ends)
        back = {"dz": ends.pop("dz")} if ends else {}
        given, target = tuple(ends) or ("z", "x")
        each = "(mu ** 2 + exp(log_var) - log_var - 1) / 2"
        beta, free, counts = "beta" if self.warmup is None else "beta_now", {}, ""
        if self.free_bits:
            free = {"pays": f"{each} > free_bits", "charged": f"sum(maximum({each}, free_bits)) / N"}
            counts = " * pays"
        return {
            **pixels,
            "h": "encoder(x)",
            "mu": "mu(h)",
            "uncut": "log_var(h)",
            "log_var": "clip(uncut, -log_var_limit, log_var_limit)  # Without a limit σ² could leave the range of the numbers.",
            **draw,
            **ends,
            "prediction": f"decoder({given})",
            "reconstruction": f"loss(prediction, {target})",
            "kl": "gaussian_kl(mu, log_var)",
            **free,
            "loss": f"reconstruction + {beta} * {'charged' if free else 'kl'}  # L is the error of the reconstruction plus what the code tells, in nats: minus the [ELBO](glossary.md#elbo). ([Chapter 11](11_variational.py))",
            f"d{given}": "backward(decoder, dprediction)",
            **back,
            "dmu": f"dz + {beta} * dkl_dmu{counts}  # μ goes into z, with slope 1, and into the KL, so both gradients add up.",
            "dlog_var": f"{beta} * dkl_dlog_var{counts}{drawn}  # log σ² goes into the KL, and into z through σ ε, whose slope is ½ σ ε; both gradients add up.",
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
        beta: float | Warmup = 1.0,
        binarise: bool = False,
        log_var_limit: float = 20.0,
        free_bits: float = 0.0,
    ):
        loss = as_loss(loss)
        hint = "; 1 gives the ELBO, and Warmup(steps) lets it grow"
        self.loss = loss
        self.beta = beta if isinstance(beta, Warmup) else number(self, "0 <= beta", beta, hint)
        self.free_bits, self.in_step = number(self, "0 <= free_bits", free_bits), False
        self.binarise = flag(self, "binarise", binarise)
        hint = ", as exp(88) overflows float32"
        self.log_var_limit = number(self, "0 < log_var_limit <= 80", log_var_limit, hint)
        if binarise and not isinstance(loss, BCE):
            raise OptionError(
                f"binarise=True draws pixels of 0 and 1, so it needs BCEWithLogits() or BCE(), got loss={loss!r}"
            )
        self.encoder, self.mu = as_layer(encoder, "encoder"), as_layer(mu, "mu")
        self.log_var, self.decoder = as_layer(log_var, "log_var"), as_layer(decoder, "decoder")
        self.code_size = outputs(mu, "mu")
        if outputs(log_var, "log_var") != self.code_size:
            raise ShapeError(
                f"mu makes {self.code_size} numbers, log_var makes {outputs(log_var, 'log_var')}: they must be equal"
            )
        self.gather()

    @property
    def warmup(self) -> Warmup | None:
        """β, if it grows."""
        return self.beta if isinstance(self.beta, Warmup) else None

    # The objective

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        x = self.as_drawn(x, rng)
        self.infer(x, rng)
        z = self.draw_code(rng)
        prediction = self.decoder.forward(self.decoder_input(z, x), rng)
        reconstruction, self.dprediction = self.loss(prediction, self.target(x))
        kl, self.dkl_dmean, self.dkl_dlog_var = gaussian_kl(self.z_mean, self.z_log_var)
        charged = kl
        if self.free_bits:
            charged, pays = charge(self.z_mean, self.z_log_var, self.free_bits)
            self.dkl_dmean, self.dkl_dlog_var = self.dkl_dmean * pays, self.dkl_dlog_var * pays
        self.beta_now = self.beta if self.warmup is None else self.warmup.now(self.in_step)
        return {"loss": reconstruction + self.beta_now * charged, "reconstruction": reconstruction, "kl": kl}

    def training_step(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        if self.warmup is None:
            return super().training_step(x, rng)
        self.in_step = True
        try:
            return super().training_step(x, rng)
        finally:
            self.in_step = False
            self.warmup.advance()

    def named_buffers(self) -> Iterator[tuple[str, Any, str]]:
        yield from super().named_buffers()
        if self.warmup is not None:
            yield "warmup.t", self.warmup, "t"

    def to(self, device: str | None = None, dtype: object = None) -> VAE:
        if self.warmup is not None:
            self.warmup.to(device, dtype)
        return super().to(device, dtype)

    def backward(self) -> None:
        self.backward_code(self.decoder.backward(self.dprediction))

    def infer(self, x: Array, rng: np.random.Generator | None = None) -> tuple[Array, Array]:
        """q(z|x): its mean μ and log σ², both (N, D)."""
        self.dprediction = None  # of another x: `backward` waits for an objective of this one
        h = self.encoder.forward(x, rng)
        self.z_mean = self.mu.forward(h, rng)
        uncut, limit = self.log_var.forward(h, rng), self.log_var_limit
        self.within = abs(uncut) < limit
        self.z_log_var = array_module(uncut).clip(uncut, -limit, limit)  # log_var
        return self.z_mean, self.z_log_var

    def draw_code(self, rng: np.random.Generator | None) -> Array:
        """z ~ q(z|x), for the μ and log σ² that `infer` has found; μ without an rng."""
        if rng is None:
            self.epsilon = None
            return self.z_mean  # z
        self.sigma = array_module(self.z_mean).exp(self.z_log_var / 2)
        self.epsilon = noise_source(rng, self.z_mean).standard_normal(self.z_mean.shape, dtype=self.z_mean.dtype)
        return self.z_mean + self.sigma * self.epsilon  # z

    def backward_code(self, dz: Array) -> None:
        """From ∂reconstruction/∂z to the gradients of the heads and of the encoder."""
        # L = reconstruction + β KL
        dmu = self.beta_now * self.dkl_dmean
        dlog_var = self.beta_now * self.dkl_dlog_var
        # z = μ + σ ε,  σ = exp(log σ² / 2)
        dmu += dz  # ∂z/∂μ = 1
        if self.epsilon is not None:
            dlog_var += dz * self.epsilon * self.sigma / 2  # ∂z/∂log σ² = ε σ / 2
        self.backward_heads(dmu, dlog_var)

    def backward_heads(self, dmu: Array, dlog_var: Array) -> None:
        """From ∂L/∂μ and ∂L/∂log σ² to the gradients of the heads and of the encoder."""
        # μ = mu(h)
        dh = self.mu.backward(dmu)
        # log σ² = log_var(h), cut at ± limit
        duncut = dlog_var * self.within
        dh = dh + self.log_var.backward(duncut)  # h goes into both heads, and the gradients add
        self.encoder.backward_first(dh)

    # How x enters encoder, decoder and loss

    def as_drawn(self, x: Array, rng: np.random.Generator | None) -> Array:
        """x; with `binarise` and an rng, pixels of 0 and 1 drawn from it."""
        require_floats(x)
        if not self.binarise or rng is None:
            return x
        self.uniform = noise_source(rng, x).random(x.shape, dtype=x.dtype)
        return (self.uniform < x).astype(x.dtype)  # x

    def target(self, x: Array) -> Array:
        """The part of x that the decoder should make: all of it."""
        return x

    def decoder_input(self, z: Array, x: Array) -> Array:
        """The input of the decoder: only z."""
        return z

    def check_data(self, x: Array) -> None:
        self.loss.check_target(self.target(x))
        first = x[:100]
        z, target = self.decoder_input(self.encode(first), first), self.target(first)
        prediction = self.decoder.forward(z)
        require_shape("the target", self.loss.mean(prediction), target, self.decoder, z, self.reconstruct)
        self.loss.check_prediction(prediction)

    def encode(self, x: Array) -> Array:
        """The code of x: μ, (N, D)."""
        return self.infer(x)[0]

    def decode(self, z: Array) -> Array:
        """The data that a code represents, in the data's own units: E[x|z]."""
        return self.loss.mean(self.decoder.forward(z))

    def reconstruct(self, x: Array) -> Array:
        """The decoder's output for μ(x), in the shape of x."""
        return self.loss.mean(self.decoder.forward(self.decoder_input(self.encode(x), x)))

    def sample(self, n: int, rng: int | np.random.Generator | None = None) -> Array:
        """n new examples: E[x|z] for z ~ N(0, 1)."""
        return self.decode(self.prior(n, rng))

    def prior(self, n: int, rng: int | np.random.Generator | None = None) -> Array:
        """n draws of z ~ N(0, 1), (n, D), on the model's device."""
        θ = self.parameters
        shape = affordable("sample", whole("sample", "n", n), self.code_size)
        return generator(rng, θ).standard_normal(shape, dtype=θ.dtype)

    def elbo(self, x: Array, rng: int | np.random.Generator | None = None) -> dict[str, float]:
        """The terms of the bound, per example: {"reconstruction", "kl", "negative_elbo": their sum}, for any β.

        It draws one z for each example, and no other noise. `objective` draws all noise of training or none. x is not
        binarised here: draw its pixels before, if you want pixels of 0 and 1. For several samples see `log_likelihood`.
        """
        xp, rng = require_examples(x), generator(rng, x)
        totals = {"reconstruction": 0.0, "kl": 0.0}
        for start in range(0, len(x), ROWS):
            batch = x[start : start + ROWS]
            mean, log_var = self.infer(batch)
            kl, *_ = gaussian_kl(mean, log_var)
            z = mean + xp.exp(log_var / 2) * rng.standard_normal(mean.shape, dtype=mean.dtype)
            prediction = self.decoder.forward(self.decoder_input(z, batch))
            reconstruction, _ = self.loss(prediction, self.target(batch))
            totals["reconstruction"] += float(reconstruction) * len(batch) / len(x)
            totals["kl"] += float(kl) * len(batch) / len(x)
        return totals | {"negative_elbo": sum(totals.values())}

    def unit_kl(self, x: Array) -> np.ndarray:
        """KL(q ‖ p) of each number of the code, averaged over the examples: ½ (μ² + σ² - log σ² - 1), (D,), in nats."""
        mean, log_var = self.infer_all(x)
        return (0.5 * (mean**2 + np.exp(log_var) - log_var - 1)).mean(axis=0)

    def active_units(self, x: Array, threshold: float = 0.01) -> np.ndarray:
        """Which numbers of the code depend on x: Var_x(μ) > threshold, (D,) of bool (Burda et al. 2016, section 5)."""
        return self.infer_all(x)[0].var(axis=0) > number("active_units", "0 <= threshold", threshold)

    def infer_all(self, x: Array) -> tuple[np.ndarray, np.ndarray]:
        """μ and log σ² of many examples, both (N, D), in float64 on the host."""
        require_examples(x)
        found = [map(to_numpy, self.infer(x[i : i + ROWS])) for i in range(0, len(x), ROWS)]
        mean, log_var = (np.concatenate(parts).astype(np.float64) for parts in zip(*found, strict=True))
        return mean, log_var

    def log_likelihood(
        self, x: Array, samples: int = 5000, rng: int | np.random.Generator | None = None
    ) -> np.ndarray:
        """log p(x) of each example, (N,), in nats, estimated by importance sampling:

        log 1/K Σᵢ wᵢ with wᵢ = p(x|zᵢ) p(zᵢ) / q(zᵢ|x), zᵢ ~ q(z|x), i = 1 … K samples.

        On average it is too low, and the more samples, the closer it is (Burda et al. 2016, theorem 1). `rng` is a generator,
        a seed, or None to draw anew. Raises OptionError if the loss is not a likelihood of pixels, and DataError if a pixel
        is neither 0 nor 1.
        """
        if not isinstance(self.loss, BCE):
            raise OptionError(
                f"log_likelihood needs a decoder of probabilities, with the loss BCEWithLogits() or BCE(), got {self.loss!r}"
            )
        samples = whole("log_likelihood", "samples", samples)
        require_examples(x)
        require_drawn(self.target(x))
        rng = generator(rng, x)
        return np.array([weighted_mean(self, x[i : i + 1], samples, rng) for i in range(len(x))])
