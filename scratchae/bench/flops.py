"""What a layer has to do: floating-point operations, counted from its formula, and the bytes that it cannot do without.

One for each product, sum, comparison, root or exponential of real numbers; 2 for each product of a matrix product and
the addition that goes with it. Copies and random draws are none. Each class says its own, in `flops`, `products` and `work`.
"""

from __future__ import annotations

import math

from ..layers import Layer
from ..optimizers import Optimizer

Shape = tuple[int, ...]


def flops(layer: Layer, x_shape: Shape, y_shape: Shape, *, first: bool = False) -> tuple[int, int] | None:
    """The operations of (forward, backward) in training, for x and y of these shapes, the batch included.

    `first`: it is the first layer with parameters of a model, and nobody asks for ∂L/∂x of the data. None if the layer's
    class does not say.
    """
    if layer.flops is None:
        return None
    forward, dparameters, dx = (each * math.prod(y_shape) for each in layer.flops)
    products = gemm_flops(layer, x_shape, y_shape, first=first)
    return forward + products[0], dparameters + (0 if first else dx) + products[1]


def gemm_flops(layer: Layer, x_shape: Shape, y_shape: Shape, *, first: bool = False) -> tuple[int, int]:
    """Those of them that are a matrix product's: x W; xᵀ dy and, but for the first layer, dy Wᵀ."""
    each = 2 * layer.products(x_shape, y_shape)
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


def update_work(optimizer: Optimizer, parameters: int, itemsize: int = 4) -> tuple[int, int] | None:
    """(operations, bytes) of an optimizer's update of so many parameters; None if its class does not say."""
    if optimizer.work is None:
        return None
    operations, numbers = optimizer.work
    decay = 1 if optimizer.weight_decay else 0  # θ (1 - lr λ), in the same pass
    return (operations + decay) * parameters, numbers * parameters * itemsize
