"""Small examples of every layer, loss, penalty and model to check: one row for each, in the order of the source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import OptionError
from ..layers import (
    GRU,
    RNN,
    Attention,
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
    Sigmoid,
    Softplus,
    StepDense,
    Tanh,
    UpSample2d,
)
from ..likelihoods import Gaussian, LearnedGaussian
from ..losses import BCE, MSE, BCEWithLogits, SoftmaxCrossEntropy, gaussian_kl
from ..models import CVAE, IWAE, UpDown
from ..penalties import L1, SparseKL
from .differences import GradientReport
from .gradcheck import check_gradients
from .specimens import (
    adversarial,
    attentive,
    autoencoder,
    chain,
    classifier,
    contractive,
    convolutional,
    diffusion,
    distinct,
    free_energy,
    gan,
    images,
    labelled_images,
    logits_and_shares,
    masked,
    masked_images,
    normal,
    pictures,
    prediction_and_target,
    quantised,
    quantised_images,
    sequence,
    sequences,
    several_lengths,
    unit,
    variational,
)


@dataclass(frozen=True)
class Entry:
    """Something to check: `make(d)` builds it for d features, and `inputs(rng, n, d)` draws its inputs."""

    make: Callable[[int], object]
    inputs: Callable[[np.random.Generator, int, int], tuple[np.ndarray, ...]] = lambda rng, n, d: (normal(rng, n, d),)

    def check(self, n: int, d: int, seed: int) -> GradientReport:
        """Compare its gradients with finite differences on n examples of d features."""
        return check_gradients(self.make(d), *self.inputs(np.random.default_rng(seed), n, d), seed=seed)


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
    "Attention": Entry(lambda d: Attention(2, d, 3, width=4, rng=0), sequences),
    "Attention, padded": Entry(lambda d: Attention(2, d, 3, width=4, padding=-1, rng=0), several_lengths),
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
    "SequenceAutoencoder, attention": Entry(attentive, sequences),
    "SequenceAutoencoder, attention, padded": Entry(lambda d: attentive(d, padding=-1), several_lengths),
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
    "Diffusion": Entry(diffusion, images),
    # the parts of an RBM's training_step, which itself is not a gradient
    "FreeEnergy": Entry(free_energy, images),
    "FreeEnergy, Gaussian": Entry(lambda d: free_energy(d, hidden_units="gaussian"), images),
    "FreeEnergy, Gaussian data": Entry(lambda d: free_energy(d, visible_units="gaussian")),
    "UpDown": Entry(lambda d: UpDown((d, 4, 3, 2), k=2, rng=d), images),
    "Classifier": Entry(classifier, labelled_images),
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
