"""Layers, one file a family; each layer's forward and backward stand side by side."""

from .activations import Identity, LeakyReLU, ReLU, Sigmoid, Softplus, Tanh
from .dense import Dense
from .layer import Layer, Sequential
from .noise import Dropout, GaussianNoise, MaskingNoise, SaltAndPepper
from .shape import Flatten, Reshape

__all__ = [
    "Dense",
    "Dropout",
    "Flatten",
    "GaussianNoise",
    "Identity",
    "Layer",
    "LeakyReLU",
    "MaskingNoise",
    "ReLU",
    "Reshape",
    "SaltAndPepper",
    "Sequential",
    "Sigmoid",
    "Softplus",
    "Tanh",
]
