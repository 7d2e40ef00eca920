"""Small examples of every layer, loss, penalty and model to check: one row for each, in the order of the source."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import OptionError
from ..layers import (
    GRU,
    RNN,
    AvgPool2d,
    BatchNorm,
    Codebook,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    Identity,
    KSparse,
    LeakyReLU,
    MaskingNoise,
    MaxPool2d,
    ReLU,
    Reshape,
    SaltAndPepper,
    Sequential,
    Sigmoid,
    Softplus,
    StepDense,
    Tanh,
    UpSample2d,
)
from ..likelihoods import Gaussian, LearnedGaussian
from ..losses import BCE, MSE, BCEWithLogits, SoftmaxCrossEntropy, gaussian_kl
from ..models import (
    CVAE,
    GAN,
    IWAE,
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
    UpDown,
)
from ..penalties import L1, SparseKL
from .differences import GradientReport
from .gradcheck import check_gradients


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape)


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random numbers in (0, 1), a little away from both ends."""
    return rng.uniform(0.05, 0.95, shape)


def distinct(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers that are at least 0.1 apart: if a small step changed their order, a function of their order could jump."""
    size = math.prod(shape)
    return (rng.permutation(size).reshape(shape) - size // 2) / 10 + 0.05


@dataclass(frozen=True)
class Entry:
    """Something to check: `make(d)` builds it for d features, and `inputs(rng, n, d)` draws its inputs."""

    make: Callable[[int], object]
    inputs: Callable[[np.random.Generator, int, int], tuple[np.ndarray, ...]] = lambda rng, n, d: (normal(rng, n, d),)

    def check(self, n: int, d: int, seed: int) -> GradientReport:
        """Compare its gradients with finite differences on n examples of d features."""
        return check_gradients(self.make(d), *self.inputs(np.random.default_rng(seed), n, d), seed=seed)


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


def labelled_images(rng: np.random.Generator, n: int, d: int) -> tuple[np.ndarray, ...]:
    """Images, each with one of two labels."""
    return (np.concatenate([unit(rng, n, d), np.eye(2)[rng.integers(0, 2, n)]], axis=1),)


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


CATALOGUE = {
    "Dense": Entry(lambda d: Dense(d, 3, rng=0)),
    "Conv2d": Entry(lambda d: Conv2d(d, 3, 3, padding=1, rng=0), pictures(4, 3)),
    "Conv2d, strided": Entry(lambda d: Conv2d(d, 2, (3, 2), stride=(2, 3), padding=(1, 0), rng=0), pictures(6, 5)),
    "ConvTranspose2d": Entry(lambda d: ConvTranspose2d(d, 3, 3, padding=1, rng=0), pictures(4, 3)),
    "ConvTranspose2d, strided": Entry(
        lambda d: ConvTranspose2d(d, 2, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), rng=0),
        pictures(3, 2),
    ),
    "MaxPool2d": Entry(lambda d: MaxPool2d(2), pictures(5, 4)),
    "MaxPool2d, overlapping": Entry(lambda d: MaxPool2d(3, 2, ceil_mode=True), pictures(6, 5)),
    "AvgPool2d": Entry(lambda d: AvgPool2d(2), pictures(5, 4)),
    "AvgPool2d, overlapping": Entry(lambda d: AvgPool2d((3, 2), 1), pictures(4, 3)),
    "UpSample2d": Entry(lambda d: UpSample2d((2, 3)), pictures(3, 2)),
    "Codebook": Entry(lambda d: Codebook(4, d, rng=0)),
    "Codebook, images": Entry(lambda d: Codebook(4, d, rng=0), pictures(3, 2)),
    "BatchNorm": Entry(lambda d: BatchNorm(d), lambda rng, n, d: (normal(rng, n + 2, d),)),
    "BatchNorm, images": Entry(lambda d: BatchNorm(d), pictures(3, 2)),
    "Sigmoid": Entry(lambda d: Sigmoid()),
    "ReLU": Entry(lambda d: ReLU()),
    "LeakyReLU": Entry(lambda d: LeakyReLU(0.1)),
    "Tanh": Entry(lambda d: Tanh()),
    "Softplus": Entry(lambda d: Softplus()),
    "Identity": Entry(lambda d: Identity()),
    "Dropout": Entry(lambda d: Dropout(0.4)),
    "MaskingNoise": Entry(lambda d: MaskingNoise(0.4)),
    "SaltAndPepper": Entry(lambda d: SaltAndPepper(0.4)),
    "GaussianNoise": Entry(lambda d: GaussianNoise(0.5)),
    "GaussianNoise, clipped": Entry(lambda d: GaussianNoise(0.5, clip=(0, 1)), images),
    "Flatten": Entry(lambda d: Flatten(), lambda rng, n, d: (normal(rng, n, d, 2, 3),)),
    "Reshape": Entry(lambda d: Reshape((2, d)), lambda rng, n, d: (normal(rng, n, 2 * d),)),
    "KSparse": Entry(lambda d: KSparse((d + 1) // 2), lambda rng, n, d: (distinct(rng, n, d),)),
    "KSparse, images": Entry(lambda d: KSparse(3 * d), lambda rng, n, d: (distinct(rng, n, 3, 2, d),)),
    "RNN": Entry(lambda d: RNN(d, 3, rng=0), sequences),
    "RNN, last state": Entry(lambda d: RNN(d, 3, last=True, rng=0), sequences),
    "RNN, padded": Entry(lambda d: RNN(d, 3, padding=-1, rng=0), several_lengths),
    "GRU": Entry(lambda d: GRU(d, 3, rng=0), sequences),
    "GRU, last state": Entry(lambda d: GRU(d, 3, last=True, padding=-1, rng=0), several_lengths),
    "GRU, padded": Entry(lambda d: GRU(d, 3, padding=-1, rng=0), several_lengths),
    "StepDense": Entry(lambda d: StepDense(d, 3, rng=0), sequences),
    "Sequential": Entry(chain),
    "MSE": Entry(lambda d: MSE(), prediction_and_target),
    "BCE": Entry(lambda d: BCE(), prediction_and_target),
    "BCEWithLogits": Entry(lambda d: BCEWithLogits(), lambda rng, n, d: (3 * normal(rng, n, d), unit(rng, n, d))),
    "SoftmaxCrossEntropy": Entry(lambda d: SoftmaxCrossEntropy(), logits_and_shares),
    "Gaussian": Entry(lambda d: Gaussian(0.3), prediction_and_target),
    "LearnedGaussian": Entry(
        lambda d: LearnedGaussian(-1.0), lambda rng, n, d: (normal(rng, n, 2 * d), normal(rng, n, d))
    ),
    "gaussian_kl": Entry(lambda d: gaussian_kl, lambda rng, n, d: (normal(rng, n, d), normal(rng, n, d))),
    "L1": Entry(lambda d: L1(0.3)),
    "SparseKL": Entry(lambda d: SparseKL(0.05, 2.0), images),
    "Autoencoder": Entry(autoencoder, images),
    "Autoencoder, convolutional": Entry(convolutional, pictures(5, 5)),
    "Autoencoder, sparse": Entry(lambda d: autoencoder(d, penalty=SparseKL(0.1, 0.2)), images),
    "Autoencoder, tied": Entry(lambda d: autoencoder(d, tied=True), images),
    "ContractiveAutoencoder": Entry(contractive, images),
    "MaskedAutoencoder": Entry(masked, lambda rng, n, d: images(rng, n, 2 * d)),
    "MaskedAutoencoder, images": Entry(masked_images, pictures(4, 3)),
    "SequenceAutoencoder": Entry(sequence, sequences),
    "SequenceAutoencoder, forced": Entry(lambda d: sequence(d, teacher_forcing=True), sequences),
    "SequenceAutoencoder, padded": Entry(lambda d: sequence(d, padding=-1), several_lengths),
    "VAE": Entry(variational, images),
    "VAE, β = 4": Entry(lambda d: variational(d, loss=MSE(), beta=4.0)),
    "VAE, free bits": Entry(lambda d: variational(d, beta=2.0, free_bits=0.05), images),
    "VAE, log_var cut": Entry(lambda d: variational(d, log_var_limit=0.8), images),
    "VAE, binarised": Entry(lambda d: variational(d, binarise=True), images),
    "IWAE": Entry(lambda d: variational(d, IWAE, samples=3), images),
    "IWAE, log_var cut": Entry(lambda d: variational(d, IWAE, samples=2, binarise=True, log_var_limit=0.3), images),
    "CVAE": Entry(lambda d: variational(d, CVAE, labels=2), labelled_images),
    "VQVAE": Entry(quantised, images),
    "VQVAE, moving average": Entry(lambda d: quantised(d, decay=0.9), images),
    "VQVAE, convolutional": Entry(quantised_images, pictures(5, 5)),
    "Diffusion": Entry(lambda d: Diffusion(net(d + 3, d, d), loss=BCEWithLogits(), levels=3), images),
    # the parts of an RBM's training_step, which itself is not a gradient
    "FreeEnergy": Entry(free_energy, images),
    "FreeEnergy, Gaussian": Entry(lambda d: free_energy(d, hidden_units="gaussian"), images),
    "FreeEnergy, Gaussian data": Entry(lambda d: free_energy(d, visible_units="gaussian")),
    "UpDown": Entry(lambda d: UpDown((d, 4, 3, 2), k=2, rng=d), images),
    "Classifier": Entry(lambda d: Classifier(net(d, 2, d), classes=2), labelled_images),
    "GAN": Entry(gan, images),
    "AdversarialAutoencoder": Entry(adversarial, images),
    "AdversarialAutoencoder, 2-D": Entry(lambda d: adversarial(d, 2, prior="ring"), labelled_images),
}


def check_catalogue(name: str | None = None, seed: int = 0) -> dict[str, GradientReport]:
    """Check every entry whose name begins with `name`, on 5 examples of 6 features. Raises OptionError if none does."""
    chosen = [entry for entry in CATALOGUE if name is None or entry.lower().startswith(name.lower())]
    if not chosen:
        raise OptionError(f"no entry's name begins with {name!r}: expected one of {', '.join(CATALOGUE)}")
    return {entry: CATALOGUE[entry].check(5, 6, seed) for entry in chosen}
