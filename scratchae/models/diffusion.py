"""From denoising to diffusion: one denoiser for all noise levels, and new examples by taking the noise away little by little.

The best denoiser of x̃ = x + σ ε knows in which direction the noisy data are more probable (Tweedie; Vincent 2011):

    ∇ log p_σ(x̃) = (E[x | x̃] - x̃) / σ²,

where p_σ is the density of the *noisy* data: the data, blurred by σ. At a small σ it says nothing far from the data, where a new example
has to begin; at a large σ it knows no details. So a single net learns all levels, and is told σ. Sampling goes from the
largest to the smallest.

Song and Ermon 2019; Ho, Jain and Abbeel 2020 (DDPM); Karras et al. 2022 for this form.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Iterator

import numpy as np

from ..arguments import affordable, number, whole
from ..backend import Array, array_module, generator, noise_source, require_floats
from ..errors import OptionError, ShapeError
from ..layers import Layer
from ..layers.layer import as_layer
from ..losses import Loss, as_loss
from .model import Model


class Diffusion(Model):
    """x̃ = x + σ ε with ε ~ N(0, 1), prediction = net([x̃ / √(1 + σ²), features of σ]), L = loss(prediction, x).

    x (N, D); net (N, D + levels) -> (N, D). log σ is drawn anew for each example, uniformly between log `low` and log `high`: σ =
    low (high / low)^u, u ~ U(0, 1). The net is told u by `levels` bumps, fₖ = exp(-(levels u - k - ½)²), k = 0 … levels - 1.

    The loss is that of a denoising autoencoder. To predict the noise, as DDPM does, is the same with other weights of the levels: by
    ε̂ = (x̃ - x̂) / σ, |ε - ε̂|² = |x - x̂|² / σ². Without an rng nothing is drawn: then x is the input, at the level u = ½.

    `sample` begins with noise of the size `high`, which should be much larger than the data, and ends at `low`, which should be
    too small to be seen. Raises OptionError unless 0 < low < high, ShapeError for data that are no rows, or a net of other sizes.
    """

    part_names = ("net",)
    examples_apart = True
    symbols = {
        **{"sigma": "σ", "epsilon": "ε", "noisy": "x\u0303", "scaled": "s", "features": "f"},
        "given": "c",
    }
    notes = {"prediction": "the prediction"}

    @property
    def formulas(self) -> dict[str, str]:
        """The formulas of the last objective, with noise or without."""
        drawn = {
            "u": "uniform()",
            "sigma": "low * exp(u * span)  # The level of the noise is drawn anew for each example, evenly on a scale of powers. ([Chapter 19](19_diffusion.py))",
            "epsilon": "normal()",
            "noisy": "x + sigma * epsilon  # Noise of that level is added, and the net must give back what was there before.",
        }
        still = {
            "u": "0 * x[:, :1] + 0.5",
            "sigma": "low * exp(u * span)  # The level of the noise is drawn anew for each example, evenly on a scale of powers. ([Chapter 19](19_diffusion.py))",
            "noisy": "x + 0 * sigma  # Noise of that level is added, and the net must give back what was there before.",
        }
        return {
            **(still if self.epsilon is None else drawn),
            "scaled": "noisy / sqrt(1 + sigma ** 2)  # It is divided by about its own size, so that the net sees numbers of one size at all levels.",
            "features": "exp(-((levels * u - k) ** 2))  # The net is told the level: each feature is large near one of them.",
            "given": "joined(scaled, features)  # The picture and its level stand side by side.",
            "prediction": "net(given)",
            "loss": "loss(prediction, x)",
            "dgiven": "backward(net, dprediction)",
        }

    def __init__(self, net: Layer, *, loss: Loss, low: float = 0.05, high: float = 10.0, levels: int = 16):
        self.net, self.loss = as_layer(net, "net"), as_loss(loss)
        self.low, self.high = number(self, "0 < low", low), number(self, "0 < high", high)
        if not low < high:
            raise OptionError(f"Diffusion(low={low:g}, high={high:g}): expected low < high, the levels of the noise")
        self.levels = whole(self, "levels", levels)
        self.epsilon = None
        self.gather()

    @property
    def span(self) -> float:
        """log(high / low)."""
        return math.log(self.high / self.low)

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        xp, rng = require_floats(x), noise_source(rng, x)
        if x.ndim != 2:
            raise ShapeError(f"Diffusion expects rows (N, D), got x of shape {tuple(x.shape)}")
        if rng is None:
            self.epsilon, u, noisy = None, 0 * x[:, :1] + 0.5, x
        else:
            u = rng.random((len(x), 1), dtype=x.dtype)
            self.epsilon = rng.standard_normal(x.shape, dtype=x.dtype)
            noisy = x + self.low * xp.exp(u * self.span) * self.epsilon  # sigma, noisy
        prediction = self.net.forward(self.told(noisy, u), rng)
        loss, self.dprediction = self.loss(prediction, x)
        return {"loss": loss}

    def backward(self) -> None:
        self.net.backward_first(self.dprediction)  # dgiven is that of data, which need none

    def told(self, noisy: Array, u: Array) -> Array:
        """The input of the net: noisy data (N, D), scaled so that all levels are alike in size, and the features of u (N, 1)."""
        xp = array_module(noisy)
        sigma = self.low * xp.exp(u * self.span)
        scaled = noisy / xp.sqrt(1 + sigma * sigma)
        self.k = xp.arange(self.levels).astype(noisy.dtype) + 0.5
        features = xp.exp(-((self.levels * u - self.k) ** 2))
        return xp.concatenate([scaled, features], axis=1)  # given

    # Using it

    def denoise(self, noisy: Array, sigma: float) -> Array:
        """E[x | x̃], for noisy data (N, D) with noise of the size sigma, between `low` and `high`."""
        require_floats(noisy, self.parameters, name="noisy")
        self.require_rows(noisy, "noisy data")
        limits = f"{self.low!r} <= sigma <= {self.high!r}"
        sigma = number("denoise", limits, sigma, ", the levels of the noise that the net has learned")
        u = math.log(sigma / self.low) / self.span
        made = self.loss.mean(self.net.forward(self.told(noisy, 0 * noisy[:, :1] + u)))
        if made.shape != noisy.shape:
            raise ShapeError(f"the net makes {made.shape} of noisy data {noisy.shape}: they must be equal")
        return made

    def score(self, noisy: Array, sigma: float) -> Array:
        """∇ log p_σ(x̃) = (E[x | x̃] - x̃) / σ², (N, D): the direction in which the noisy data are more probable."""
        return (self.denoise(noisy, sigma) - noisy) / sigma**2

    def reconstruct(self, x: Array) -> Array:
        """x, taken to have the least of the noise levels, without it."""
        return self.denoise(x, self.low)

    def sample(self, n: int, *, steps: int = 200, rng: int | np.random.Generator | None = None) -> Array:
        """n new examples, (n, D), from noise in so many steps."""
        ((_, _, made),) = collections.deque(self.steps(n, steps=steps, rng=rng), maxlen=1)  # the last of them
        return made

    def steps(
        self, n: int, *, steps: int = 200, rng: int | np.random.Generator | None = None
    ) -> Iterator[tuple[float, Array, Array]]:
        """The steps of `sample`: σ, x̃ at this level, and E[x | x̃], which at the last is the sample.

        σ falls by the same factor from `high` to `low`. From x̃ at σ to the next level τ (Ho et al. 2020, equation 7):

            x̃ ← x̂ + (τ²/σ²) (x̃ - x̂) + τ √(1 - τ²/σ²) ξ,  x̂ = E[x | x̃], ξ ~ N(0, 1),

        which has noise of the size τ: the first term takes all noise away, the second keeps a part of it, the third is fresh.
        """
        θ = self.parameters
        rng, D = generator(rng, θ), self.features()
        n, steps = whole("sample", "n", n), whole("sample", "steps", steps, least=2)
        falling = [i / (steps - 1) for i in range(steps)]
        sigmas = [self.high ** (1 - t) * self.low**t for t in falling]  # ends at `low` exactly
        noisy = self.high * rng.standard_normal(affordable("sample", n, D), dtype=θ.dtype)
        for i, sigma in enumerate(sigmas):
            made = self.denoise(noisy, sigma)
            yield sigma, noisy, made
            if i + 1 < steps:
                share = (sigmas[i + 1] / sigma) ** 2  # τ²/σ²
                fresh = sigmas[i + 1] * math.sqrt(1 - share) * rng.standard_normal((n, D), dtype=θ.dtype)
                noisy = made + share * (noisy - made) + fresh

    def features(self) -> int:
        """The number of numbers in an example: what the first layer with `inputs` takes, without the features of the level."""
        sizes = [layer.inputs for _, layer in self.net.leaves() if isinstance(getattr(layer, "inputs", None), int)]
        if not sizes:
            raise OptionError(
                f"Diffusion(net={self.net!r}): expected layers that begin with a Dense, whose inputs say how long a row is"
            )
        if sizes[0] <= self.levels:
            raise ShapeError(
                f"Diffusion(net={self.net!r}, levels={self.levels}): the net takes {sizes[0]} numbers, expected more than the {self.levels} "
                "features of the noise level"
            )
        return sizes[0] - self.levels

    def require_rows(self, x: Array, what: str = "rows x") -> None:
        """Raise ShapeError unless x is (N, D), with as many numbers as the net takes beside the features of the level."""
        require_floats(x)
        if x.ndim != 2 or x.shape[1] != self.features():
            raise ShapeError(
                f"Diffusion expects {what} (N, {self.features()}), as its net takes these and {self.levels} features of the noise level, got "
                f"{tuple(x.shape)}: flatten images with x.reshape(len(x), -1)"
            )

    def check_data(self, x: Array) -> None:
        self.loss.check_target(x)
        self.require_rows(x)
        prediction = self.net.forward(self.told(x[:100], 0 * x[:100, :1]))
        if prediction.shape[1:] != x.shape[1:]:
            raise ShapeError(
                f"the net makes examples of shape {prediction.shape[1:]}, x has {x.shape[1:]}: they must be equal"
            )
        self.loss.check_prediction(prediction)
