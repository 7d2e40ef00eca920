"""Autoencoders that read an image row by row, as a sequence of 28 steps, and write it back the same way."""

from __future__ import annotations

import numpy as np

from ..layers import GRU, RNN, Dense, Sequential, Sigmoid, StepDense
from ..losses import MSE
from ..models import Model, SequenceAutoencoder
from .preset import Preset, warm_cosine


def row_by_row(kind: type[RNN | GRU], rng: np.random.Generator, *, teacher_forcing: bool = False) -> Model:
    """28 rows of 28 pixels to a state of 128, a code of 32, and back."""
    before = 28 if teacher_forcing else 0
    encoder = Sequential(kind(28, 128, last=True, rng=rng), Dense(128, 32, rng=rng))
    decoder = Sequential(kind(before + 32, 128, rng=rng), StepDense(128, 28, rng=rng), Sigmoid())
    return SequenceAutoencoder(encoder, decoder, shape=(28, 28), loss=MSE(), teacher_forcing=teacher_forcing)


PRESETS = (
    Preset(
        "sequence",
        "an image read row by row: RNN 28-128, a code of 32, RNN 32-128 that writes 28 rows back",
        lambda rng: row_by_row(RNN, rng),
        code=32,
        epochs=10,
        batch_size=128,
        lr=3e-3,
        # back through 28 steps a gradient may grow, and one step with it would undo many
        optimizer=warm_cosine(clip_norm=1.0),
        shape=(28, 28),
    ),
    Preset(
        "sequence-gru",
        "the same with GRUs, whose gates let state and gradient pass many steps",
        lambda rng: row_by_row(GRU, rng),
        code=32,
        epochs=10,
        batch_size=128,
        lr=3e-3,
        optimizer=warm_cosine(clip_norm=1.0),
        shape=(28, 28),
    ),
)
