"""What scratchae's layers and losses are in PyTorch and JAX: a row for each. A layer of one's own gets its row from outside:

TRANSLATIONS[Mine] = Translation(lambda nn, layer: nn.Mish(), lambda jax, layer: jax.nn.mish)
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ...layers import (
    AvgPool2d,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    Identity,
    Layer,
    LeakyReLU,
    MaxPool2d,
    ReLU,
    Reshape,
    Sigmoid,
    Softplus,
    Tanh,
    UpSample2d,
)
from ...layers.pooling import missing
from ...losses import BCE, MSE, BCEWithLogits, Loss

NHWC = ("NHWC", "HWIO", "NHWC")  # layouts of x, W and y for XLA: scratchae's


@dataclass(frozen=True)
class Translation:
    """A layer elsewhere: torch(nn, layer) is a module, jax(jax, layer) a function of x and of the layer's parameters."""

    torch: Callable[[ModuleType, Any], Any]
    jax: Callable[[ModuleType, Any], Callable]
    axes: tuple[int, ...] = ()  # of scratchae's W in the order in which PyTorch's weight has them
    images: bool = False  # it is for images, whose layout makes a difference


def torch_reshape(nn: ModuleType, *shape: int) -> Any:
    """A module that gives each example a new shape, in scratchae's order of the numbers: channels last."""

    class Reshape(nn.Module):
        def forward(self, x):
            if x.ndim == 4:
                x = x.permute(0, 2, 3, 1)
            x = x.reshape(len(x), *shape)
            return x.permute(0, 3, 1, 2) if x.ndim == 4 else x

    return Reshape()


def torch_convolution(nn: ModuleType, layer: Conv2d) -> Any:
    return nn.Conv2d(layer.in_channels, layer.out_channels, layer.K, layer.S, layer.P)


def torch_transposed_convolution(nn: ModuleType, layer: ConvTranspose2d) -> Any:
    return nn.ConvTranspose2d(layer.in_channels, layer.out_channels, layer.K, layer.S, layer.P, layer.extra)


def jax_convolution(jax: ModuleType, layer: Conv2d) -> Callable:
    padding = [(p, p) for p in layer.P]

    def function(x, W, b):
        return jax.lax.conv_general_dilated(x, W, layer.S, padding, dimension_numbers=NHWC) + b

    return function


def jax_transposed_convolution(jax: ModuleType, layer: ConvTranspose2d) -> Callable:
    # of the image that XLA spreads by the stride and then convolves
    padding = [(k - 1 - p, k - 1 - p + extra) for k, p, extra in zip(layer.K, layer.P, layer.extra, strict=True)]

    def function(x, W, b):
        return jax.lax.conv_transpose(x, W, layer.S, padding, dimension_numbers=NHWC, transpose_kernel=True) + b

    return function


def jax_max_pool(jax: ModuleType, layer: MaxPool2d) -> Callable:
    def function(x):
        grown = map(missing, x.shape[1:3], layer.K, layer.S) if layer.ceil_mode else (0, 0)
        padding = [(0, 0), *((0, more) for more in grown), (0, 0)]
        return jax.lax.reduce_window(x, -np.inf, jax.lax.max, (1, *layer.K, 1), (1, *layer.S, 1), padding)

    return function


def jax_average_pool(jax: ModuleType, layer: AvgPool2d) -> Callable:
    def function(x):
        sums = jax.lax.reduce_window(x, 0.0, jax.lax.add, (1, *layer.K, 1), (1, *layer.S, 1), "VALID")
        return sums / math.prod(layer.K)

    return function


TRANSLATIONS: dict[type[Layer], Translation] = {
    Dense: Translation(
        lambda nn, layer: nn.Linear(layer.inputs, layer.outputs),
        lambda jax, layer: lambda x, W, b: x @ W + b,
        axes=(1, 0),  # (outputs, inputs)
    ),
    # (Cout, Cin, KH, KW), and (Cin, Cout, KH, KW)
    Conv2d: Translation(torch_convolution, jax_convolution, axes=(3, 2, 0, 1), images=True),
    ConvTranspose2d: Translation(
        torch_transposed_convolution, jax_transposed_convolution, axes=(3, 2, 0, 1), images=True
    ),
    MaxPool2d: Translation(
        lambda nn, layer: nn.MaxPool2d(layer.K, layer.S, ceil_mode=layer.ceil_mode), jax_max_pool, images=True
    ),
    AvgPool2d: Translation(lambda nn, layer: nn.AvgPool2d(layer.K, layer.S), jax_average_pool, images=True),
    UpSample2d: Translation(
        lambda nn, layer: nn.Upsample(scale_factor=layer.S),
        lambda jax, layer: lambda x: x.repeat(layer.S[0], axis=1).repeat(layer.S[1], axis=2),
        images=True,
    ),
    Flatten: Translation(lambda nn, layer: torch_reshape(nn, -1), lambda jax, layer: lambda x: x.reshape(len(x), -1)),
    Reshape: Translation(
        lambda nn, layer: torch_reshape(nn, *layer.shape),
        lambda jax, layer: lambda x: x.reshape(len(x), *layer.shape),
    ),
    Identity: Translation(lambda nn, layer: nn.Identity(), lambda jax, layer: lambda x: x),
    ReLU: Translation(lambda nn, layer: nn.ReLU(), lambda jax, layer: jax.nn.relu),
    LeakyReLU: Translation(
        lambda nn, layer: nn.LeakyReLU(layer.slope),
        lambda jax, layer: functools.partial(jax.nn.leaky_relu, negative_slope=layer.slope),
    ),
    Sigmoid: Translation(lambda nn, layer: nn.Sigmoid(), lambda jax, layer: jax.nn.sigmoid),
    Softplus: Translation(lambda nn, layer: nn.Softplus(), lambda jax, layer: jax.nn.softplus),
    Tanh: Translation(lambda nn, layer: nn.Tanh(), lambda jax, layer: jax.nn.tanh),
}

# Of a loss, summed over the batch: in PyTorch of torch.nn, in JAX of jax.numpy, and of y and x
LOSSES: dict[type[Loss], tuple[Callable, Callable]] = {
    MSE: (
        lambda nn, y, x: nn.functional.mse_loss(y, x, reduction="sum"),
        lambda jnp, y, x: jnp.sum((y - x) ** 2),
    ),
    BCE: (
        lambda nn, y, x: nn.functional.binary_cross_entropy(y, x, reduction="sum"),
        lambda jnp, y, x: -jnp.sum(x * jnp.log(jnp.maximum(y, 1e-37)) + (1 - x) * jnp.log(jnp.maximum(1 - y, 1e-37))),
    ),
    BCEWithLogits: (
        lambda nn, y, x: nn.functional.binary_cross_entropy_with_logits(y, x, reduction="sum"),
        lambda jnp, y, x: jnp.sum(jnp.logaddexp(y, 0) - x * y),
    ),
}
