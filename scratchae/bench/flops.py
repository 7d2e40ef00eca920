"""What a layer has to do: floating-point operations, counted from its formula, and the bytes that it cannot do without.

One for each product, sum, comparison, root or exponential of real numbers; 2 for each product of a matrix product and
the addition that goes with it. Copies and random draws are none. A new layer has its row in `COUNTS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ..layers import (
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
    Sigmoid,
    Softplus,
    Tanh,
    UpSample2d,
)
from ..optimizers import SGD, Adam, Optimizer

Shape = tuple[int, ...]
# of a layer, the shapes of x and y: the operations of forward, of ∂L/∂(its parameters), and of ∂L/∂x
Count = Callable[[Layer, Shape, Shape], tuple[int, int, int]]


def flops(layer: Layer, x_shape: Shape, y_shape: Shape, *, first: bool = False) -> tuple[int, int] | None:
    """The operations of (forward, backward) in training, for x and y of these shapes, the batch included.

    `first`: it is the first layer with parameters of a model, and nobody asks for ∂L/∂x of the data. None if the layer is
    of a kind that has no row in the table.
    """
    count = next((COUNTS[kind] for kind in type(layer).__mro__ if kind in COUNTS), None)
    if count is None:
        return None
    forward, dparameters, dx = count(layer, x_shape, y_shape)
    return forward, dparameters + (0 if first else dx)


def gemm_flops(layer: Layer, x_shape: Shape, y_shape: Shape, *, first: bool = False) -> tuple[int, int]:
    """Those of them that are a matrix product's: x W; xᵀ dy and, but for the first layer, dy Wᵀ."""
    products = next((PRODUCTS[kind] for kind in type(layer).__mro__ if kind in PRODUCTS), None)
    if products is None:
        return 0, 0
    each = 2 * products(layer, x_shape, y_shape)
    return each, (1 if first else 2) * each


def traffic(
    layer: Layer, x_shape: Shape, y_shape: Shape, itemsize: int = 4, *, first: bool = False
) -> tuple[int, int]:
    """The bytes that (forward, backward) must at least move between memory and processor, were the caches too small to keep
    an array from one layer to the next and large enough for all within a layer: each array once.

    forward reads x and the parameters and writes y; backward reads dy, x and the parameters, and writes dx and the
    parameters' gradients.
    """
    x, y = math.prod(x_shape), math.prod(y_shape)
    parameters = sum(getattr(layer, name).size for name in layer.parameter_names)
    return (x + parameters + y) * itemsize, (y + x + parameters + parameters + (0 if first else x)) * itemsize


# How often a number of W is multiplied, in all: y = x W + b
PRODUCTS: dict[type[Layer], Callable[[Layer, Shape, Shape], int]] = {
    Dense: lambda layer, x_shape, y_shape: x_shape[0] * layer.W.size,  # each with every example
    # each with every pixel of y: the matrix product of im2col
    Conv2d: lambda layer, x_shape, y_shape: math.prod(y_shape[:3]) * layer.W.size,
    # each with every pixel of x; what overlaps in y is added up on the way
    ConvTranspose2d: lambda layer, x_shape, y_shape: math.prod(x_shape[:3]) * layer.W.size,
}


def affine(layer: Layer, x_shape: Shape, y_shape: Shape) -> tuple[int, int, int]:
    forward, _ = gemm_flops(layer, x_shape, y_shape)
    return forward + math.prod(y_shape), forward + math.prod(y_shape), forward  # + b; ∂L/∂W, and Σ dy; ∂L/∂x


def max_pool(layer: MaxPool2d, x_shape: Shape, y_shape: Shape) -> tuple[int, int, int]:
    patches = math.prod(layer.K) * math.prod(y_shape)
    return patches, 0, 3 * patches  # compare; compare, times dy, add where patches overlap


def average_pool(layer: AvgPool2d, x_shape: Shape, y_shape: Shape) -> tuple[int, int, int]:
    patches = math.prod(layer.K) * math.prod(y_shape)
    return patches, 0, math.prod(y_shape) + patches  # add all of a patch, the last a quotient; dy / K, add


def each(forward: int, backward: int) -> Count:
    """So many operations for each number of y, and for each of dy."""
    return lambda layer, x_shape, y_shape: (forward * math.prod(y_shape), 0, backward * math.prod(y_shape))


COUNTS: dict[type[Layer], Count] = {
    Dense: affine,
    Conv2d: affine,
    ConvTranspose2d: affine,
    MaxPool2d: max_pool,
    AvgPool2d: average_pool,
    UpSample2d: each(0, 1),  # copies; the sum of dy over them
    BatchNorm: lambda layer, x_shape, y_shape: (
        7 * math.prod(x_shape),  # Σ x; x - μ; its square, their sum; / √(σ² + ε); γ x̂; + β
        3 * math.prod(x_shape),  # Σ dy; dy x̂, their sum
        4 * math.prod(x_shape),  # dy - mean; x̂ · its share, taken off; γ / √(σ² + ε)
    ),
    Identity: each(0, 0),
    Flatten: each(0, 0),
    Reshape: each(0, 0),
    ReLU: each(1, 2),  # max(x, 0); y > 0, times dy
    LeakyReLU: each(2, 2),  # max(x, slope x); x > 0, slope dy
    Sigmoid: each(4, 3),  # 1 / (1 + exp(-x)); dy y (1 - y)
    Tanh: each(1, 3),  # tanh; dy (1 - y y)
    Softplus: each(6, 5),  # max(x, 0) + log(1 + exp(-|x|)); dy σ(x)
    Dropout: each(3, 1),  # keep or not, / (1 - rate), times x; dy mask
    MaskingNoise: each(2, 1),  # keep or not, times x; dy mask
    SaltAndPepper: each(4, 1),  # keep or not, salt or pepper, x mask + salt; dy mask
    GaussianNoise: lambda layer, x_shape, y_shape: (
        (2 if layer.clip is None else 4) * math.prod(x_shape),  # x + std ε, cut below and above
        0,
        (0 if layer.clip is None else 4) * math.prod(x_shape),  # dy · (noisy > low) · (noisy < high)
    ),
    KSparse: each(2, 1),  # x >= the k-th largest, which is found by a selection and not counted; x mask; dy mask
}

# Of an optimizer, for each parameter: operations, and numbers read and written
UPDATES: dict[type[Optimizer], tuple[int, int]] = {
    SGD: (2, 3),  # θ - lr g
    Adam: (12, 7),  # as in its docstring, two bias corrections in two numbers; θ, g, m, v read, θ, m, v written
}


def update_work(optimizer: Optimizer, parameters: int, itemsize: int = 4) -> tuple[int, int]:
    """(operations, bytes) of an optimizer's update of so many parameters."""
    operations, numbers = UPDATES[type(optimizer)]
    if isinstance(optimizer, SGD) and optimizer.momentum:
        operations, numbers = operations + 2, numbers + 2  # v = μ v + g
    if optimizer.weight_decay:
        operations += 1  # θ (1 - lr λ), in the same pass
    return operations * parameters, numbers * parameters * itemsize
