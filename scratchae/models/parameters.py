"""The parameters of a model's layers as one flat vector, their gradients as another."""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Iterator

import numpy as np

from ..backend import Array, array_module, to_numpy
from ..description import Described
from ..errors import DataError, OptionError, ShapeError
from ..layers import Layer
from ..layers.layer import as_layer, possible_parameters, refuse_collections, require_distinct, require_named


class FlatParameters(Described):
    """What holds layers, in the attributes that `part_names` names: their parameters θ and gradients as flat vectors.

    `layer.W` and `layer.dW` are views into `parameters` and `gradient`. So an optimizer is one formula on whole vectors, and
    data-parallel training would be one sum of gradients. Views start at multiples of 16 numbers (64 bytes); the gaps hold zeros and stay zero.

    A parameter that was set anew (`layer.W = …`) is copied into θ when θ is next asked for or a step begins, and a gradient
    that `backward` set anew (`self.dW = …`) when `gradient` is next asked for; then the layer has its view again.
    """

    # attributes that hold layers, in the order they run
    part_names: tuple[str, ...] = ()

    @property
    def parameters(self) -> Array:
        """θ, all parameters as one vector. What is written into it, the layers see."""
        self.take_parameters()
        return self._parameters

    @parameters.setter
    def parameters(self, values: Array) -> None:
        write_into(self.parameters, values, "parameters")

    @property
    def gradient(self) -> Array:
        """∂loss/∂θ, as one vector, of the last backward."""
        self.take_gradient()
        return self._gradient

    @gradient.setter
    def gradient(self, values: Array) -> None:
        write_into(self.gradient, values, "gradient")

    def mark_gradient(self) -> None:
        """Fill the gradients with a mark of their own, by which `require_gradient` knows those that no backward has set."""
        for _, _, view in self.gradient_views:
            mark_unset(view)

    def require_gradient(self) -> None:
        """Raise OptionError if a backward has left out a gradient. On a GPU, which the host should not wait for, NaN will tell."""
        self.take_gradient()
        for layer, attribute, view in self.gradient_views:
            if is_unset(view):
                raise OptionError(
                    f"{layer.label()} was given no gradient {attribute} by the model's first step: its backward was not called, "
                    f"or does not set self.{attribute} (with =, not with +=). To leave {attribute[1:]} as it is, set {attribute} to 0"
                )

    def leaves(self) -> Iterator[tuple[str, Layer]]:
        """Every layer that computes, with its name, such as "encoder.0"."""
        for name, part in self.parts():
            yield from part.leaves(name)

    def parts(self) -> Iterator[tuple[str, Layer]]:
        """Its parts by name. Raises ArrayTypeError if one is no layer."""
        for name in self.part_names:
            yield name, as_layer(getattr(self, name), f"{type(self).__name__}.{name}")

    def named_parameters(self) -> Iterator[tuple[str, Layer, str]]:
        """Name, such as "encoder.0.W", layer and attribute of every parameter, in the order they stand in θ."""
        for name, layer in self.leaves():
            for attribute in layer.parameter_names:
                yield f"{name}.{attribute}", layer, attribute

    def named_buffers(self) -> Iterator[tuple[str, Layer, str]]:
        """Name, such as "encoder.1.running_mean", layer and attribute of what layers remember beside their parameters."""
        for name, layer in self.leaves():
            for attribute in layer.buffer_names:
                yield f"{name}.{attribute}", layer, attribute

    def tensors(self) -> dict[str, Array]:
        """Every parameter and buffer by name: all that training changes in the model."""
        named = itertools.chain(self.named_parameters(), self.named_buffers())
        return {name: getattr(layer, attribute) for name, layer, attribute in named}

    def gather(self) -> None:
        """Copy the layers' parameters into a new vector θ, the gradients into another; layers see them as views.

        The layers hold the truth. `fit` begins with it.
        """
        made = "_parameters" in vars(self)
        require_distinct(self.leaves())
        self.require_all_layers_named()
        for name, layer in self.leaves():
            layer.name = name
        for _, layer in () if made else self.leaves():
            refuse_collections(layer)
        slots, size = [], 0
        for _, layer, attribute in self.named_parameters():
            parameter = layer.parameter_array(attribute)
            slots.append((layer, attribute, parameter, size))
            size += room(parameter)
        # layers that do not say what their parameters are, with all that could be: looked through after each backward
        self.unnamed = [(layer, possible) for _, layer in self.leaves() if (possible := possible_parameters(layer))]
        if not slots:
            raise DataError(f"{type(self).__name__} has no parameters: none of its layers has any")
        xp = array_module(slots[0][2])
        dtypes = {parameter.dtype for _, _, parameter, _ in slots}
        dtype = dtypes.pop() if len(dtypes) == 1 else np.dtype(np.float32)
        self.team, self.begins, self.gathered = None, True, list(self.parts())  # begins: no step was taken yet
        self._parameters = xp.zeros(size, dtype=dtype)
        self._gradient = xp.zeros(size, dtype=dtype)
        self.parameter_views, self.gradient_views = [], []
        for layer, attribute, parameter, start in slots:
            for vector, views, target, value in (
                (self._parameters, self.parameter_views, attribute, parameter),
                (self._gradient, self.gradient_views, "d" + attribute, getattr(layer, "d" + attribute, 0)),
            ):
                view = vector[start : start + parameter.size].reshape(parameter.shape)
                if shape_of(value) not in ((), parameter.shape):
                    raise ShapeError(
                        f"{layer.label()}: its {attribute} was set to an array of shape {parameter.shape}, expected "
                        f"{shape_of(value)}, as its {target} has"
                    )
                view[...] = value
                setattr(layer, target, view)
                views.append((layer, target, view))
        self.buffers = [(layer, attribute, getattr(layer, attribute)) for _, layer, attribute in self.named_buffers()]
        if not made:
            warn_of_equal_weights(self)

    def take_parameters(self) -> None:
        """Copy what layers hold as parameters into θ where it is no view of θ, as after `layer.W = …`.

        Gathers anew if a part was replaced, `model.decoder = …`.
        """
        if "_parameters" not in vars(self) or any(getattr(self, name) is not part for name, part in self.gathered):
            self.gather()
        for layer, attribute, view in self.parameter_views:
            if getattr(layer, attribute, None) is not view:
                take_over(layer, attribute, view)

    def take_gradient(self) -> None:
        """Copy gradients that layers have set anew into the vector, and buffers into the memory where they were, which a
        recorded step on a GPU knows. Raises an error if a layer has not set one, or has one for no parameter.
        """
        if "_parameters" not in vars(self):
            self.gather()
        for layer, attribute, view in self.gradient_views:
            if getattr(layer, attribute, None) is not view:
                take_over(layer, attribute, view)
        for layer, attribute, kept in self.buffers:
            if getattr(layer, attribute, None) is not kept:
                take_over(layer, attribute, kept)
        for layer, possible in self.unnamed:
            require_named(layer, possible)

    def require_all_layers_named(self) -> None:
        """Raise OptionError if the model holds a layer that is in none of its parts, since it would never be trained."""
        known = {id(layer) for _, layer in self.leaves()}
        for attribute, value in vars(self).items():
            for item in value if isinstance(value, list | tuple) else (value,):
                for _, layer in item.leaves() if isinstance(item, Layer) else ():
                    if id(layer) not in known and layer.parameter_names:
                        raise OptionError(
                            f"{type(self).__name__} holds layers in {attribute}, which part_names={self.part_names!r} does not "
                            f'name, so that they would never be trained: write part_names = (…, "{attribute}") in the class, '
                            "all that hold layers in the order they run (Sequential(*layers) makes one of a list)"
                        )

    def stretches(self) -> dict[str, slice]:
        """Where the parameters of each part lie in θ."""
        found, end = {}, 0
        for name, layer, attribute in self.named_parameters():
            part, start = name.partition(".")[0], end
            end += room(getattr(layer, attribute))
            found[part] = slice(found[part].start if part in found else start, end)
        return found

    def parameter_count(self) -> int:
        """The number of trainable numbers."""
        return sum(getattr(layer, attribute).size for _, layer, attribute in self.named_parameters())

    def to(self, device: str | None = None, dtype: object = None) -> FlatParameters:
        """Move the model to a device ("cpu", "gpu") and a dtype, in place."""
        for _, part in self.parts():
            part.to(device, dtype)
        self.gather()
        return self

    def __getstate__(self) -> dict:
        return {name: value for name, value in vars(self).items() if name not in GATHERED}

    def __setstate__(self, state: dict) -> None:  # deepcopy and pickle would copy θ and its views apart
        self.__dict__.update(state, _parameters=None)
        self.gather()

    def __copy__(self) -> FlatParameters:
        return copy.deepcopy(self)  # a shallow copy would share its layers, and take their views away


def room(parameter: Array) -> int:
    """How many numbers of θ a parameter takes, with the gap behind it: each begins at a multiple of 16."""
    return -(-parameter.size // 16) * 16


# what `gather` makes
GATHERED = {
    "_parameters",
    "_gradient",
    "parameter_views",
    "gradient_views",
    "buffers",
    "unnamed",
    "team",
    "begins",
    "gathered",
    "lent",
    "borrowed",
}


def mark_unset(gradient: Array) -> None:
    """Fill a gradient with NaN; on the host with one of its own, which tells it from a NaN that was computed."""
    if array_module(gradient) is np:
        bits(gradient)[...] = UNSET[gradient.itemsize]
    else:
        gradient[...] = np.nan


def is_unset(gradient: Array) -> bool:
    return array_module(gradient) is np and bool((bits(gradient) == UNSET[gradient.itemsize]).all())


def bits(x: np.ndarray) -> np.ndarray:
    return x.view(f"u{x.itemsize}")


UNSET = {2: 0x7E5C, 4: 0x7FC05CAE, 8: 0x7FF8000000005CAE}  # bits of a NaN, by the number of bytes


def take_over(layer: Layer, attribute: str, view: Array) -> None:
    """Copy what a layer holds under a name into the view of it, and give it the view."""
    found = getattr(layer, attribute, None)
    if found is None:
        raise OptionError(f"{layer.label()} has lost its {attribute}: it was set to None, or deleted")
    if shape_of(found) != view.shape:
        raise ShapeError(
            f"{layer.label()}: its {attribute} was set to an array of shape {shape_of(found)}, expected {view.shape}, as "
            f"{'its ' + attribute[1:] if attribute[1:] in layer.parameter_names else 'it was when the model was made'} has"
        )
    write_into(view, found, f"{layer.label()}: its {attribute}")
    setattr(layer, attribute, view)


def shape_of(values: Array) -> tuple[int, ...]:
    return tuple(getattr(values, "shape", ()))


def write_into(view: Array, values: Array, name: str) -> None:
    """Copy numbers into an array, wherever they lie."""
    if values is view:
        return
    if shape_of(values) not in ((), view.shape):
        raise ShapeError(f"{name} has shape {shape_of(values)}, expected {view.shape}")
    if hasattr(values, "dtype") and array_module(values) is not array_module(view):
        values = array_module(view).asarray(to_numpy(values))
    view[...] = values


def warn_of_equal_weights(model: FlatParameters) -> None:
    """Warn if the random weights of two layers begin with the same numbers, up to their scale, as one seed for both makes them."""
    drawn: list[tuple[str, tuple[int, ...], np.ndarray]] = []
    for name, layer, attribute in model.named_parameters():
        weights = getattr(layer, attribute)
        first = weights.reshape(-1)[:16] if array_module(weights) is np else np.zeros(0)
        if len(first) < 4 or not first.all() or (first == first[0]).all():  # not drawn: constant, as biases are
            continue
        for other, shape, begun in drawn:
            n = min(len(first), len(begun))
            copied = 1 in shape and weights.shape == shape[::-1]  # W and Wᵀ of a single unit
            if not copied and np.allclose(first[:n] / first[0], begun[:n] / begun[0], rtol=1e-4, atol=0):
                warnings.warn(
                    f"{other} and {name} begin with the same random numbers, as layers do that are made from one seed: give the "
                    "layers one generator: rng = numpy.random.default_rng(0); Dense(…, rng=rng)",
                    stacklevel=4,
                )
                return
        drawn.append((name, weights.shape, first))
