"""What is probably not meant, though it can be computed: sentences that `fit` warns with, once."""

from __future__ import annotations

import numpy as np

from ..layers import ReLU, Sigmoid, Softplus, Tanh
from ..losses import BCEWithLogits
from ..models import CVAE, Model
from .history import History

RANGES = {Sigmoid: (0.0, 1.0), Tanh: (-1.0, 1.0), ReLU: (0.0, np.inf), Softplus: (0.0, np.inf)}
OUTSIDE = 1e-3  # the share of numbers outside of a range that is no accident
FAR = 1000.0  # how many times the deviation of one column may be that of another
NEAR = 100.0  # numbers that are larger than this make steps of the usual size too small or too large
UNUSED = 0.01  # nats: with as small a KL term the code says nothing about the example


def remarks(model: Model, x: np.ndarray) -> list[str]:
    """What seems wrong with a model for data x (N, …), a sentence or two each; nothing for most. One that follows from another is left
    out.
    """
    said = []
    if model.parameters.dtype == np.float16:
        said.append(
            "the model computes in float16, whose smallest step near 1 is 0.001, and in which Adam's eps of 1e-8 is 0: "
            "train in float32, model.to(dtype='float32')"
        )
    last, loss = last_layer(model), getattr(model, "loss", None)
    if isinstance(loss, BCEWithLogits) and type(last) in RANGES:
        said.append(
            f"the decoder ends with {last!r}, and BCEWithLogits applies a sigmoid to what it makes: leave {last!r} out, or use BCE()"
            + ("" if isinstance(last, Sigmoid) else " behind a Sigmoid()")
        )
    elif type(last) in RANGES:
        low, high = RANGES[type(last)]
        share = float(((x < low) | (x > high)).mean())
        if share > OUTSIDE:
            said.append(
                f"the decoder ends with {last!r}, which makes numbers from {low:g} to {high:g}, and x lies in [{x.min():.3g}, {x.max():.3g}]: "
                f"{share:.1%} of it can never be reached; scale x, or let the decoder end with its Dense layer"
            )
    return said or scale(x)


def scale(x: np.ndarray) -> list[str]:
    """What seems wrong with the scale of data."""
    largest = float(np.abs(x).max())
    if largest <= NEAR:
        return []
    what = f"x reaches {largest:.3g}"
    if x.ndim == 2:
        deviations = x.std(axis=0, dtype=np.float64)
        small, large = (float(f(deviations[deviations > 0], initial=largest)) for f in (np.min, np.max))
        if large > FAR * small:
            what = f"the columns of x have deviations from {small:.2g} to {large:.2g}, and the squared error sees little but the largest"
    hint = "x / 255" if largest <= 255 and x.min() >= 0 else "(x - x.mean(axis=0)) / x.std(axis=0)"
    return [f"{what}: networks learn well from numbers near 1; scale the data, such as {hint}"]


def last_layer(model: Model) -> object:
    """The last layer of the decoder; None if there is no decoder."""
    decoder = getattr(model, "decoder", None)
    return None if decoder is None else [layer for _, layer in decoder.leaves()][-1]


def unused_code(model: Model, history: History | dict[str, list[float]]) -> str | None:
    """A sentence, if a variational model was trained to ignore its code. One that is told the class may need no more."""
    if "kl" not in history or isinstance(model, CVAE) or not len(history) or history["kl"][-1] > UNUSED:
        return None
    return (
        f"the code is not used: its KL term has come down to {history['kl'][-1]:.2g} nats in all, so that every example gets the same code. Try a "
        "smaller beta, beta=Warmup(steps), free_bits=0.1, or a lower learning rate"
    )
