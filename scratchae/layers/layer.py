"""What a layer is, and the one that runs others in order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NoReturn

import numpy as np

from ..backend import Array, array_module, move
from ..description import Described
from ..errors import ArrayTypeError, OptionError, ShapeError


class Layer(Described):
    """One step y = f(x; parameters) with its derivative.

    `forward(x)` is inference; `forward(x, rng=rng)` is training, where noise is drawn from rng. It keeps what
    backward names. `backward(dy)` takes ∂L/∂y, *sets* the gradients of the parameters (dW for W, db for b)
    and returns ∂L/∂x. Neither changes an array that it is given.
    """

    parameter_names: tuple[str, ...] = ()
    buffer_names: tuple[
        str, ...
    ] = ()  # what it remembers from training beside the parameters, such as running averages
    name = ""  # its place in a model, such as "encoder.0", for error messages
    # what it computes, in the order it does: y, then the gradients dW, db, dx, each as an expression that
    # study/formula/ reads; a test evaluates each against forward and backward
    formulas: Mapping[str, str] = {}

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        """y = f(x)."""
        raise NotImplementedError

    def backward(self, dy: Array) -> Array:
        """∂L/∂x from ∂L/∂y; sets the gradients of the parameters."""
        raise NotImplementedError

    def backward_parameters(self, dy: Array) -> None:
        """Set the gradients of the parameters only: enough for the first layer, as nobody asks for ∂L/∂x of the data."""
        self.backward(dy)

    def to(self, device: str | None = None, dtype: object = None) -> Layer:
        """Move parameters and buffers to a device ("cpu", "gpu") and a dtype, in place; gradients follow."""
        for name in self.parameter_names:
            parameter = move(getattr(self, name), device, dtype)
            setattr(self, name, parameter)
            setattr(self, "d" + name, array_module(parameter).zeros_like(parameter))
        for name in self.buffer_names:
            setattr(self, name, move(getattr(self, name), device, dtype))
        return self

    def leaves(self, name: str = "") -> Iterator[tuple[str, Layer]]:
        """The layers that compute, with their names, in the order they run: itself, unless it holds others."""
        yield name, self

    def refuse(self, x: Array, wanted: str, way_out: str) -> NoReturn:
        """Raise ShapeError: x has not the wanted shape."""
        raise ShapeError(f"{self.label()} expects x of shape {wanted}, got {tuple(x.shape)}: {way_out}")

    def label(self) -> str:
        """The layer for a message: its place in the model, if it has one, and what it is."""
        return f"{self.name} {self!r}".strip()


class Sequential(Layer):
    """Layers one after the other, y = fₙ(… f₂(f₁(x))); backward runs them in reverse, by the chain rule."""

    def __init__(self, *layers: Layer):
        for layer in layers:
            if not isinstance(layer, Layer):
                raise ArrayTypeError(
                    f"Sequential expects layers, such as Sequential(Dense(4, 2), ReLU()), got {layer!r}"
                )
        self.layers = layers
        require_distinct(self.leaves())

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        for layer in self.layers:
            x = layer.forward(x, rng)
        return x

    def backward(self, dy: Array) -> Array:
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def backward_parameters(self, dy: Array) -> None:
        first = next(
            (i for i, layer in enumerate(self.layers) if any(leaf.parameter_names for _, leaf in layer.leaves())),
            None,
        )
        if first is None:
            return
        for layer in reversed(self.layers[first + 1 :]):
            dy = layer.backward(dy)
        self.layers[first].backward_parameters(dy)

    def to(self, device: str | None = None, dtype: object = None) -> Sequential:
        for layer in self.layers:
            layer.to(device, dtype)
        return self

    def leaves(self, name: str = "") -> Iterator[tuple[str, Layer]]:
        for i, layer in enumerate(self.layers):
            yield from layer.leaves(f"{name}.{i}".lstrip("."))


@contextlib.contextmanager
def watched(layers: Iterable[Layer], note: Callable[[Layer, Array, Array], None]) -> Iterator[None]:
    """While the block runs, note(layer, x, y) is called after each forward of these layers."""

    def watching(layer: Layer) -> Callable[..., Array]:
        forward = layer.forward

        def forward_and_note(x: Array, rng: np.random.Generator | None = None) -> Array:
            y = forward(x, rng)
            note(layer, x, y)
            return y

        return forward_and_note

    try:
        for layer in layers:
            layer.forward = watching(layer)
        yield
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)  # the class's own forward is seen again


def require_distinct(leaves: Iterator[tuple[str, Layer]]) -> None:
    """Raise OptionError if one layer stands in two places: its second forward would overwrite what the first kept."""
    places: dict[int, str] = {}
    for name, layer in leaves:
        if id(layer) in places:
            raise OptionError(f"layers {places[id(layer)]} and {name} are one and the same {layer!r}: make two")
        places[id(layer)] = name
