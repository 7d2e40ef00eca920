"""Dense autoencoders of images, of a curved sheet and of a plane."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from ..layers import Dense, Dropout, GaussianNoise, Layer, ReLU, Sequential, Sigmoid, Softplus
from ..losses import MSE, BCEWithLogits
from ..models import Autoencoder, Model
from ..penalties import L1
from .preset import Preset, warm_cosine


def stack(
    sizes: list[int], activation: Callable[[], Layer], rng: np.random.Generator, *, last: Layer | None
) -> Sequential:
    """Dense layers of these sizes with an activation between them, and the layer `last`, if given, at the end.

    The initial weights suit the activation that follows: He's before ReLU and Softplus, Glorot's before all others.
    """
    layers: list[Layer] = []
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        follower = last if i == len(sizes) - 2 else activation()
        layers.append(
            Dense(inputs, outputs, init="he" if isinstance(follower, ReLU | Softplus) else "glorot", rng=rng)
        )
        if follower is not None:
            layers.append(follower)
    return Sequential(*layers)


def simple(rng: np.random.Generator) -> Model:
    encoder = stack([784, 256], Sigmoid, rng, last=Sigmoid())
    decoder = stack([256, 784], Sigmoid, rng, last=Sigmoid())
    return Autoencoder(encoder, decoder, loss=MSE())


def bottleneck(rng: np.random.Generator) -> Model:
    encoder = stack([1000, 100, 50], ReLU, rng, last=ReLU())
    decoder = stack([50, 100, 1000], ReLU, rng, last=Sigmoid())
    return Autoencoder(encoder, decoder, loss=MSE())


def curved_sheet(rng: np.random.Generator, n: int) -> np.ndarray:
    """Points on a curved 10-dimensional sheet in [0, 1]¹⁰⁰⁰: σ(4 tanh(2 z A) B), z ~ N(0, 1), A and B fixed."""
    fixed = np.random.default_rng(0)
    A, B = fixed.standard_normal((10, 60)) / 10**0.5, fixed.standard_normal((60, 1000)) / 60**0.5
    z = rng.standard_normal((n, 10))
    return (1 / (1 + np.exp(-4 * np.tanh(2 * z @ A) @ B))).astype(np.float32)


def deep(rng: np.random.Generator) -> Model:
    encoder = stack([784, 128, 64, 32], ReLU, rng, last=ReLU())
    decoder = stack([32, 64, 128, 784], ReLU, rng, last=Sigmoid())
    return Autoencoder(encoder, decoder, loss=MSE())


def deep_linear_code(rng: np.random.Generator) -> Model:
    encoder = stack([784, 128, 64, 32], ReLU, rng, last=None)
    decoder = stack([32, 64, 128, 784], ReLU, rng, last=Sigmoid())
    return Autoencoder(encoder, decoder, loss=MSE())


def science2006(rng: np.random.Generator) -> Model:
    encoder = stack([784, 1000, 500, 250, 30], Softplus, rng, last=None)
    decoder = stack([30, 250, 500, 1000, 784], Softplus, rng, last=None)
    return Autoencoder(encoder, decoder, loss=BCEWithLogits())


def overcomplete(rng: np.random.Generator, *before: Layer, dropout: float = 0.0, penalty: L1 | None = None) -> Model:
    """2 -> 50 -> 2: the code is larger than the data."""
    after = [Dropout(dropout)] if dropout else []
    encoder = Sequential(*before, Dense(2, 50, init="he", rng=rng), ReLU(), *after)
    return Autoencoder(encoder, Sequential(Dense(50, 2, rng=rng)), loss=MSE(), penalty=penalty)


def slanted_gaussian(rng: np.random.Generator, n: int) -> np.ndarray:
    """Points from a 2-D Gaussian whose axes have standard deviations 1 and 0.3, turned by 30 degrees."""
    angle = np.pi / 6
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (rng.standard_normal((n, 2)) * [1.0, 0.3] @ turn).astype(np.float32)


PRESETS = (
    Preset(
        "simple",
        "784-256-784, sigmoid: one hidden layer, the smallest autoencoder of images",
        simple,
        code=256,
        epochs=10,
        batch_size=100,
        lr=0.01,
    ),
    Preset(
        "bottleneck",
        "1000-100-50-100-1000, ReLU: a curved 10-dimensional sheet in 1,000 dimensions",
        bottleneck,
        code=50,
        epochs=50,
        batch_size=128,
        synthetic=curved_sheet,
    ),
    Preset(
        "deep",
        "784-128-64-32-64-128-784, ReLU: three layers down to 32 numbers, three back up",
        deep,
        code=32,
        epochs=10,
        batch_size=128,
    ),
    Preset(
        "deep-linear-code",
        "the same with a linear code, which no ReLU cuts at 0",
        deep_linear_code,
        code=32,
        epochs=10,
        batch_size=128,
    ),
    Preset(
        "overcomplete",
        "2-50-2: a code larger than the data learns the identity; dropout, sparsity and noise change that",
        overcomplete,
        code=2,
        epochs=20,
        batch_size=128,
        synthetic=slanted_gaussian,
        variants={
            "dropout 0.5 on the code": lambda rng: overcomplete(rng, dropout=0.5),
            "sparsity, L1 of 0.02": lambda rng: overcomplete(rng, penalty=L1(0.02)),
            "noise of 0.5 on the input": lambda rng: overcomplete(rng, GaussianNoise(0.5)),
        },
    ),
    Preset(
        "science2006",
        "784-1000-500-250-30 and back, linear code: Hinton and Salakhutdinov's, from random weights",
        science2006,
        code=30,
        epochs=80,
        batch_size=128,
        # without weight decay it overfits: the training error keeps falling, the test error does not
        optimizer=warm_cosine(500, weight_decay=0.1),
    ),
)
