"""Models, one system in each file."""

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
from .variational import VAE

__all__ = [
    "CVAE",
    "DBN",
    "IWAE",
    "PCA",
    "RBM",
    "VAE",
    "VQVAE",
    "Autoencoder",
    "Classifier",
    "CodePrior",
    "ContractiveAutoencoder",
    "Diffusion",
    "FreeEnergy",
    "MaskedAutoencoder",
    "Model",
    "with_labels",
]
