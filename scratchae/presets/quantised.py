"""Autoencoders whose code is a list of whole numbers."""

from __future__ import annotations

import numpy as np

from ..errors import OptionError
from ..layers import Codebook, Conv2d, ConvTranspose2d, ReLU, Sequential, Sigmoid
from ..losses import MSE
from ..models import VQVAE, Model
from .convolutional import IMAGES, whole
from .form import Form, output_padding
from .preset import Preset, warm_cosine


def vqvae(rng: np.random.Generator, form: Form = IMAGES) -> Model:
    if form.code is not None:
        raise OptionError(
            f"--code {form.code}: the code of vqvae is one of 64 vectors at each place: choose its channels, --hidden 16,32"
        )
    full, half, quarter = form.halved(2, "vqvae")
    c0, (c1, c2) = form.shape[2], form.channels("vqvae", 16, 32)
    down = {"stride": 2, "padding": 1, "init": "he", "rng": rng}
    up = {"stride": 2, "padding": 1, "rng": rng}
    first, second = (whole(output_padding(*sizes)) for sizes in ((quarter, half), (half, full)))
    encoder = Sequential(
        *(Conv2d(c0, c1, 3, **down), ReLU()),  # (N, 14, 14, 16)
        *(Conv2d(c1, c2, 3, **down), ReLU()),  # (N, 7, 7, 32)
        Conv2d(c2, 16, 1, rng=rng),  # (N, 7, 7, 16): 49 vectors
    )
    decoder = Sequential(
        *(ConvTranspose2d(16, c2, 3, padding=1, init="he", rng=rng), ReLU()),  # (N, 7, 7, 32)
        *(ConvTranspose2d(c2, c1, 3, init="he", output_padding=first, **up), ReLU()),  # (N, 14, 14, 16)
        *(ConvTranspose2d(c1, c0, 3, output_padding=second, **up), *form.end(Sigmoid())),  # (N, 28, 28, 1)
    )
    return VQVAE(encoder, Codebook(64, 16, decay=0.99, rng=rng), decoder, loss=MSE())


PRESETS = (
    Preset(
        "vqvae",
        "convolutions 1-16-32, 7 × 7 vectors, each the nearest of 64, and back: an image as 49 whole numbers",
        vqvae,
        code=32,  # PCA's numbers: at 3 bits each they are about the bits of a code of 49 whole numbers by its prior
        epochs=15,
        batch_size=128,
        lr=3e-3,
        optimizer=warm_cosine(),
        shape=(28, 28, 1),
    ),
)
