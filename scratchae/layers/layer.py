"""What a layer is, and `Sequential`, which runs layers in order."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import numpy as np

from ..backend import Array, array_module, move
from ..description import Described, ours
from ..errors import ArrayTypeError, OptionError, ShapeError
from .calls import check_calls
from .own import defining, gradient_names, is_float, set_by_forward, taking_rng


class ParameterNames:
    """`parameter_names` of a layer that gives none: the float attributes p for which a method of its class sets self.dp."""

    def __get__(self, layer: Layer | None, kind: type) -> tuple[str, ...]:
        if layer is None or not (gradients := gradient_names(kind)):
            return ()
        return tuple(name for name, value in vars(layer).items() if name in gradients and is_float(value))


class Layer(Described):
    """One step y = f(x; parameters) with its derivative.

    `forward(x)` is inference; `forward(x, rng=rng)` is training, where noise is drawn from rng. It keeps the
    arrays that backward needs. `backward(dy)` takes ∂L/∂y, *sets* the gradients of the parameters (dW for W, db for b)
    and returns ∂L/∂x. Neither changes an array that it is given.

    A layer of your own needs these two methods, and its parameters as attributes. `forward(self, x)` is enough if it draws
    no noise. Its backward may set `self.dW = …` or write into `self.dW`, as the layers here do to save memory.

        class Scale(scratchae.Layer):
            parameter_names = ("w",)

            def __init__(self, features):
                self.w = np.ones(features, np.float32)

            def forward(self, x):
                self.x = x
                return x * self.w

            def backward(self, dy):
                self.dw = (self.x * dy).sum(axis=0)  # ∂L/∂w = Σₙ xₙ dyₙ
                return dy * self.w  # ∂L/∂x = dy w

    A layer that holds other layers in attributes, such as a residual block, trains them too.
    """

    parameter_names: tuple[str, ...] = ParameterNames()
    # the arrays that it keeps from training besides its parameters, such as running averages
    buffer_names: tuple[str, ...] = ()
    name = ""  # its place in a model, such as "encoder.0", for error messages
    # whether it computes every example by itself, so that a batch may be split (models/parallel.py); not inherited
    examples_apart = False
    # whether it stands for somebody else's layer, which may be called with anything: calls.py does not look at its calls
    stands_in = False
    # whether a model that begins with it is to give back what it takes away: a denoising autoencoder
    corrupts = False
    # how y is written in a formula, z of a Dense; an accent alone is put on the letter of x
    symbol = "y"
    # the other names that formulas use: quantities on the way, and settings. A name that is missing here is written as a number
    symbols: Mapping[str, str] = {}
    # the operations that each number of y takes in forward, in the gradients of the parameters and in ∂L/∂x, beside those of
    # matrix products; None if they are not counted
    flops: tuple[int, int, int] | None = None
    # what it computes, in this order: y, then the gradients dW, db, dx. Each is an expression that study/formula/ reads;
    # a test compares its value with forward and backward
    formulas: Mapping[str, str] = {}

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        if ours(cls) and not cls.stands_in:
            check_calls(cls)
        elif (forward := taking_rng(cls.forward)) is not cls.forward:
            cls.forward = forward

    def products(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        """How many products of two numbers there are in the matrix product of forward, for x and y of these shapes."""
        return 0

    def computed(self, y: Array) -> int:
        """How many numbers the last forward computed for y; more than y has, where there are steps on the way."""
        return y.size

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        """y = f(x)."""
        raise NotImplementedError

    def backward(self, dy: Array) -> Array:
        """∂L/∂x from ∂L/∂y; sets the gradients of the parameters."""
        raise NotImplementedError

    def backward_parameters(self, dy: Array) -> None:
        """Set only the gradients of the parameters: enough for the first layer, because ∂L/∂x of the data is never needed."""
        self.backward(dy)

    def backward_first(self, dy: Array) -> None:
        """The backward of a model's first layer: `backward_parameters`, unless a subclass has replaced only `backward`."""
        shortcut = defining(type(self), "backward_parameters")
        if issubclass(shortcut, defining(type(self), "backward")):
            self.backward_parameters(dy)
        else:
            self.backward(dy)

    def to(self, device: str | None = None, dtype: object = None) -> Layer:
        """Move parameters and buffers to a device ("cpu", "gpu") and a dtype, in place; gradients follow."""
        for name in self.parameter_names:
            parameter = move(self.parameter_array(name), device, dtype)
            setattr(self, name, parameter)
            setattr(self, "d" + name, array_module(parameter).zeros_like(parameter))
        for name in self.buffer_names:
            setattr(self, name, move(getattr(self, name), device, dtype))
        for _, inner in self.held_layers():
            inner.to(device, dtype)
        return self

    def parameter_array(self, name: str) -> Array:
        """A parameter as an array. Raises an error if the layer has no attribute of this name, or if it does not hold floats."""
        if not isinstance(name, str) or not hasattr(self, name):
            raise OptionError(
                f"{self.label()} names a parameter {name} but has no such attribute: set self.{name} in its constructor"
            )
        value = getattr(self, name)
        if not is_float(value):
            found = getattr(value, "dtype", type(value).__name__)
            raise ArrayTypeError(
                f"{self.label()}: its parameter {name} holds {found}, expected an array of floats: set "
                f"self.{name} = numpy.asarray(…, dtype='float32')"
            )
        return np.asarray(value, np.float32) if isinstance(value, float) else value

    def held_layers(self) -> Iterator[tuple[str, Layer]]:
        """The layers in its attributes, or in lists there, with a name for each."""
        for name, value in vars(self).items():
            for i, item in enumerate(value) if isinstance(value, list | tuple) else ((None, value),):
                if isinstance(item, Layer):
                    yield name if i is None else f"{name}.{i}", item

    def leaves(self, name: str = "") -> Iterator[tuple[str, Layer]]:
        """The layers that compute, with their names, in the order they run: itself and the layers in its attributes."""
        yield name, self
        for place, layer in self.held_layers():
            yield from layer.leaves(f"{name}.{place}".lstrip("."))

    def running_order(self, name: str = "") -> Iterator[tuple[str, Layer]]:
        """The layers that run one after the other, each on the last one's output: only itself, unless it is a `Sequential`."""
        yield name, self

    def refuse(self, x: Array, wanted: str, way_out: str) -> NoReturn:
        """Raise ShapeError: x does not have the wanted shape."""
        raise ShapeError(f"{self.label()} expects x of shape {wanted}, got {getattr(x, 'shape', x)}: {way_out}")

    def label(self) -> str:
        """The layer's name for a message: its place in the model, if it has one, and its repr."""
        return f"{self.name} {self!r}".strip()


# A person's own layer


def as_layer(thing: Any, where: str) -> Layer:
    """Return the layer. An object of a plain class with `forward` and `backward` becomes a layer, in place.

    where: the place that it is given to, for the error. Raises ArrayTypeError for anything else.
    """
    if isinstance(thing, Layer):
        return thing
    if isinstance(thing, type):
        raise ArrayTypeError(
            f"{where} expects layers, such as Sequential(Dense(4, 2), ReLU()), got the class {thing.__name__}: make an object of "
            f"it, {thing.__name__}(…)"
        )
    if not (hasattr(thing, "forward") and hasattr(thing, "backward")):
        raise ArrayTypeError(f"{where} expects layers, such as Sequential(Dense(4, 2), ReLU()), got {thing!r}")
    try:
        thing.__class__ = layer_class(type(thing))
    except TypeError as error:
        name = type(thing).__name__
        raise ArrayTypeError(
            f"{where}: {name} cannot become a layer ({error}): write class {name}(scratchae.Layer)"
        ) from None
    return thing


@functools.cache
def layer_class(kind: type) -> type:
    """A plain class as a layer: the same class with `Layer` as a second base."""
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind, Layer), names)


def says_parameters(layer: Layer) -> bool:
    """Whether the layer says what its parameters are, so that its other arrays are left out on purpose.

    It does not if a subclass has replaced `backward` without giving `parameter_names`.
    """
    kind = type(layer)
    said_by = defining(kind, "parameter_names")
    by_class = said_by is not Layer and issubclass(said_by, defining(kind, "backward"))
    return ours(kind) or by_class or "parameter_names" in vars(layer)


def possible_parameters(layer: Layer) -> dict[str, Any]:
    """The floats that a layer holds, by name, if it does not say which of them are parameters."""
    if says_parameters(layer):
        return {}
    kept = set_by_forward(type(layer))
    return {name: value for name, value in vars(layer).items() if is_float(value) and name not in kept}


def refuse_collections(layer: Layer) -> None:
    """Raise OptionError if a layer that does not say what its parameters are keeps arrays in a dict or a list."""
    for name, value in vars(layer).items() if not says_parameters(layer) else ():
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        if name != "_given" and any(is_float(item) and hasattr(item, "dtype") for item in items):
            raise OptionError(
                f"{layer.label()} keeps arrays in a {type(value).__name__}, {name}, where a model does not find them to train them: "
                "keep each array in its own attribute, self.W, with its gradient in self.dW; or, if they are not to be trained, "
                f"write parameter_names = () in class {type(layer).__name__}"
            )


def may_train(layer: Layer) -> bool:
    """Whether it has parameters, as far as one can tell before its backward has run."""
    return bool(layer.parameter_names or possible_parameters(layer))


def require_named(layer: Layer, possible: Mapping[str, Any]) -> None:
    """Raise OptionError if an array that `possible_parameters` found now has a gradient and is not named as a parameter.

    An array that the layer has replaced since is not a parameter: the layer keeps it for its backward.
    """
    now, named = vars(layer), layer.parameter_names
    names = [
        p for p, value in possible.items() if now.get(p) is value and is_float(now.get("d" + p)) and p not in named
    ]
    if names:
        listed = ", ".join(f'"{name}"' for name in (*named, *names))
        raise OptionError(
            f"{layer.label()} has a gradient d{names[0]} for its {names[0]}, but does not name {names[0]} as a parameter, so "
            f"it would never be trained: write parameter_names = ({listed},) in class {type(layer).__name__}"
        )


class Sequential(Layer):
    """Layers one after the other, y = fₙ(… f₂(f₁(x))); backward runs them in reverse, by the chain rule."""

    examples_apart = True  # if all of its layers have examples_apart

    def __init__(self, *layers: Layer):
        self.layers = tuple(as_layer(layer, "Sequential") for layer in layers)
        require_distinct(self.leaves())

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        for layer in self.layers:
            x = layer.forward(x, rng)
            if x is None:
                raise ArrayTypeError(f"forward of {layer.label()} returned None: end it with `return y`")
        return x

    def backward(self, dy: Array) -> Array:
        return self.backward_down_to(0, dy)

    def backward_parameters(self, dy: Array) -> None:
        first = next(
            (i for i, layer in enumerate(self.layers) if any(may_train(leaf) for _, leaf in layer.leaves())),
            None,
        )
        if first is not None:
            self.layers[first].backward_first(self.backward_down_to(first + 1, dy))

    def backward_down_to(self, first: int, dy: Array) -> Array:
        """∂L/∂x of layer number `first`, from ∂L/∂y of the last."""
        for layer in reversed(self.layers[first:]):
            dy = layer.backward(dy)
            if dy is None:
                raise ArrayTypeError(f"backward of {layer.label()} returned None: end it with `return dx`")
        return dy

    def to(self, device: str | None = None, dtype: object = None) -> Sequential:
        for layer in self.layers:
            layer.to(device, dtype)
        return self

    def leaves(self, name: str = "") -> Iterator[tuple[str, Layer]]:
        for i, layer in enumerate(self.layers):
            yield from layer.leaves(f"{name}.{i}".lstrip("."))

    def running_order(self, name: str = "") -> Iterator[tuple[str, Layer]]:
        for i, layer in enumerate(self.layers):
            yield from layer.running_order(f"{name}.{i}".lstrip("."))


def require_distinct(leaves: Iterator[tuple[str, Layer]]) -> None:
    """Raise OptionError if one layer is in two places: its second forward would overwrite the arrays that the first kept."""
    places: dict[int, str] = {}
    for name, layer in leaves:
        if id(layer) in places:
            raise OptionError(
                f"layers {places[id(layer)]} and {name} are the same object, {layer!r}: make a layer for each"
            )
        places[id(layer)] = name
