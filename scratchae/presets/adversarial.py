"""Two players: generators that make images from noise, and an autoencoder whose codes a discriminator shapes."""

from __future__ import annotations

import itertools

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
from .convolutional import IMAGES, whole
from .dense import ROWS, stack
from .form import Form, output_padding
from .preset import Preset

# Radford et al. 2016: less momentum than elsewhere, since the other player moves too
RECIPE = {"batch_size": 128, "lr": 2e-4, "optimizer": lambda lr, steps: Adam(lr, beta1=0.5)}
NOISE = 0.1  # on what the discriminator sees (Sønderby et al. 2017)


def gan(rng: np.random.Generator, form: Form = ROWS) -> Model:
    features, *hidden, code = form.sizes(512, 256, code=64)
    generator = stack([code, *reversed(hidden), features], ReLU, rng, last=Sigmoid() if form.unit else None)
    judge = [
        layer
        for a, b in itertools.pairwise([features, *hidden])
        for layer in (Dense(a, b, init="he", rng=rng), LeakyReLU(0.2), Dropout(0.3))
    ]
    return GAN(generator, Sequential(GaussianNoise(NOISE), *judge, Dense(hidden[-1], 1, rng=rng)))


def gan_conv(rng: np.random.Generator, form: Form = IMAGES) -> Model:
    full, half, quarter = form.halved(2, "gan-conv")
    c0, (c1, c2), code = form.shape[2], form.channels("gan-conv", 32, 64), form.code or 64
    flat = quarter[0] * quarter[1] * c2
    up = {"stride": 2, "padding": 1, "rng": rng}
    first, second = (whole(output_padding(*sizes)) for sizes in ((quarter, half), (half, full)))
    generator = Sequential(
        *(Dense(code, flat, rng=rng), BatchNorm(flat), ReLU(), Reshape((*quarter, c2))),
        *(
            ConvTranspose2d(c2, c1, 3, init="he", output_padding=first, **up),
            BatchNorm(c1),
            ReLU(),
        ),  # (N, 14, 14, 32)
        *(ConvTranspose2d(c1, c0, 3, output_padding=second, **up), *form.end(Sigmoid())),  # (N, 28, 28, 1)
    )
    down = {"stride": 2, "padding": 1, "init": "he", "rng": rng}
    judge = Sequential(
        GaussianNoise(NOISE),
        *(Conv2d(c0, c1, 3, **down), LeakyReLU(0.2)),  # (N, 14, 14, 32)
        *(Conv2d(c1, c2, 3, **down), LeakyReLU(0.2)),  # (N, 7, 7, 64)
        *(Flatten(), Dense(flat, 1, rng=rng)),
    )
    return GAN(generator, judge)


def aae(rng: np.random.Generator, form: Form = ROWS) -> Model:
    sizes = form.sizes(512, 256, code=2)
    encoder, decoder = (stack(way, ReLU, rng, last=None) for way in (sizes, sizes[::-1]))
    judge = [
        Dense(sizes[-1], 128, init="he", rng=rng),
        LeakyReLU(0.2),
        Dense(128, 128, init="he", rng=rng),
        LeakyReLU(0.2),
    ]
    judge = Sequential(GaussianNoise(NOISE), *judge, Dense(128, 1, rng=rng))
    # the reconstruction is a sum over all pixels, so the other term needs a weight to be heard beside it
    return AdversarialAutoencoder(encoder, decoder, judge, loss=form.loss(BCEWithLogits()), weight=20.0)


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
