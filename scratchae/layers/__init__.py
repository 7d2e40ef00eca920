"""Layers, one file for each family. Each layer's forward and backward are side by side."""

from .activations import Identity, LeakyReLU, ReLU, Sigmoid, Softplus, Tanh
from .attention import Attention
from .codebook import Codebook
from .convolution import Conv2d, ConvTranspose2d
from .dense import Dense
from .layer import Layer, Sequential
from .noise import Dropout, GaussianNoise, MaskingNoise, SaltAndPepper
from .normalization import BatchNorm
from .pooling import AvgPool2d, MaxPool2d, UpSample2d
from .recurrent import GRU, RNN
from .shape import Flatten, Reshape
from .sparsity import KSparse
from .steps import StepDense

__all__ = [
    "GRU",
    "RNN",
    "Attention",
    "AvgPool2d",
    "BatchNorm",
    "Codebook",
    "Conv2d",
    "ConvTranspose2d",
    "Dense",
    "Dropout",
    "Flatten",
    "GaussianNoise",
    "Identity",
    "KSparse",
    "Layer",
    "LeakyReLU",
    "MaskingNoise",
    "MaxPool2d",
    "ReLU",
    "Reshape",
    "SaltAndPepper",
    "Sequential",
    "Sigmoid",
    "Softplus",
    "StepDense",
    "Tanh",
    "UpSample2d",
]
