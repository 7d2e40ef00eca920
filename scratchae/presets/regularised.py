"""Autoencoders that cannot merely copy: because of noise in the input or hidden patches, a sparse code, or a code that hardly moves."""

from __future__ import annotations

import numpy as np

from ..layers import (
    Dense,
    Flatten,
    GaussianNoise,
    KSparse,
    Layer,
    MaskingNoise,
    ReLU,
    Reshape,
    SaltAndPepper,
    Sequential,
    Sigmoid,
)
from ..losses import MSE, BCEWithLogits
from ..models import Autoencoder, ContractiveAutoencoder, MaskedAutoencoder, Model
from ..penalties import L1, Penalty, SparseKL
from .dense import stack
from .preset import Preset, warm_cosine


def denoising(rng: np.random.Generator, noise: Layer) -> Model:
    encoder = stack([784, 512, 256], ReLU, rng, last=ReLU())
    decoder = stack([256, 512, 784], ReLU, rng, last=None)
    return Autoencoder(Sequential(noise, encoder), decoder, loss=BCEWithLogits())


def gaussian(rng: np.random.Generator) -> Model:
    return denoising(rng, GaussianNoise(0.5, clip=(0, 1)))


def masking(rng: np.random.Generator) -> Model:
    return denoising(rng, MaskingNoise(0.5))


def salt_and_pepper(rng: np.random.Generator) -> Model:
    return denoising(rng, SaltAndPepper(0.25))


def masked(rng: np.random.Generator) -> Model:
    encoder = Sequential(Flatten(), stack([784, 512, 256], ReLU, rng, last=ReLU()))
    decoder = Sequential(stack([256, 512, 784], ReLU, rng, last=None), Reshape((28, 28, 1)))
    return MaskedAutoencoder(encoder, decoder, loss=BCEWithLogits(), patch=4, rate=0.5)


def one_layer(
    rng: np.random.Generator, activation: Layer, *after: Layer, penalty: Penalty | None = None, tied: bool = False
) -> Model:
    """784-256-784."""
    init = "he" if isinstance(activation, ReLU) else "glorot"
    encoder = Sequential(Dense(784, 256, init=init, rng=rng), activation, *after)
    decoder = Sequential(Dense(256, 784, rng=rng), Sigmoid())
    return Autoencoder(encoder, decoder, loss=MSE(), penalty=penalty, tied=tied)


def sparse(rng: np.random.Generator) -> Model:
    # tied: otherwise small codes and large weights in the decoder make the penalty small at no cost
    return one_layer(rng, ReLU(), penalty=L1(0.2), tied=True)


def sparse_kl(rng: np.random.Generator) -> Model:
    return one_layer(rng, Sigmoid(), penalty=SparseKL(0.05, 3.0))


def k_sparse(rng: np.random.Generator) -> Model:
    # tied, as in the paper: then a unit that is chosen can also explain the input. Untied, two units in three are never
    # chosen and never learn
    return one_layer(rng, ReLU(), KSparse(25), tied=True)


def contractive(rng: np.random.Generator) -> Model:
    # tied, as in the paper: otherwise the encoder's weights shrink, which lowers the penalty, and the decoder's weights grow
    encoder = Sequential(Dense(784, 256, rng=rng), Sigmoid())
    decoder = Sequential(Dense(256, 784, rng=rng), Sigmoid())
    return ContractiveAutoencoder(encoder, decoder, loss=MSE(), weight=0.3, tied=True)


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
