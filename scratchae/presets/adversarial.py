"""Two players: generators that make images from noise, and an autoencoder whose codes a discriminator shapes."""

from __future__ import annotations

import numpy as np

from ..layers import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    LeakyReLU,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
)
from ..losses import BCEWithLogits
from ..models import GAN, AdversarialAutoencoder, Model
from ..optimizers import Adam
from .dense import stack
from .preset import Preset

# Radford et al. 2016: less momentum than elsewhere, since the other player moves too
RECIPE = {"batch_size": 128, "lr": 2e-4, "optimizer": lambda lr, steps: Adam(lr, beta1=0.5)}
NOISE = 0.1  # on what the discriminator sees (Sønderby et al. 2017)


def gan(rng: np.random.Generator) -> Model:
    generator = stack([64, 256, 512, 784], ReLU, rng, last=Sigmoid())
    judge = Sequential(
        GaussianNoise(NOISE),
        *(Dense(784, 512, init="he", rng=rng), LeakyReLU(0.2), Dropout(0.3)),
        *(Dense(512, 256, init="he", rng=rng), LeakyReLU(0.2), Dropout(0.3)),
        Dense(256, 1, rng=rng),
    )
    return GAN(generator, judge)


def gan_conv(rng: np.random.Generator) -> Model:
    up = {"stride": 2, "padding": 1, "output_padding": 1, "rng": rng}
    generator = Sequential(
        *(Dense(64, 7 * 7 * 64, init="he", rng=rng), BatchNorm(7 * 7 * 64), ReLU(), Reshape((7, 7, 64))),
        *(ConvTranspose2d(64, 32, 3, init="he", **up), BatchNorm(32), ReLU()),  # (N, 14, 14, 32)
        *(ConvTranspose2d(32, 1, 3, **up), Sigmoid()),  # (N, 28, 28, 1)
    )
    down = {"stride": 2, "padding": 1, "init": "he", "rng": rng}
    judge = Sequential(
        GaussianNoise(NOISE),
        *(Conv2d(1, 32, 3, **down), LeakyReLU(0.2)),  # (N, 14, 14, 32)
        *(Conv2d(32, 64, 3, **down), LeakyReLU(0.2)),  # (N, 7, 7, 64)
        *(Flatten(), Dense(7 * 7 * 64, 1, rng=rng)),
    )
    return GAN(generator, judge)


def aae(rng: np.random.Generator) -> Model:
    encoder = stack([784, 512, 256, 2], ReLU, rng, last=None)
    decoder = stack([2, 256, 512, 784], ReLU, rng, last=None)
    judge = [Dense(2, 128, init="he", rng=rng), LeakyReLU(0.2), Dense(128, 128, init="he", rng=rng), LeakyReLU(0.2)]
    judge = Sequential(GaussianNoise(NOISE), *judge, Dense(128, 1, rng=rng))
    # the reconstruction is a sum over 784 pixels, so the other term needs a weight to be heard beside it
    return AdversarialAutoencoder(encoder, decoder, judge, loss=BCEWithLogits(), weight=20.0)


PRESETS = (
    Preset(
        "gan",
        "a generator 64-256-512-784 and a discriminator 784-512-256-1: images from noise, without any encoder",
        gan,
        code=64,
        epochs=30,
        **RECIPE,
    ),
    Preset(
        "gan-conv",
        "the same game with transposed convolutions 64-32-1 against convolutions 1-32-64",
        gan_conv,
        code=64,
        epochs=15,
        **RECIPE,
        shape=(28, 28, 1),
    ),
    Preset(
        "aae",
        "784-512-256-2 and back, and a discriminator that compares all codes with N(0, 1): a code without holes",
        aae,
        code=2,
        epochs=30,
        **RECIPE | {"lr": 1e-3},
    ),
)
