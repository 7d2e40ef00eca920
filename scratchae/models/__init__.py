"""Models, one system in each file."""

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
from .sequence import SequenceAutoencoder
from .variational import VAE

__all__ = [
    "CVAE",
    "DBN",
    "IWAE",
    "PCA",
    "RBM",
    "VAE",
    "Autoencoder",
    "Classifier",
    "ContractiveAutoencoder",
    "FreeEnergy",
    "Model",
    "SequenceAutoencoder",
    "with_labels",
]
