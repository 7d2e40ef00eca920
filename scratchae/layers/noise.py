"""Noise that acts in training only, when forward is given an rng; in inference y = x.

A denoising autoencoder is an `Autoencoder` whose encoder begins with one of these: the target stays the clean
x (Vincent et al. 2008). What was drawn is kept under its own name, to be looked at or injected: any object
with `random` and `standard_normal` serves as rng.
"""

from __future__ import annotations

import numpy as np

from ..arguments import interval, number
from ..backend import Array, array_module, noise_source, require_floats
from .layer import Layer


class Masked(Layer):
    """y = x · mask, element by element, with a mask that the subclass draws; in inference y = x."""

    mask: Array | None = None  # of the last forward; None if that was inference
    mask_formula = ""  # of u ~ U(0, 1)

    @property
    def formulas(self) -> dict[str, str]:
        """As the last forward ran: in training or inference."""
        if self.mask is None:
            return {"y": "x", "dx": "dy"}
        return {"u": "uniform()", "mask": self.mask_formula, "y": "x * mask", "dx": "dy * mask"}

    def draw(self, x: Array, rng: np.random.Generator) -> Array:
        """A mask of the shape and dtype of x."""
        raise NotImplementedError

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        require_floats(x)
        self.mask = None if rng is None else self.draw(x, noise_source(rng, x))
        return x if self.mask is None else x * self.mask

    def backward(self, dy: Array) -> Array:
        # y = x mask
        return dy if self.mask is None else dy * self.mask


class Dropout(Masked):
    """Each element is set to 0 with probability `rate`, the others are scaled by 1 / (1 - rate), so that E[y] = x.

    Srivastava et al. 2014, scaled in training instead of in inference.
    """

    examples_apart = True
    mask_formula = "(u >= rate) / (1 - rate)"

    def __init__(self, rate: float):
        self.rate = number(self, "0 <= rate < 1", rate)

    def draw(self, x: Array, rng: np.random.Generator) -> Array:
        keep = rng.random(x.shape, dtype=x.dtype) >= self.rate
        return keep.astype(x.dtype) / (1 - self.rate)  # 0 or 1 / (1 - rate)


class MaskingNoise(Masked):
    """Each element is set to 0 with probability `rate`, and nothing rescaled (Vincent et al. 2010, section 3.3)."""

    examples_apart = True
    mask_formula = "u >= rate"

    def __init__(self, rate: float):
        self.rate = number(self, "0 <= rate <= 1", rate)

    def draw(self, x: Array, rng: np.random.Generator) -> Array:
        return (rng.random(x.shape, dtype=x.dtype) >= self.rate).astype(x.dtype)  # 0 or 1


class SaltAndPepper(Masked):
    """Each element becomes 0 or 1, with equal odds, with probability `rate` (Vincent et al. 2010, section 3.3).

    y = x · mask + salt: the mask is 0 where x is replaced, salt is 1 where it becomes 1.
    """

    examples_apart = True
    mask_formula = "u >= rate"

    @property
    def formulas(self) -> dict[str, str]:
        """As the last forward ran: in training or inference."""
        if self.mask is None:
            return super().formulas
        masks = {"u": "uniform()", "mask": self.mask_formula, "salt": "u < rate / 2"}
        return {**masks, "y": "x * mask + salt", "dx": "dy * mask"}

    def __init__(self, rate: float):
        self.rate = number(self, "0 <= rate <= 1", rate)

    def draw(self, x: Array, rng: np.random.Generator) -> Array:
        u = rng.random(x.shape, dtype=x.dtype)
        self.salt = (u < self.rate / 2).astype(x.dtype)
        return (u >= self.rate).astype(x.dtype)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        y = super().forward(x, rng)
        return y if self.mask is None else y + self.salt


class GaussianNoise(Layer):
    """y = x + std · ε with ε ~ N(0, 1), then cut to the range `clip`, such as (0, 1), if one is given."""

    examples_apart = True

    @property
    def formulas(self) -> dict[str, str]:
        """As the last forward ran: in training or inference."""
        if self.noise is None:
            return {"y": "x", "dx": "dy"}
        if self.clip is None:
            return {"noise": "normal()", "y": "x + std * noise", "dx": "dy"}
        low, high = self.clip
        return {
            "noise": "normal()",
            "noisy": "x + std * noise",
            "y": f"clip(noisy, {low!r}, {high!r})",
            "dx": f"dy * (noisy > {low!r}) * (noisy < {high!r})",
        }

    def __init__(self, std: float, clip: tuple[float, float] | None = None):
        self.std = number(self, "0 <= std", std)
        self.clip = None if clip is None else interval(self, "clip", clip)
        self.noise = None

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        require_floats(x)
        if rng is None:
            self.noise = None
            return x
        self.noise = noise_source(rng, x).standard_normal(x.shape, dtype=x.dtype)
        self.noisy = x + self.std * self.noise
        return self.noisy if self.clip is None else array_module(x).clip(self.noisy, *self.clip)

    def backward(self, dy: Array) -> Array:
        if self.noise is None or self.clip is None:
            return dy
        # y = min(max(noisy, low), high): no slope where it was cut
        low, high = self.clip
        return dy * (self.noisy > low) * (self.noisy < high)
