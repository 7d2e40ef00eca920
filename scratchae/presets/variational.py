"""Variational autoencoders of images."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from ..errors import OptionError
from ..layers import Conv2d, ConvTranspose2d, Dense, Dropout, Flatten, ReLU, Reshape, Sequential
from ..likelihoods import LearnedGaussian
from ..losses import BCEWithLogits, Loss
from ..models import CVAE, VAE, Model, Warmup
from .convolutional import IMAGES, whole
from .dense import ROWS, stack
from .form import Form, output_padding
from .preset import Preset, warm_cosine


def variational(rng: np.random.Generator, form: Form, sizes: list[int], **options) -> VAE:
    """Dense layers of these sizes with ReLU down to the code, and back up to logits of the pixels, or to a mean and a variance."""
    *sizes, code = sizes
    options = {"beta": beta_of(form), **options}
    encoder = stack(sizes, ReLU, rng, last=ReLU())
    heads = Dense(sizes[-1], code, rng=rng), Dense(sizes[-1], code, rng=rng)
    decoder = stack(upwards(form, [code, *reversed(sizes)]), ReLU, rng, last=None)
    return VAE(encoder, *heads, decoder, loss=likelihood(form), **options)


def upwards(form: Form, sizes: list[int]) -> list[int]:
    """A decoder's sizes: twice as many numbers at the end if the variance of each is learned as well."""
    return sizes if form.unit else [*sizes[:-1], 2 * sizes[-1]]


def likelihood(form: Form) -> Loss:
    """Of pixels in [0, 1] their cross-entropy; of any other numbers a Gaussian's, whose variance is learned too."""
    return form.loss(BCEWithLogits(), LearnedGaussian())


def beta_of(form: Form, own: float = 1.0) -> float | Warmup:
    return own if form.beta is None else form.beta


# on MNIST, vae-400 reaches 104.5 nats with this schedule, and 106.2 with a constant rate of 1e-3
RECIPE = {"batch_size": 128, "lr": 3e-3, "optimizer": warm_cosine()}


def vae(rng: np.random.Generator, form: Form = ROWS) -> Model:
    return variational(rng, form, form.sizes(128, 64, code=32))


def vae_2d(rng: np.random.Generator, form: Form = ROWS) -> Model:
    # dropout only in the encoder: the decoder has only two numbers to work from
    *sizes, code = form.sizes(512, 256, code=2)
    hidden = [
        layer
        for a, b in itertools.pairwise(sizes)
        for layer in (Dense(a, b, init="he", rng=rng), ReLU(), Dropout(0.1))
    ]
    heads = Dense(sizes[-1], code, rng=rng), Dense(sizes[-1], code, rng=rng)
    decoder = stack(upwards(form, [code, *reversed(sizes)]), ReLU, rng, last=None)
    return VAE(Sequential(*hidden), *heads, decoder, loss=likelihood(form), beta=beta_of(form))


def vae_400(rng: np.random.Generator, form: Form = ROWS) -> Model:
    return variational(rng, form, form.sizes(400, code=20))


def vae_conv(rng: np.random.Generator, form: Form = IMAGES) -> Model:
    full, half, quarter = form.halved(2, "vae-conv")
    c0, (c1, c2), code = form.shape[2], form.channels("vae-conv", 32, 64), form.code or 20
    down = {"stride": 2, "padding": 1, "init": "he", "rng": rng}
    up = {"stride": 2, "padding": 1, "rng": rng}
    flat = quarter[0] * quarter[1] * c2
    encoder = Sequential(
        *(Conv2d(c0, c1, 3, **down), ReLU()),  # (N, 14, 14, 32)
        *(Conv2d(c1, c2, 3, **down), ReLU()),  # (N, 7, 7, 64)
        Flatten(),  # (N, 3136)
    )
    heads = Dense(flat, code, rng=rng), Dense(flat, code, rng=rng)
    first, second = (whole(output_padding(*sizes)) for sizes in ((quarter, half), (half, full)))
    decoder = Sequential(
        *(Dense(code, flat, init="he", rng=rng), ReLU(), Reshape((*quarter, c2))),
        *(ConvTranspose2d(c2, c1, 3, init="he", output_padding=first, **up), ReLU()),  # (N, 14, 14, 32)
        ConvTranspose2d(c1, c0 if form.unit else 2 * c0, 3, output_padding=second, **up),  # logits (N, 28, 28, 1)
    )
    return VAE(encoder, *heads, decoder, loss=likelihood(form), beta=beta_of(form))


def beta_vae(rng: np.random.Generator, form: Form = ROWS, beta: float = 4.0) -> Model:
    return variational(rng, replace(form, beta=beta_of(form, beta)), form.sizes(400, code=20))


def cvae(rng: np.random.Generator, form: Form = ROWS) -> Model:
    # a code of 8: a larger code describes an image better, but takes longer to leave the class to the label
    features, *hidden, code = form.sizes(400, code=8)
    encoder = stack([features + form.labels, *hidden], ReLU, rng, last=ReLU())
    heads = Dense(hidden[-1], code, rng=rng), Dense(hidden[-1], code, rng=rng)
    decoder = stack(upwards(form, [code + form.labels, *reversed(hidden), features]), ReLU, rng, last=None)
    return CVAE(encoder, *heads, decoder, labels=form.labels, loss=likelihood(form), beta=beta_of(form))


def vae_binary(rng: np.random.Generator, form: Form = ROWS) -> Model:
    if not form.unit:
        raise OptionError(
            "vae-binary draws pixels of 0 and 1, and the data do not lie between them: choose vae or vae-400"
        )
    return variational(rng, form, form.sizes(500, 500, code=50), binarise=True)


PRESETS = (
    Preset(
        "vae",
        "784-128-64-32 and back, the code drawn: an autoencoder that makes new images",
        vae,
        code=32,
        epochs=20,
        **RECIPE,
    ),
    Preset(
        "vae-2d",
        "784-512-256-2 and back, with dropout: all that it can make, in one picture",
        vae_2d,
        code=2,
        epochs=30,
        **RECIPE,
    ),
    Preset(
        "vae-400",
        "784-400-20 and back: the setting of PyTorch's example",
        vae_400,
        code=20,
        epochs=10,
        **RECIPE,
    ),
    Preset(
        "vae-conv",
        "convolutions 1-32-64, a drawn code of 20, and back",
        vae_conv,
        code=20,
        epochs=10,
        **RECIPE,
        shape=(28, 28, 1),
    ),
    Preset(
        "beta-vae",
        "784-400-20 and back, with four times the KL term: the code says less, and says it with fewer numbers",
        beta_vae,
        code=20,
        epochs=20,
        **RECIPE,
        variants={"β = 1": lambda rng, form=ROWS: beta_vae(rng, replace(form, beta=1.0))},
    ),
    Preset(
        "cvae",
        "794-400-8 and back, told the class of each image: makes the digit that it is asked for",
        cvae,
        code=8,
        epochs=20,
        **RECIPE,
        labels=10,
    ),
    Preset(
        "vae-binary",
        "784-500-500-50 and back, of pixels drawn as 0 or 1, whose log p(x) can be estimated",
        vae_binary,
        code=50,
        epochs=100,
        **RECIPE | {"batch_size": 100, "lr": 2e-3},
    ),
)
