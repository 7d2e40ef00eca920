"""Models, one system in each file."""

from .adversarial import GAN, AdversarialAutoencoder
from .autoencoder import Autoencoder
from .classifier import Classifier, with_labels
from .conditional import CVAE
from .contractive import ContractiveAutoencoder
from .dbn import DBN
from .energy import FreeEnergy
from .importance import IWAE
from .model import Model
from .pca import PCA
from .rbm import RBM
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
    "AdversarialAutoencoder",
    "Autoencoder",
    "Classifier",
    "ContractiveAutoencoder",
    "FreeEnergy",
    "Model",
    "Warmup",
    "with_labels",
]
