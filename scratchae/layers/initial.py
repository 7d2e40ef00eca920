"""Initial weights."""

from __future__ import annotations

import math

import numpy as np

from ..arguments import affordable, choice
from ..backend import generator


def draw_weights(
    shape: tuple[int, ...],
    fan_in: float,
    fan_out: float,
    init: str,
    rng: int | np.random.Generator | None,
    owner: object = "draw_weights",
) -> np.ndarray:
    """Normal numbers in float32, with a variance that lets signals neither grow nor fade from layer to layer.

    The right variance depends on the activation that follows: "he" before ReLU and its relatives, which pass half of it:
    W ~ N(0, 2 / fan_in) (He et al. 2015, eq. 10); "glorot" before sigmoid, tanh or no activation:
    W ~ N(0, 2 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 12). `fan_in` is the number of inputs that
    each output sums, `fan_out` the number of outputs that each input goes into. `owner` is the layer, for the error. Raises
    OptionError for another `init`.

    NumPy draws the numbers on the host, so that every device starts from the same weights.
    """
    variances = {"he": 2 / fan_in, "glorot": 2 / (fan_in + fan_out)}
    variance = variances[choice(owner, "init", init, variances)]
    return generator(rng).standard_normal(affordable(owner, *shape), dtype=np.float32) * math.sqrt(variance)
