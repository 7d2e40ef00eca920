"""Noise that acts in training only, when forward is given an rng. In inference y = x.

A denoising autoencoder is an `Autoencoder` whose encoder begins with one of these layers: the target stays the clean
x (Vincent et al. 2008). A layer keeps the noise that it drew under its own name, so that a person can look at it. To inject
noise, pass any object with the methods `random` and `standard_normal` as rng.
"""

from __future__ import annotations

import numpy as np

from ..arguments import interval, number
from ..backend import Array, array_module
from .layer import Layer

NOISY = "\u0303"  # the tilde of x̃, as noise makes it of x


class Masked(Layer):
    """y = x · mask, element by element, with a mask that the subclass draws. In inference y = x."""

    mask: Array | None = None  # the mask of the last forward; None if that was inference
    mask_formula = ""  # the mask as an expression in u ~ U(0, 1)
    symbol, symbols = NOISY, {"mask": "m", "salt": "s"}

    @property
    def formulas(self) -> dict[str, str]:
        """The formulas of the last forward, which ran in training or in inference."""
        if self.mask is None:
            return {
                "y": "x  # In inference nothing is changed.",
                "dx": "dy  # The slope of x in this sum is 1, so what is asked of y is asked of x.",
            }
        return {
            "u": "uniform()",
            "mask": self.mask_formula,
            "y": "x * mask  # What the mask holds 0 for is gone. The network must guess it from the rest.",
            "dx": "dy * mask  # What was gone did not count, so nothing is asked of it.",
        }

    def draw(self, x: Array, rng: np.random.Generator) -> Array:
        """A mask of the shape and dtype of x."""
        raise NotImplementedError

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        self.mask = None if rng is None else self.draw(x, rng)
        return x if self.mask is None else x * self.mask

    def backward(self, dy: Array) -> Array:
        # y = x mask
        return dy if self.mask is None else dy * self.mask


class Dropout(Masked):
    """Each element is set to 0 with probability `rate`; the others are multiplied by 1 / (1 - rate), so that E[y] = x.

    Srivastava et al. 2014; they rescale in inference, this layer rescales in training.
    """

    examples_apart = True
    flops = 3, 0, 1  # keep or not, / (1 - rate), times x; dy mask
    mask_formula = "(u >= rate) / (1 - rate)  # Each number is dropped with this probability; those that stay are made larger, so that the mean stays the same."

    def __init__(self, rate: float):
        self.rate = number(self, "0 <= rate < 1", rate)

    def draw(self, x: Array, rng: np.random.Generator) -> Array:
        keep = rng.random(x.shape, dtype=x.dtype) >= self.rate
        return keep.astype(x.dtype) / (1 - self.rate)  # 0 or 1 / (1 - rate)


class MaskingNoise(Masked):
    """Each element is set to 0 with probability `rate`; the others stay unchanged (Vincent et al. 2010, section 3.3)."""

    examples_apart = corrupts = True
    flops = 2, 0, 1  # keep or not, times x; dy mask
    mask_formula = "u >= rate  # Each number is destroyed with this probability."

    def __init__(self, rate: float):
        self.rate = number(self, "0 <= rate <= 1", rate)

    def draw(self, x: Array, rng: np.random.Generator) -> Array:
        return (rng.random(x.shape, dtype=x.dtype) >= self.rate).astype(x.dtype)  # 0 or 1


class SaltAndPepper(Masked):
    """With probability `rate`, an element is replaced by 0 or 1, with equal odds (Vincent et al. 2010, section 3.3).

    y = x · mask + salt: the mask is 0 where x is replaced, and salt is 1 where x is replaced by 1.
    """

    examples_apart = corrupts = True
    flops = 4, 0, 1  # keep or not, salt or pepper, x mask + salt; dy mask
    mask_formula = "u >= rate  # Each number is destroyed with this probability."

    @property
    def formulas(self) -> dict[str, str]:
        """The formulas of the last forward, which ran in training or in inference."""
        if self.mask is None:
            return super().formulas
        masks = {
            "u": "uniform()",
            "mask": self.mask_formula,
            "salt": "u < rate / 2  # Half of the numbers that are destroyed become 1.",
        }
        return {
            **masks,
            "y": "x * mask + salt  # What is destroyed becomes 0 or 1. The network must guess it from the rest.",
            "dx": "dy * mask  # What was gone did not count, so nothing is asked of it.",
        }

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
    """y = x + std · ε with ε ~ N(0, 1), then cut to the range `clip`, such as (0, 1), if it is given."""

    examples_apart = corrupts = True
    symbol, symbols = NOISY, {"noise": "ε", "noisy": "x" + NOISY}

    @property
    def formulas(self) -> dict[str, str]:
        """The formulas of the last forward, which ran in training or in inference."""
        if self.noise is None:
            return {
                "y": "x  # In inference nothing is changed.",
                "dx": "dy  # The slope of x in this sum is 1, so what is asked of y is asked of x.",
            }
        if self.clip is None:
            return {
                "noise": "normal()",
                "y": "x + std * noise  # Noise is added, and the network must give back what was there before. ([Chapter 09](09_denoising.py))",
                "dx": "dy  # The slope of x in this sum is 1, so what is asked of y is asked of x.",
            }
        low, high = self.clip
        return {
            "noise": "normal()",
            "noisy": "x + std * noise  # Noise is added, and the network must give back what was there before. ([Chapter 09](09_denoising.py))",
            "y": f"clip(noisy, {low!r}, {high!r})  # A pixel stays within the range of the data.",
            "dx": f"dy * (noisy > {low!r}) * (noisy < {high!r})  # What was cut off does not move y, so nothing is asked of it.",
        }

    def __init__(self, std: float, clip: tuple[float, float] | None = None):
        self.std = number(self, "0 <= std", std)
        self.clip = None if clip is None else interval(self, "clip", clip)
        self.noise = None

    @property
    def flops(self) -> tuple[int, int, int]:
        """x + std ε, cut below and above; dy · (noisy > low) · (noisy < high)."""
        return (2, 0, 0) if self.clip is None else (4, 0, 4)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        if rng is None:
            self.noise = None
            return x
        self.noise = rng.standard_normal(x.shape, dtype=x.dtype)
        self.noisy = x + self.std * self.noise
        return self.noisy if self.clip is None else array_module(x).clip(self.noisy, *self.clip)

    def backward(self, dy: Array) -> Array:
        if self.noise is None or self.clip is None:
            return dy
        # y = min(max(noisy, low), high): the slope is 0 where y was cut
        low, high = self.clip
        return dy * (self.noisy > low) * (self.noisy < high)
