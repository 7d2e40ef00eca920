"""Models, one system in each file."""

from .adversarial import GAN, AdversarialAutoencoder
from .autoencoder import Autoencoder
from .classifier import Classifier, with_labels
from .conditional import CVAE
from .contractive import ContractiveAutoencoder
from .dbn import DBN
from .diffusion import Diffusion
from .energy import FreeEnergy
from .importance import IWAE
from .masked import MaskedAutoencoder
from .model import Model
from .pca import PCA
from .prior import CodePrior
from .quantized import VQVAE
from .rbm import RBM
from .sequence import SequenceAutoencoder
from .updown import UpDown
from .variational import VAE
from .warmup import Warmup

__all__ = [
    "CVAE",
    "DBN",
    "GAN",
    "IWAE",
    "PCA",
    "RBM",
    "VAE",
    "VQVAE",
    "AdversarialAutoencoder",
    "Autoencoder",
    "Classifier",
    "CodePrior",
    "ContractiveAutoencoder",
    "Diffusion",
    "FreeEnergy",
    "MaskedAutoencoder",
    "Model",
    "SequenceAutoencoder",
    "UpDown",
    "Warmup",
    "with_labels",
]
