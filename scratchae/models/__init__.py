"""Models, one system a file."""

from .autoencoder import Autoencoder
from .model import Model
from .pca import PCA

__all__ = ["PCA", "Autoencoder", "Model"]
