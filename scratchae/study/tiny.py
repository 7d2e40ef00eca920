"""A network so small that its whole training step fits on paper: 2-2-1-2-2, sigmoid, with weights that are easy to multiply."""

from __future__ import annotations

import numpy as np

from ..layers import Dense, Sequential, Sigmoid
from ..losses import MSE
from ..models import Autoencoder

# inputs and weights like those of worked examples in textbooks
WEIGHTS = (
    ([[0.15, 0.25], [0.20, 0.30]], [0.35, 0.35]),
    ([[0.40], [0.45]], [0.60]),
    ([[0.50, 0.55]], [0.35, 0.35]),
    ([[0.60, 0.70], [0.65, 0.75]], [0.60, 0.60]),
)
LEARNING_RATE = 0.5


def tiny() -> tuple[Autoencoder, np.ndarray]:
    """The model, in float64, and an example for it, (1, 2)."""
    layers = [dense(W, b) for W, b in WEIGHTS]
    encoder = Sequential(layers[0], Sigmoid(), layers[1], Sigmoid())
    decoder = Sequential(layers[2], Sigmoid(), layers[3], Sigmoid())
    return Autoencoder(encoder, decoder, loss=MSE()), np.array([[0.05, 0.10]])


def dense(W: list[list[float]], b: list[float]) -> Dense:
    """A Dense layer with these weights, in float64: 0.15 is not quite 0.15 in float32."""
    layer = Dense(len(W), len(b)).to(dtype=np.float64)
    layer.W, layer.b = np.array(W), np.array(b)
    return layer
