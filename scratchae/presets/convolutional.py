"""Convolutional autoencoders of images."""

from __future__ import annotations

import numpy as np

from ..errors import OptionError
from ..layers import Conv2d, ConvTranspose2d, MaxPool2d, ReLU, Sequential, Sigmoid, UpSample2d
from ..losses import MSE, BCEWithLogits
from ..models import Autoencoder, Model
from .form import Form, output_padding
from .preset import Preset, warm_cosine

IMAGES = Form((28, 28, 1))


def conv(rng: np.random.Generator, form: Form = IMAGES) -> Model:
    # Glorot's weights, although ReLU follows: they are smaller than He's, and ten epochs reach a lower loss with them
    full, half, quarter = form.halved(2, "conv")
    c0, (c1, c2), code = form.shape[2], form.channels("conv", 16, 32), form.code or 64
    down = {"stride": 2, "padding": 1, "rng": rng}
    encoder = Sequential(
        Conv2d(c0, c1, 3, **down),  # (N, 14, 14, 16)
        ReLU(),
        Conv2d(c1, c2, 3, **down),  # (N, 7, 7, 32)
        ReLU(),
        Conv2d(c2, code, whole(quarter), rng=rng),  # (N, 1, 1, 64)
    )
    decoder = Sequential(
        ConvTranspose2d(code, c2, whole(quarter), rng=rng),  # (N, 7, 7, 32)
        ReLU(),
        ConvTranspose2d(c2, c1, 3, output_padding=whole(output_padding(quarter, half)), **down),  # (N, 14, 14, 16)
        ReLU(),
        ConvTranspose2d(c1, c0, 3, output_padding=whole(output_padding(half, full)), **down),  # (N, 28, 28, 1)
        *form.end(Sigmoid()),
    )
    return Autoencoder(encoder, decoder, loss=MSE())


def conv_pool(rng: np.random.Generator, form: Form = IMAGES) -> Model:
    # the last layer could be a Conv2d(16, 1, 3, padding=1): at stride 1 the two are the same function, with the kernel turned
    # by 180 degrees. But painting one channel takes less time and memory than gathering patches of 16 channels
    full, half, _, small = form.halved(3, "conv-pool")
    c0, (c1, c2) = form.shape[2], form.channels("conv-pool", 16, 8)
    pixels = small[0] * small[1]
    if form.code is not None and form.code % pixels:
        raise OptionError(
            f"--code {form.code}: the last layer of conv-pool's encoder makes maps of {small[0]}×{small[1]}, so the code is a multiple of "
            f"{pixels}, such as --code {max(form.code // pixels, 1) * pixels}"
        )
    c3 = form.code // pixels if form.code else 8
    same = {"padding": 1, "init": "he", "rng": rng}
    encoder = Sequential(
        *(Conv2d(c0, c1, 3, **same), ReLU(), halving(full)),  # (N, 14, 14, 16)
        *(Conv2d(c1, c2, 3, **same), ReLU(), halving(half)),  # (N, 7, 7, 8)
        *(Conv2d(c2, c3, 3, **same), ReLU(), MaxPool2d(2, ceil_mode=True)),  # (N, 4, 4, 8)
    )
    # twice four times as large is up to 3 more than it was; a kernel without padding cuts that off: (4, 4) for 3, (3, 3) for 2
    kernel, padding = fitting([4 * side for side in small], half)
    last, _ = fitting([2 * side for side in half], full)
    decoder = Sequential(
        *(Conv2d(c3, c2, 3, **same), ReLU(), UpSample2d(2)),  # (N, 8, 8, 8)
        *(Conv2d(c2, c2, 3, **same), ReLU(), UpSample2d(2)),  # (N, 16, 16, 8)
        *(Conv2d(c2, c1, kernel, padding=padding, init="he", rng=rng), ReLU(), UpSample2d(2)),  # (N, 28, 28, 16)
        ConvTranspose2d(c1, c0, last, padding=1, rng=rng),  # logits (N, 28, 28, 1)
    )
    return Autoencoder(encoder, decoder, loss=form.loss(BCEWithLogits()))


def conv_denoising(rng: np.random.Generator, form: Form = IMAGES) -> Model:
    full, half, quarter = form.halved(2, "conv-denoising")
    c0, (c1, c2) = form.shape[2], form.channels("conv-denoising", 32, 32)
    if form.code is not None:
        raise OptionError(
            f"--code {form.code}: the code of conv-denoising is {c2} maps of {quarter[0]}×{quarter[1]}: choose the number of maps, "
            f"--hidden {c1},{c2}"
        )
    same = {"padding": 1, "init": "he", "rng": rng}
    up = {"stride": 2, "padding": 1, "init": "he", "rng": rng}
    encoder = Sequential(
        form.noise(0.4),
        *(Conv2d(c0, c1, 3, **same), ReLU(), halving(full)),  # (N, 14, 14, 32)
        *(Conv2d(c1, c2, 3, **same), ReLU(), halving(half)),  # (N, 7, 7, 32)
    )
    decoder = Sequential(
        *(
            ConvTranspose2d(c2, c1, 3, output_padding=whole(output_padding(quarter, half)), **up),
            ReLU(),
        ),  # (N, 14, 14, 32)
        *(
            ConvTranspose2d(c1, c1, 3, output_padding=whole(output_padding(half, full)), **up),
            ReLU(),
        ),  # (N, 28, 28, 32)
        ConvTranspose2d(c1, c0, 3, padding=1, rng=rng),  # logits (N, 28, 28, 1)
    )
    return Autoencoder(encoder, decoder, loss=form.loss(BCEWithLogits()))


def whole(size: tuple[int, int]) -> int | tuple[int, int]:
    """A size as it is written: one number where both are equal."""
    return size[0] if size[0] == size[1] else size


def halving(size: tuple[int, int]) -> MaxPool2d:
    """A pooling that halves height and width, and rounds up where they are odd."""
    odd = any(side % 2 for side in size)
    return MaxPool2d(2, ceil_mode=True) if odd else MaxPool2d(2)


def fitting(found: list[int], wanted: tuple[int, int]) -> tuple[int | tuple[int, int], int | tuple[int, int]]:
    """Kernel and padding of a convolution that makes as few pixels as wanted, at most 3 fewer than it finds."""
    over = [a - b for a, b in zip(found, wanted, strict=True)]
    return whole(tuple(each + 1 if each else 3 for each in over)), whole(tuple(0 if each else 1 for each in over))


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
