"""Autoencoders that read an image row by row, as a sequence of 28 steps, and write it back the same way."""

from __future__ import annotations

import math

import numpy as np

from ..errors import OptionError, ShapeError
from ..layers import GRU, RNN, Attention, Dense, Sequential, Sigmoid, StepDense
from ..losses import MSE
from ..models import Model, SequenceAutoencoder
from .form import Form
from .preset import Preset, warm_cosine

SEQUENCE = Form((28, 28))


def row_by_row(
    kind: type[RNN | GRU], rng: np.random.Generator, form: Form, *, teacher_forcing: bool = False
) -> Model:
    """28 rows of 28 pixels to a state of 128, a code of 32, and back."""
    (_, features), (hidden, code) = form.shape, sizes(form)
    before = features if teacher_forcing else 0
    encoder = Sequential(kind(features, hidden, last=True, rng=rng), Dense(hidden, code, rng=rng))
    decoder = Sequential(
        kind(before + code, hidden, rng=rng), StepDense(hidden, features, rng=rng), *form.end(Sigmoid())
    )
    return SequenceAutoencoder(encoder, decoder, shape=form.shape, loss=MSE(), teacher_forcing=teacher_forcing)


def sizes(form: Form) -> tuple[int, int]:
    """Those of the state and of the code. Raises ShapeError unless examples are rows of numbers, OptionError for several states."""
    if len(form.shape) != 2:
        raise ShapeError(
            f"a sequence preset reads examples of several rows, (T, D), got examples of shape {form.shape}: reshape each, "
            "or take a preset for rows of a table, such as deep"
        )
    if form.hidden is not None and len(form.hidden) != 1:
        raise OptionError(
            f"--hidden {','.join(map(str, form.hidden))}: a sequence preset has one state: choose its size, --hidden 128"
        )
    return (form.hidden or (128,))[0], form.code or 32


def sequence(rng: np.random.Generator, form: Form = SEQUENCE) -> Model:
    return row_by_row(RNN, rng, form)


def sequence_gru(rng: np.random.Generator, form: Form = SEQUENCE) -> Model:
    return row_by_row(GRU, rng, form)


def sequence_attention(rng: np.random.Generator, form: Form = SEQUENCE) -> Model:
    """The code's numbers as vectors of 4 (or of 2 or 1, where 4 does not divide them), which queries read from all states."""
    (steps, features), (hidden, code) = form.shape, sizes(form)
    vector, context = math.gcd(code, 4), -(-hidden // 2)
    encoder = Sequential(GRU(features, hidden, rng=rng), Attention(code // vector, hidden, vector, rng=rng))
    decoder = Sequential(
        Attention(steps, vector, context, rng=rng),
        GRU(context, hidden, rng=rng),
        StepDense(hidden, features, rng=rng),
        *form.end(Sigmoid()),
    )
    return SequenceAutoencoder(encoder, decoder, shape=form.shape, loss=MSE())


RECIPE = {
    "code": 32,
    "epochs": 10,
    "batch_size": 128,
    "lr": 3e-3,
    # back through 28 steps a gradient may grow, and one step with it would undo many
    "optimizer": warm_cosine(clip_norm=1.0),
    "shape": (28, 28),
}
PRESETS = (
    Preset(
        "sequence",
        "an image read row by row: RNN 28-128, a code of 32, RNN 32-128 that writes 28 rows back",
        sequence,
        **RECIPE,
    ),
    Preset(
        "sequence-gru",
        "the same with GRUs, whose gates let state and gradient pass many steps",
        sequence_gru,
        **RECIPE,
    ),
    Preset(
        "sequence-attention",
        "as sequence-gru, with a code of 8 vectors of 4 that attention reads from all states, and from which it writes each row",
        sequence_attention,
        **RECIPE,
    ),
)
