"""Convolutional autoencoders of images."""

from __future__ import annotations

import numpy as np

from ..layers import Conv2d, ConvTranspose2d, GaussianNoise, MaxPool2d, ReLU, Sequential, Sigmoid, UpSample2d
from ..losses import MSE, BCEWithLogits
from ..models import Autoencoder, Model
from .preset import Preset, warm_cosine


def conv(rng: np.random.Generator) -> Model:
    # Glorot's weights, although ReLU follows: they are smaller than He's, and ten epochs reach a lower loss with them
    down = {"stride": 2, "padding": 1, "rng": rng}
    up = {"stride": 2, "padding": 1, "output_padding": 1, "rng": rng}
    encoder = Sequential(
        Conv2d(1, 16, 3, **down),  # (N, 14, 14, 16)
        ReLU(),
        Conv2d(16, 32, 3, **down),  # (N, 7, 7, 32)
        ReLU(),
        Conv2d(32, 64, 7, rng=rng),  # (N, 1, 1, 64)
    )
    decoder = Sequential(
        ConvTranspose2d(64, 32, 7, rng=rng),  # (N, 7, 7, 32)
        ReLU(),
        ConvTranspose2d(32, 16, 3, **up),  # (N, 14, 14, 16)
        ReLU(),
        ConvTranspose2d(16, 1, 3, **up),  # (N, 28, 28, 1)
        Sigmoid(),
    )
    return Autoencoder(encoder, decoder, loss=MSE())


def conv_pool(rng: np.random.Generator) -> Model:
    # the last layer could be a Conv2d(16, 1, 3, padding=1): at stride 1 the two are the same function, with the kernel turned
    # by 180 degrees. But painting one channel takes less time and memory than gathering patches of 16 channels
    same = {"padding": 1, "init": "he", "rng": rng}
    encoder = Sequential(
        *(Conv2d(1, 16, 3, **same), ReLU(), MaxPool2d(2)),  # (N, 14, 14, 16)
        *(Conv2d(16, 8, 3, **same), ReLU(), MaxPool2d(2)),  # (N, 7, 7, 8)
        *(Conv2d(8, 8, 3, **same), ReLU(), MaxPool2d(2, ceil_mode=True)),  # (N, 4, 4, 8)
    )
    decoder = Sequential(
        *(Conv2d(8, 8, 3, **same), ReLU(), UpSample2d(2)),  # (N, 8, 8, 8)
        *(Conv2d(8, 8, 3, **same), ReLU(), UpSample2d(2)),  # (N, 16, 16, 8)
        *(Conv2d(8, 16, 3, init="he", rng=rng), ReLU(), UpSample2d(2)),  # no padding: (N, 28, 28, 16)
        ConvTranspose2d(16, 1, 3, padding=1, rng=rng),  # logits (N, 28, 28, 1)
    )
    return Autoencoder(encoder, decoder, loss=BCEWithLogits())


def conv_denoising(rng: np.random.Generator) -> Model:
    same = {"padding": 1, "init": "he", "rng": rng}
    up = {"stride": 2, "padding": 1, "output_padding": 1, "init": "he", "rng": rng}
    encoder = Sequential(
        GaussianNoise(0.4, clip=(0, 1)),
        *(Conv2d(1, 32, 3, **same), ReLU(), MaxPool2d(2)),  # (N, 14, 14, 32)
        *(Conv2d(32, 32, 3, **same), ReLU(), MaxPool2d(2)),  # (N, 7, 7, 32)
    )
    decoder = Sequential(
        *(ConvTranspose2d(32, 32, 3, **up), ReLU()),  # (N, 14, 14, 32)
        *(ConvTranspose2d(32, 32, 3, **up), ReLU()),  # (N, 28, 28, 32)
        ConvTranspose2d(32, 1, 3, padding=1, rng=rng),  # logits (N, 28, 28, 1)
    )
    return Autoencoder(encoder, decoder, loss=BCEWithLogits())


PRESETS = (
    Preset(
        "conv",
        "convolutions 1-16-32-64 and back, ReLU: the image halved twice, then a 7 × 7 kernel down to 64 numbers",
        conv,
        code=64,
        epochs=10,
        batch_size=128,
        shape=(28, 28, 1),
    ),
    Preset(
        "conv-pool",
        "convolutions 16-8-8 with max-pooling, and back with up-sampling: the Keras blog's, down to 4 × 4 × 8",
        conv_pool,
        code=128,
        epochs=15,
        batch_size=128,
        lr=5e-3,
        optimizer=warm_cosine(),
        shape=(28, 28, 1),
    ),
    Preset(
        "conv-denoising",
        "convolutions 32-32 with max-pooling, and back: removes Gaussian noise of 0.4 (keras.io's)",
        conv_denoising,
        code=64,  # the model's own code, 7 · 7 · 32, is larger than the image; PCA removes noise best with 64 directions
        epochs=30,
        batch_size=64,
        lr=5e-3,
        optimizer=warm_cosine(),
        shape=(28, 28, 1),
    ),
)
