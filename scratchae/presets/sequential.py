"""Autoencoders that read an image row by row, as a sequence of 28 steps, and write it back the same way."""

from __future__ import annotations

import numpy as np

from ..errors import OptionError
from ..layers import GRU, RNN, Dense, Sequential, Sigmoid, StepDense
from ..losses import MSE
from ..models import Model, SequenceAutoencoder
from .form import Form
from .preset import Preset, warm_cosine

SEQUENCE = Form((28, 28))


def row_by_row(
    kind: type[RNN | GRU], rng: np.random.Generator, form: Form, *, teacher_forcing: bool = False
) -> Model:
    """28 rows of 28 pixels to a state of 128, a code of 32, and back."""
    steps, features = form.shape
    if form.hidden is not None and len(form.hidden) != 1:
        raise OptionError(
            f"--hidden {','.join(map(str, form.hidden))}: a sequence preset has one state: choose its size, --hidden 128"
        )
    (hidden,), code = form.hidden or (128,), form.code or 32
    before = features if teacher_forcing else 0
    encoder = Sequential(kind(features, hidden, last=True, rng=rng), Dense(hidden, code, rng=rng))
    decoder = Sequential(
        kind(before + code, hidden, rng=rng), StepDense(hidden, features, rng=rng), *form.end(Sigmoid())
    )
    return SequenceAutoencoder(encoder, decoder, shape=(steps, features), loss=MSE(), teacher_forcing=teacher_forcing)


def sequence(rng: np.random.Generator, form: Form = SEQUENCE) -> Model:
    return row_by_row(RNN, rng, form)


def sequence_gru(rng: np.random.Generator, form: Form = SEQUENCE) -> Model:
    return row_by_row(GRU, rng, form)


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
)
