"""Autoencoders that cannot merely copy: because of noise in the input or hidden patches, a sparse code, or a code that hardly moves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import OptionError
from ..layers import Flatten, KSparse, Layer, MaskingNoise, ReLU, Reshape, SaltAndPepper, Sequential, Sigmoid
from ..losses import MSE, BCEWithLogits
from ..models import Autoencoder, ContractiveAutoencoder, MaskedAutoencoder, Model
from ..penalties import L1, SparseKL
from .convolutional import IMAGES
from .dense import ROWS, mirrored, squashed, stack
from .form import Form
from .preset import Preset, warm_cosine


def denoising(rng: np.random.Generator, form: Form, noise: Layer) -> Model:
    loss = form.loss(BCEWithLogits())
    return mirrored(form.sizes(512, code=256), ReLU, rng, noise, code=ReLU(), end=None, loss=loss)


def gaussian(rng: np.random.Generator, form: Form = ROWS) -> Model:
    return denoising(rng, form, form.noise(0.5))


def masking(rng: np.random.Generator, form: Form = ROWS) -> Model:
    return denoising(rng, form, MaskingNoise(0.5))


def salt_and_pepper(rng: np.random.Generator, form: Form = ROWS) -> Model:
    if not form.unit:
        raise OptionError(
            "denoising-salt-and-pepper sets numbers to 0 or 1, and the data do not lie between them: choose denoising or denoising-masking"
        )
    return denoising(rng, form, SaltAndPepper(0.25))


def masked(rng: np.random.Generator, form: Form = IMAGES) -> Model:
    form.halved(0, "masked")
    sizes = [math.prod(form.shape), *(form.hidden or (512,)), form.code or 256]
    encoder = Sequential(Flatten(), stack(sizes, ReLU, rng, last=ReLU()))
    decoder = Sequential(stack(sizes[::-1], ReLU, rng, last=None), Reshape(form.shape))
    height, width, _ = form.shape
    patch = next(side for side in (4, 3, 2, 1) if height % side == width % side == 0)
    return MaskedAutoencoder(encoder, decoder, loss=form.loss(BCEWithLogits()), patch=patch, rate=0.5)


def one_layer(
    rng: np.random.Generator,
    form: Form,
    activation: Layer,
    *after: Layer,
    kind: type[Autoencoder] = Autoencoder,
    **options: Any,
) -> Model:
    """784-256-784."""
    features, *hidden, code = form.sizes(code=256)
    if hidden:
        raise OptionError(
            f"--hidden {','.join(map(str, hidden))}: this preset has one layer, the code: choose its size, --code 256"
        )
    encoder = Sequential(*stack([features, code], ReLU, rng, last=activation).layers, *after)
    decoder = stack([code, features], ReLU, rng, last=squashed(form))
    return kind(encoder, decoder, loss=MSE(), **options)


def sparse(rng: np.random.Generator, form: Form = ROWS) -> Model:
    # tied: otherwise small codes and large weights in the decoder make the penalty small at no cost
    return one_layer(rng, form, ReLU(), penalty=L1(0.2), tied=True)


def sparse_kl(rng: np.random.Generator, form: Form = ROWS) -> Model:
    return one_layer(rng, form, Sigmoid(), penalty=SparseKL(0.05, 3.0))


def k_sparse(rng: np.random.Generator, form: Form = ROWS) -> Model:
    # tied, as in the paper: then a unit that is chosen can also explain the input. Untied, two units in three are never
    # chosen and never learn
    return one_layer(rng, form, ReLU(), KSparse(min(25, form.code or 256)), tied=True)


def contractive(rng: np.random.Generator, form: Form = ROWS) -> Model:
    # tied, as in the paper: otherwise the encoder's weights shrink, which lowers the penalty, and the decoder's weights grow
    return one_layer(rng, form, Sigmoid(), kind=ContractiveAutoencoder, weight=0.3, tied=True)


RECIPE = {"epochs": 20, "batch_size": 128, "lr": 2e-3, "optimizer": warm_cosine()}

# the size of PCA's code beside a denoising model, whose own code is larger: this many directions remove the noise best
# (of 8, 16, 24, 32, 48, 64, 100, 128, 200 and 256, on MNIST)
PRESETS = (
    Preset(
        "denoising",
        "784-512-256-512-784, ReLU: removes Gaussian noise of 0.5, drawn afresh for every batch",
        gaussian,
        code=64,
        **RECIPE,
    ),
    Preset(
        "denoising-masking",
        "784-512-256-512-784, the same net: fills in pixels, half of which were set to 0",
        masking,
        code=100,
        **RECIPE,
    ),
    Preset(
        "denoising-salt-and-pepper",
        "784-512-256-512-784, the same net: finds and mends pixels, a quarter of which became 0 or 1",
        salt_and_pepper,
        code=64,
        **RECIPE,
    ),
    Preset(
        "masked",
        "784-512-256-512-784, the same net: fills in half of the patches of 4 × 4, and is judged by these alone",
        masked,
        code=64,
        **RECIPE,
        shape=(28, 28, 1),
    ),
    Preset(
        "sparse",
        "784-256-784, tied, a ReLU code with an L1 penalty: most of it is 0 at a time",
        sparse,
        code=25,  # on MNIST, about this many numbers of a code are not 0. PCA's code need not say which ones
        **RECIPE,
    ),
    Preset(
        "sparse-kl",
        "784-256-784, a sigmoid code whose units are each to be on in 5 % of the examples",
        sparse_kl,
        code=256,
        **RECIPE | {"lr": 5e-3},
    ),
    Preset(
        "k-sparse",
        "784-256-784, tied: of every code the 25 largest numbers stay (Makhzani and Frey, 2014)",
        k_sparse,
        code=25,  # as many numbers as are not 0
        **RECIPE,
    ),
    Preset(
        "contractive",
        "784-256-784, sigmoid, tied: a code that hardly moves when the image does (Rifai et al., 2011)",
        contractive,
        code=256,
        **RECIPE,
    ),
)
