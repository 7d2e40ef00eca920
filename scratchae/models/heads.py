"""The heads of a variational encoder: how many numbers they make, and what of their KL term is charged."""

from __future__ import annotations

from ..backend import Array, array_module
from ..errors import OptionError
from ..layers import Layer


def charge(mu: Array, log_var: Array, free: float) -> tuple[Array, Array]:
    """Σⱼ max(KLⱼ, free) of each example, averaged: what is charged where each number of the code has so many nats free; and which
    numbers (N, D) pay, the others have no gradient.
    """
    xp = array_module(mu)
    each = (mu * mu + xp.exp(log_var) - log_var - 1) / 2  # KLⱼ
    pays = each > free
    return xp.sum(xp.maximum(each, free)) / len(each), pays


def outputs(head: Layer, name: str) -> int:
    """The number of numbers that a head makes: `outputs` of the last of its layers that has it, such as a Dense."""
    sizes = [layer.outputs for _, layer in head.leaves() if isinstance(getattr(layer, "outputs", None), int)]
    if not sizes:
        raise OptionError(
            f"{name}={head!r}: expected a Dense, or a Sequential that ends with one; in a layer of your own, say in an "
            "attribute `outputs` how many numbers it makes"
        )
    return sizes[-1]
