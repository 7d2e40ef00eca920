"""scratchae: autoencoders from scratch, in NumPy, without autograd; the same code on a GPU through CuPy.

Reading order of the source: layers/dense.py, layers/activations.py, layers/patches.py and layers/convolution.py,
losses.py, layers/layer.py, models/autoencoder.py, optimizers.py, training/fit.py, study/gradcheck.py; then models/model.py
(flat parameters), models/parallel.py and backend/ (what makes it fast).
"""

from .backend import array_module, threads
from .backend.kernels.host import compile_kernels
from .data import Dataset, load_data
from .errors import ScratchaeError
from .layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    Identity,
    KSparse,
    Layer,
    LeakyReLU,
    MaskingNoise,
    MaxPool2d,
    ReLU,
    Reshape,
    SaltAndPepper,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
    UpSample2d,
)
from .losses import BCE, MSE, BCEWithLogits, Loss, SoftmaxCrossEntropy, gaussian_kl
from .models import (
    CVAE,
    DBN,
    IWAE,
    PCA,
    RBM,
    VAE,
    Autoencoder,
    Classifier,
    ContractiveAutoencoder,
    Model,
    with_labels,
)
from .optimizers import SGD, Adam, Cosine, Optimizer, Step
from .penalties import L1, Penalty, SparseKL
from .study import GradientReport, Trace, check_gradients, trace, watch
from .training import History, evaluate, fit, load, pretrain, save
from .tutorial.notebook import check

__version__ = "0.1.0"

__all__ = [
    "BCE",
    "CVAE",
    "DBN",
    "IWAE",
    "L1",
    "MSE",
    "PCA",
    "RBM",
    "SGD",
    "VAE",
    "Adam",
    "Autoencoder",
    "AvgPool2d",
    "BCEWithLogits",
    "BatchNorm",
    "Classifier",
    "ContractiveAutoencoder",
    "Conv2d",
    "ConvTranspose2d",
    "Cosine",
    "Dataset",
    "Dense",
    "Dropout",
    "Flatten",
    "GaussianNoise",
    "GradientReport",
    "History",
    "Identity",
    "KSparse",
    "Layer",
    "LeakyReLU",
    "Loss",
    "MaskingNoise",
    "MaxPool2d",
    "Model",
    "Optimizer",
    "Penalty",
    "ReLU",
    "Reshape",
    "SaltAndPepper",
    "ScratchaeError",
    "Sequential",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "Softplus",
    "SparseKL",
    "Step",
    "Tanh",
    "Trace",
    "UpSample2d",
    "array_module",
    "check",
    "check_gradients",
    "compile_kernels",
    "evaluate",
    "fit",
    "gaussian_kl",
    "load",
    "load_data",
    "pretrain",
    "save",
    "threads",
    "trace",
    "watch",
    "with_labels",
]
