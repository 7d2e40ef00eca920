"""Weights to begin with."""

from __future__ import annotations

import math

import numpy as np

from ..arguments import choice
from ..backend import generator


def draw_weights(
    shape: tuple[int, ...],
    fan_in: float,
    fan_out: float,
    init: str,
    rng: int | np.random.Generator | None,
    owner: object = "draw_weights",
) -> np.ndarray:
    """Normal numbers in float32, of a variance with which signals neither grow nor fade from layer to layer.

    What does that depends on what follows: "he" before ReLU and its kin, which pass half the variance:
    W ~ N(0, 2 / fan_in) (He et al. 2015, eq. 10); "glorot" before sigmoid, tanh or nothing:
    W ~ N(0, 2 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 12). `fan_in` is how many inputs each output
    is a sum of, `fan_out` how many outputs each input goes into. `owner` is the layer, for its message. Raises OptionError for another `init`.

    Draws happen on the host: every device starts from the same numbers.
    """
    variances = {"he": 2 / fan_in, "glorot": 2 / (fan_in + fan_out)}
    variance = variances[choice(owner, "init", init, variances)]
    return generator(rng).standard_normal(shape, dtype=np.float32) * math.sqrt(variance)
