"""The weights that PyTorch or Keras has trained, for a model here. The way back is export.py, which says how the two lay out theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..arguments import choice, refuse
from ..errors import ArrayTypeError, CheckpointError, DataError, OptionError, ShapeError, printable
from ..layers import Conv2d, ConvTranspose2d, Dense, Flatten, Layer, Reshape
from ..layers.normalization import BatchNorm
from ..models import Model
from ..models.parameters import write_into
from ..training.container import require_readable
from ..training.inputs import require_model
from .export import arranged

KERAS = {"W": "kernel", "b": "bias", "running_mean": "moving_mean", "running_var": "moving_variance"}
ALIKE = (Dense, Conv2d, ConvTranspose2d, BatchNorm)  # layers whose arrays Keras lays out as they are here
COUNT = "num_batches_tracked"  # PyTorch's own, of which there is nothing here
Place = tuple[str, Layer, str, np.ndarray]


def load_weights(
    model: Model,
    source: str | Path | Mapping[str, Any] | Sequence[Any],
    layout: str = "torch",
    *,
    x: np.ndarray | None = None,
) -> None:
    """Give the model the weights of a network of the same layers that PyTorch or Keras has trained.

    source: a safetensors or `.npz` file, a dict of arrays by name, such as `module.state_dict()`, or a list of arrays.

    layout="torch": names as in a state dict, `encoder.0.weight`, where the module's `encoder` and `decoder` are `nn.Sequential`s of the same layers.
    Where images are flattened, PyTorch has them channels first: then x, an example (1, H, W, C), tells their shape.
    layout="keras": names are `encoder.0.kernel`; or arrays without these names stand in the order of `keras_model.get_weights()`, in a
    list, or in the file that `numpy.savez(file, *keras_model.get_weights())` wrote. What is no weight has to be the same in both: the eps
    of Keras's BatchNormalization is 1e-3 unless it is told another, and the one here 1e-5.

    Raises CheckpointError for a file that is none and for names that do not fit, ShapeError for shapes, DataError for NaN; the model is then as before.
    """
    require_model("load_weights", model)
    choice("load_weights", "layout", layout, ("torch", "keras"))
    places = list(torch_places(model, x) if layout == "torch" else keras_places(model))
    given, called = read(source)
    if layout == "keras" and not set(given) >= {name for name, *_ in places}:
        given = in_order(given, places, called)
    missing = [name for name, *_ in places if name not in given]
    unknown = [name for name in given if name not in {name for name, *_ in places} and not name.endswith(COUNT)]
    if missing or unknown:
        wrong = f"it has no {missing[0]}" if missing else f"the model has no place for its {unknown[0]}"
        raise CheckpointError(
            f"{called} does not fit {type(model).__name__}: {wrong}; it holds {listed(given)}, and the model takes "
            f"{listed([name for name, *_ in places])}: give a dict with these names, {{name: array}}"
        )
    written = {}
    for name, layer, attribute, where in places:
        array = usable(given[name], f"{called}: {name}")
        if array.shape != where.shape:
            raise ShapeError(
                f"{called}: {name} has shape {array.shape}, and {layer.label()} takes {where.shape} there: build the model in the sizes of "
                f"the network that was trained{turned(array, where, layout)}"
            )
        ours = np.empty(where.size, array.dtype)
        ours[where.ravel()] = array.ravel()
        written[id(layer), attribute] = ours.reshape(getattr(layer, attribute).shape)
    for encoding, decoding in getattr(model, "tied_pairs", ()):
        if not np.array_equal(written.pop((id(decoding), "W")), written[id(encoding), "W"].T):
            raise CheckpointError(
                f"{called}: {decoding.label()} uses the W of {encoding.label()}, transposed (tied=True), and was given another: build the "
                "model with tied=False"
            )
    model.take_parameters()  # layers hold their views
    for _, layer, attribute, _ in places:
        if (id(layer), attribute) in written:
            write_into(getattr(layer, attribute), written[id(layer), attribute], attribute)


def torch_places(model: Model, x: np.ndarray | None) -> Iterator[Place]:
    """PyTorch's name of each parameter and buffer, whose it is, and, in the shape that it has there, the places of its numbers here."""
    if x is None and any(isinstance(layer, Flatten | Reshape) for _, layer in model.leaves()):
        raise OptionError(
            "load_weights(layout='torch'): the model flattens images, whose numbers PyTorch has in another order: give an example, "
            "x=images[:1]"
        )
    yield from arranged(model, x, numbered)


def keras_places(model: Model) -> Iterator[Place]:
    """The same for Keras, whose arrays stand as they do here."""
    for name, layer in model.leaves():
        for attribute in (*layer.parameter_names, *layer.buffer_names):
            if not isinstance(layer, ALIKE):
                raise OptionError(
                    f"load_weights(layout='keras'): {layer.label()} has parameters that Keras does not lay out in this way; "
                    f"{', '.join(kind.__name__ for kind in ALIKE)} can be loaded"
                )
            yield f"{name}.{KERAS.get(attribute, attribute)}", layer, attribute, numbered(layer, attribute)


def numbered(layer: Layer, attribute: str) -> np.ndarray:
    """The place of each number of a parameter."""
    parameter = getattr(layer, attribute)
    return np.arange(parameter.size).reshape(parameter.shape)


def read(source: Any) -> tuple[dict[str, Any], str]:
    """Arrays by name, and how to call where they come from. Raises CheckpointError."""
    if isinstance(source, Mapping):
        return {str(name): array for name, array in source.items()}, "source"
    if isinstance(source, list | tuple):
        return {f"arr_{i}": array for i, array in enumerate(source)}, "source"
    if not isinstance(source, str | Path):
        refuse("load_weights", "source", source, "the path of a file, a dict of arrays by name, or a list of arrays")
    require_readable(source)
    try:
        if Path(source).suffix.lower() == ".npz":
            with np.load(source, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}, str(source)
        from safetensors.numpy import load_file

        return load_file(source), str(source)
    except Exception as error:  # of many kinds, for a file that may be anything
        raise CheckpointError(
            f"{source} cannot be read as safetensors or .npz ({printable(error)}): in PyTorch write "
            "safetensors.torch.save_file(module.state_dict(), 'file.safetensors'), for Keras numpy.savez('file.npz', *model.get_weights())"
        ) from None


def in_order(given: dict[str, Any], places: list[Place], called: str) -> dict[str, Any]:
    """Arrays that stand in Keras's order, by our names. Raises CheckpointError if their number is another, or the file keeps no order."""
    if len(given) != len(places) or called.endswith(".safetensors"):
        what = f"it holds {len(given)} arrays, {listed(given)}"
        raise CheckpointError(
            f"{called} does not fit the model, which takes {len(places)}, {listed([name for name, *_ in places])}: {what}; give them these names, or "
            "the list of keras_model.get_weights()"
        )
    return dict(zip([name for name, *_ in places], given.values(), strict=True))


def usable(array: Any, name: str) -> np.ndarray:
    """As floats on the host. Raises ArrayTypeError and DataError."""
    try:
        array = np.asarray(array)
    except Exception as error:  # of whatever library made it
        raise ArrayTypeError(
            f"{name} is a {type(array).__name__} that NumPy cannot read ({printable(error)})"
        ) from None
    if array.dtype.kind != "f":
        raise ArrayTypeError(f"{name} holds {array.dtype}: expected floats")
    if not np.isfinite(array).all():
        raise DataError(f"{name} holds NaN or infinity: the network was not trained well")
    return array


def turned(array: np.ndarray, where: np.ndarray, layout: str) -> str:
    """A guess, if only the axes stand in another order."""
    other = "keras" if layout == "torch" else "torch"
    axes_only = sorted(array.shape) == sorted(where.shape) and array.ndim > 1
    return f", or say layout={other!r} if it comes from there" if axes_only else ""


def listed(names: Any) -> str:
    names = [printable(name) for name in names]
    return ", ".join(names[:4]) + ", …" * (len(names) > 4) if names else "nothing"
