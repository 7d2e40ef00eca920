"""Networks so small that a whole training step fits on paper, with sigmoids and weights that are easy to multiply."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..layers import Dense, Layer, Sequential, Sigmoid
from ..losses import MSE
from ..models import Autoencoder

# (W, b) of each layer; inputs and weights like those of worked examples in textbooks
CLASSIC = (
    ([[0.15, 0.25], [0.20, 0.30]], [0.35, 0.35]),
    ([[0.40], [0.45]], [0.60]),
    ([[0.50, 0.55]], [0.35, 0.35]),
    ([[0.60, 0.70], [0.65, 0.75]], [0.60, 0.60]),
)
# sizes and a batch that differ, so that a transpose or a sum that is forgotten shows in the numbers
TINY = (
    ([[0.15, 0.25], [0.20, 0.30], [-0.10, 0.40]], [0.35, 0.35]),
    ([[0.40, 0.50, -0.30], [0.45, 0.55, 0.60]], [0.60, 0.60, 0.10]),
)
LEARNING_RATE = 0.5


def classic() -> tuple[Autoencoder, np.ndarray]:
    """2-2-1-2-2, in float64, and an example for it, (1, 2)."""
    return network(CLASSIC), np.array([[0.05, 0.10]])


def tiny() -> tuple[Autoencoder, np.ndarray]:
    """3-2-3, in float64, and two examples for it, (2, 3)."""
    return network(TINY), np.array([[0.05, 0.10, 0.90], [0.80, 0.40, 0.20]])


def network(weights: Sequence[tuple[list, list]]) -> Autoencoder:
    """An autoencoder of Dense layers with these weights; the first half of them encodes."""
    layers: list[Layer] = []
    for W, b in weights:
        layers += [dense(W, b), Sigmoid()]
    middle = len(weights)
    return Autoencoder(Sequential(*layers[:middle]), Sequential(*layers[middle:]), loss=MSE())


def dense(W: list[list[float]], b: list[float]) -> Dense:
    """A Dense layer with these weights, in float64: 0.15 is not quite 0.15 in float32."""
    layer = Dense(len(W), len(b)).to(dtype=np.float64)
    layer.W, layer.b = np.array(W), np.array(b)
    return layer
