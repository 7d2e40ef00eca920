"""What can be wrong with data is told before training."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from ..arguments import refuse
from ..backend import Array, require_array, to_numpy, way_to_floats, what_it_holds
from ..errors import ArrayTypeError, DataError, OptionError, ShapeError
from ..models import Model


def prepared(x: Array, name: str, model: Model) -> np.ndarray:
    """x as a NumPy array in the model's dtype. Raises an error unless it holds finite floats, in at least a row."""
    if isinstance(x, list | tuple) and len({np.shape(each) for each in x if hasattr(each, "shape")}) > 1:
        raise ArrayTypeError(
            f"{name} is a {type(x).__name__} of arrays of several shapes: expected one array; scratchae.padded({name}, padding) makes "
            "one of sequences, for layers with the same padding"
        )
    require_array(x, name)
    holds = what_it_holds(x)
    if x.ndim < 2 or x.size == 0:
        raise DataError(f"{name} has shape {x.shape}: expected (N, …) with at least one example")
    if x.dtype.kind != "f" or holds != str(x.dtype):
        high = f", max {x.max()}" if x.dtype.kind in "iub" else ""
        raise ArrayTypeError(f"{name} holds {holds}{high}: expected floats; {way_to_floats(x, name)}")
    x = to_numpy(x)
    with np.errstate(over="ignore"):
        x = x.astype(model.parameters.dtype, copy=False)
    finite = np.isfinite(x.reshape(len(x), -1)).all(axis=1)
    if not finite.all():
        rows = np.flatnonzero(~finite)
        raise DataError(
            f"{name} holds NaN or infinity in {len(rows)} of {len(x)} rows, first in row {rows[0]}: repair or remove them"
        )
    return x


def require_model(call: str, model: Model) -> Model:
    """The model. Raises OptionError for anything else."""
    if not isinstance(model, Model):
        refuse(call, "model", model, "a model, such as Autoencoder(encoder, decoder, loss=MSE())")
    return model


def require_same(x: Any, target: Any) -> None:
    """Raise OptionError for a target that is not x."""
    shape = getattr(target, "shape", None)
    same = shape is not None and shape == getattr(x, "shape", None) and np.array_equal(to_numpy(target), to_numpy(x))
    if target is None or target is x or same:
        return
    raise OptionError(
        "fit(model, x, target): a model here learns to make x itself, and target is something else. To remove noise, give clean x, and "
        "begin the encoder with a layer of noise: GaussianNoise, MaskingNoise or SaltAndPepper. To learn from pairs, put each x and its "
        "target side by side in one row, and write a model that takes them apart: help(scratchae.Model) has it, in ten lines"
    )


def fingerprint(x: np.ndarray | None) -> int | None:
    """A number that tells whether data are the same as when training began."""
    return None if x is None else zlib.crc32(np.ascontiguousarray(x))


def prepared_both(x: Array, validation: Array | None, model: Model) -> tuple[np.ndarray, np.ndarray | None]:
    """Training and validation data as NumPy arrays in the model's dtype. Raises an error unless the model can be trained on both."""
    x = prepared(x, "x", model)
    if validation is not None:
        validation = prepared(validation, "validation", model)
        if validation.shape[1:] != x.shape[1:]:
            raise ShapeError(f"validation has examples of shape {validation.shape[1:]}, x of {x.shape[1:]}")
    model.to("cpu")
    model.check_training(x)
    if validation is not None:
        model.check_data(validation)
    return x, validation
