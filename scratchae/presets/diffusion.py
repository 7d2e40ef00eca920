"""One denoiser for all noise levels, which makes new images out of noise."""

from __future__ import annotations

import numpy as np

from ..errors import OptionError
from ..layers import ReLU
from ..losses import BCEWithLogits
from ..models import Diffusion, Model
from .dense import ROWS, stack
from .form import Form
from .preset import Preset, warm_cosine

LEVELS = 16


def diffusion(rng: np.random.Generator, form: Form = ROWS) -> Model:
    if form.code is not None:
        raise OptionError(f"--code {form.code}: diffusion has no code: choose its layers, --hidden 512,512")
    hidden = form.hidden or (512, 512)
    net = stack([form.features + LEVELS, *hidden, form.features], ReLU, rng, last=None)
    return Diffusion(net, loss=form.loss(BCEWithLogits()), levels=LEVELS)


PRESETS = (
    Preset(
        "diffusion",
        "800-512-512-784, ReLU, told the level of the noise: takes it away, at every level, and so makes new images of noise",
        diffusion,
        code=64,  # PCA's, which removes noise of 0.5 best with so many directions
        epochs=60,
        batch_size=128,
        lr=2e-3,
        optimizer=warm_cosine(),
    ),
)
