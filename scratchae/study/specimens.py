"""Small layers and models of every kind, and inputs for them: what the catalogue checks."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..layers import (
    GRU,
    RNN,
    Attention,
    Codebook,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    GaussianNoise,
    LeakyReLU,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    StepDense,
    Tanh,
)
from ..losses import MSE, BCEWithLogits
from ..models import (
    GAN,
    VAE,
    VQVAE,
    AdversarialAutoencoder,
    Autoencoder,
    Classifier,
    ContractiveAutoencoder,
    Diffusion,
    FreeEnergy,
    MaskedAutoencoder,
    SequenceAutoencoder,
)


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape)


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random numbers in (0, 1), a little away from both ends."""
    return rng.uniform(0.05, 0.95, shape)


def distinct(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers that are at least 0.1 apart: if a small step changed their order, a function of their order could jump."""
    size = math.prod(shape)
    return (rng.permutation(size).reshape(shape) - size // 2) / 10 + 0.05


def net(inputs: int, outputs: int, rng: int | np.random.Generator) -> Sequential:
    """inputs - 4 - outputs."""
    rng = np.random.default_rng(rng)
    return Sequential(Dense(inputs, 4, rng=rng), Tanh(), Dense(4, outputs, rng=rng))


def chain(d: int) -> Sequential:
    rng = np.random.default_rng(d)
    return Sequential(Dense(d, 4, rng=rng), ReLU(), Sequential(Dense(4, 2, rng=rng), Sigmoid()))


def autoencoder(d: int, **options) -> Autoencoder:
    rng = np.random.default_rng(d)
    encoder = Sequential(GaussianNoise(0.3), Dense(d, 4, rng=rng), Tanh(), Dense(4, 3, rng=rng), Sigmoid())
    return Autoencoder(encoder, net(3, d, rng), loss=BCEWithLogits(), **options)


def contractive(d: int) -> ContractiveAutoencoder:
    rng = np.random.default_rng(d)
    encoder = Sequential(Dense(d, 3, rng=rng), Sigmoid())
    return ContractiveAutoencoder(encoder, Sequential(Dense(3, d, rng=rng)), loss=BCEWithLogits(), weight=0.7)


def images(rng: np.random.Generator, n: int, d: int) -> tuple[np.ndarray, ...]:
    return (unit(rng, n, d),)


def pictures(height: int, width: int) -> Callable[[np.random.Generator, int, int], tuple[np.ndarray, ...]]:
    """Images of d channels. Their sizes are odd and unequal, so that strides leave a rest."""
    return lambda rng, n, d: (normal(rng, n, height, width, d),)


def sequences(rng: np.random.Generator, n: int, d: int) -> tuple[np.ndarray, ...]:
    """Sequences of 4 steps."""
    return (normal(rng, n, 4, d),)


def several_lengths(rng: np.random.Generator, n: int, d: int) -> tuple[np.ndarray, ...]:
    """Sequences of 1 to 4 steps, filled up with -1, and one that lacks a step in the middle."""
    (x,) = sequences(rng, n, d)
    for i, length in enumerate(rng.integers(1, 5, n)):
        x[i, length:] = -1
    x[0, :] = normal(rng, 4, d)
    x[0, 1] = -1
    return (x,)


def convolutional(d: int) -> Autoencoder:
    """A convolutional autoencoder: 5 × 5 to 3 × 3 to 1 × 1 and back."""
    rng = np.random.default_rng(d)
    encoder = Sequential(Conv2d(d, 3, 3, stride=2, padding=1, rng=rng), Tanh(), Conv2d(3, 2, 3, rng=rng))
    decoder = Sequential(
        ConvTranspose2d(2, 3, 3, rng=rng), Tanh(), ConvTranspose2d(3, d, 3, stride=2, padding=1, rng=rng)
    )
    return Autoencoder(encoder, decoder, loss=MSE())


def sequence(d: int, **options) -> SequenceAutoencoder:
    """Read by a GRU, written by an RNN."""
    rng, given = np.random.default_rng(d), d if options.get("teacher_forcing") else 0
    encoder = Sequential(GRU(d, 3, last=True, padding=options.get("padding"), rng=rng), Dense(3, 2, rng=rng))
    decoder = Sequential(RNN(2 + given, 4, rng=rng), StepDense(4, d, rng=rng))
    return SequenceAutoencoder(encoder, decoder, shape=(4, d), **{"loss": MSE()} | options)


def attentive(d: int, **options) -> SequenceAutoencoder:
    """A code of two vectors that attention reads from the states of a GRU, and from which it writes."""
    rng = np.random.default_rng(d)
    encoder = Sequential(
        GRU(d, 3, padding=options.get("padding"), rng=rng),
        Attention(2, 3, 2, width=3, padding=options.get("padding"), rng=rng),
    )
    decoder = Sequential(Attention(4, 2, 3, width=3, rng=rng), RNN(3, 4, rng=rng), StepDense(4, d, rng=rng))
    return SequenceAutoencoder(encoder, decoder, shape=(4, d), loss=MSE(), **options)


def variational(d: int, kind: type[VAE] = VAE, **options) -> VAE:
    rng = np.random.default_rng(d)
    labels = options.get("labels", 0)
    heads = Dense(4, 2, rng=rng), Sequential(Dense(4, 3, rng=rng), Tanh(), Dense(3, 2, rng=rng))
    decoder = Sequential(Dense(2 + labels, 4, rng=rng), Tanh(), Dense(4, d, rng=rng))
    return kind(
        Sequential(Dense(d + labels, 4, rng=rng), Tanh()), *heads, decoder, **{"loss": BCEWithLogits()} | options
    )


def quantised(d: int, decay: float | None = None) -> VQVAE:
    """A code of two vectors."""
    rng = np.random.default_rng(d)
    encoder = Sequential(Dense(d, 4, rng=rng), Tanh(), Dense(4, 4, rng=rng), Reshape((2, 2)))
    decoder = Sequential(Flatten(), Dense(4, 4, rng=rng), Tanh(), Dense(4, d, rng=rng))
    return VQVAE(encoder, Codebook(5, 2, decay=decay, rng=rng), decoder, loss=BCEWithLogits())


def quantised_images(d: int) -> VQVAE:
    """A vector for each pixel of a code of 3 × 3."""
    rng = np.random.default_rng(d)
    encoder = Sequential(Conv2d(d, 2, 3, stride=2, padding=1, rng=rng), Tanh())
    decoder = Sequential(ConvTranspose2d(2, d, 3, stride=2, padding=1, rng=rng))
    return VQVAE(encoder, Codebook(4, 2, rng=rng), decoder, loss=MSE(), commitment=2.0)


def masked(d: int) -> MaskedAutoencoder:
    """Runs of single columns are hidden."""
    plain = autoencoder(2 * d)  # two at least
    return MaskedAutoencoder(plain.encoder, plain.decoder, loss=BCEWithLogits(), patch=1, rate=0.5)


def masked_images(d: int) -> MaskedAutoencoder:
    """Patches of 2 × 1 are hidden in images of 4 × 3."""
    rng = np.random.default_rng(d)
    encoder = Sequential(Conv2d(d, 3, 3, padding=1, rng=rng), Tanh())
    decoder = Sequential(ConvTranspose2d(3, d, 3, padding=1, rng=rng))
    return MaskedAutoencoder(encoder, decoder, loss=MSE(), patch=(2, 1), rate=0.75)


def diffusion(d: int) -> Diffusion:
    return Diffusion(net(d + 3, d, d), loss=BCEWithLogits(), levels=3)


def labelled_images(rng: np.random.Generator, n: int, d: int) -> tuple[np.ndarray, ...]:
    """Images, each with one of two labels."""
    return (np.concatenate([unit(rng, n, d), np.eye(2)[rng.integers(0, 2, n)]], axis=1),)


def classifier(d: int) -> Classifier:
    return Classifier(net(d, 2, d), classes=2)


def discriminator(d: int, rng: np.random.Generator) -> Sequential:
    return Sequential(GaussianNoise(0.3), Dense(d, 4, rng=rng), LeakyReLU(), Dense(4, 1, rng=rng))


def gan(d: int) -> GAN:
    rng = np.random.default_rng(d)
    return GAN(Sequential(Dense(2, 4, rng=rng), Tanh(), Dense(4, d, rng=rng), Sigmoid()), discriminator(d, rng))


def adversarial(d: int, labels: int = 0, **options) -> AdversarialAutoencoder:
    rng = np.random.default_rng(d)
    encoder, decoder = net(d, 2, rng), net(2, d, rng)
    judge = discriminator(2 + labels, rng)
    return AdversarialAutoencoder(encoder, decoder, judge, loss=BCEWithLogits(), labels=labels, weight=0.7, **options)


def logits_and_shares(rng: np.random.Generator, n: int, d: int) -> tuple[np.ndarray, ...]:
    """Logits of d classes, and rows of numbers that add up to 1."""
    shares = unit(rng, n, d)
    return 3 * normal(rng, n, d), shares / shares.sum(axis=1, keepdims=True)


def free_energy(d: int, **units) -> FreeEnergy:
    layer = FreeEnergy(d, 3, **units, rng=1)
    layer.W *= 100  # larger than 0.01, where everything is almost linear
    layer.a += 0.5
    layer.b -= 0.3
    return layer


def prediction_and_target(rng: np.random.Generator, n: int, d: int) -> tuple[np.ndarray, ...]:
    return unit(rng, n, d), unit(rng, n, d)
