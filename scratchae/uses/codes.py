"""Codes of examples, and examples of codes: rebuilt, drawn anew, between two others, and along one number of the code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import whole
from ..backend import array_module, to_numpy
from ..errors import OptionError, ShapeError
from ..models import CVAE, RBM, VAE, Model

ROWS = 250  # examples at a time: the arrays that layers keep for all of them may not fit into memory


def in_batches(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """function(x), some examples at a time, on the host. Of no examples it makes none."""
    if not len(x):
        return to_numpy(function(x))
    return np.concatenate([to_numpy(function(x[i : i + ROWS])) for i in range(0, len(x), ROWS)])


def on_device(model: Model, x: np.ndarray) -> Any:
    """x where the model is, in its dtype."""
    θ = model.parameters
    return array_module(θ).asarray(x).astype(θ.dtype)


def rebuild(model: Model, x: np.ndarray) -> np.ndarray:
    """What the model makes of each example, in the data's units; of a model that is told the class, without the class."""
    return in_batches(lambda batch: model.reconstruct(on_device(model, batch)), x)


def encode(model: Model, x: np.ndarray) -> np.ndarray:
    """The codes of x as rows (N, D)."""
    return in_batches(lambda batch: model.encode(on_device(model, batch)), x).reshape(len(x), -1)


def decode(model: Model, z: np.ndarray, like: np.ndarray) -> np.ndarray:
    """The examples that codes (N, D) stand for. like: an example (1, …), which tells the code's own shape, and the class for a model
    that is told one.
    """
    shape = model.encode(on_device(model, like)).shape[1:]
    z = on_device(model, z).reshape(len(z), *shape)
    if isinstance(model, CVAE):
        told = on_device(model, like)[:, -model.labels :]
        return in_batches(lambda batch: model.decode(batch, told), z)
    return in_batches(model.decode, z)


def generate(model: Model, n: int, rng: int | np.random.Generator | None = None) -> np.ndarray:
    """n new examples. Raises OptionError for a model that has not learned how codes are distributed."""
    if not isinstance(model, VAE | RBM):
        raise OptionError(
            f"{type(model).__name__} cannot generate: it has learned codes of the examples, but not which codes are probable; a "
            "variational autoencoder has (presets vae, vae-2d, vae-400, vae-conv, beta-vae, cvae, vae-binary), and an RBM (rbm)"
        )
    return to_numpy(model.sample(whole("generate", "n", n), rng=rng))


def interpolate(model: Model, first: np.ndarray, last: np.ndarray, steps: int = 10) -> np.ndarray:
    """From each example (N, …) to its partner, along the line between their codes: (N, steps, …). Its ends are the two rebuilt."""
    steps = whole("interpolate", "steps", steps, least=2)
    if first.shape != last.shape:
        raise ShapeError(f"interpolate: first has shape {first.shape}, last {last.shape}: they must be equal")
    t = np.linspace(0, 1, steps)[:, None]
    ends = zip(encode(model, first), encode(model, last), first, strict=True)
    return np.stack([decode(model, (1 - t) * a + t * b, one[None]) for a, b, one in ends])


def traverse(
    model: Model, x: np.ndarray, one: np.ndarray, steps: int = 9, units: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each number of the code does: from an example (1, …), one number goes from its 1st to its 99th percentile among the codes of
    x, and all others stay. Returns the examples (units, steps, …), which numbers they are of, (units,), those that change the
    output most first, and the values (units, steps).
    """
    z, here = encode(model, x), encode(model, one)
    low, high = np.percentile(z, [1, 99], axis=0)
    values = low + np.linspace(0, 1, whole("traverse", "steps", steps, least=2))[:, None] * (high - low)  # (steps, D)
    ends = np.repeat(
        here, 2 * here.shape[1], axis=0
    )  # to find the numbers that matter, all are moved from end to end
    for unit in range(here.shape[1]):
        ends[2 * unit, unit], ends[2 * unit + 1, unit] = low[unit], high[unit]
    made = decode(model, ends, one)
    moved = ((made[1::2] - made[::2]) ** 2).reshape(here.shape[1], -1).sum(axis=1)
    chosen = np.argsort(-moved, kind="stable")[: whole("traverse", "units", units)]
    rows = []
    for unit in chosen:
        along = np.repeat(here, steps, axis=0)
        along[:, unit] = values[:, unit]
        rows.append(decode(model, along, one))
    return np.stack(rows), chosen, values[:, chosen].T
