"""One denoiser for all noise levels, which makes new images out of noise."""

from __future__ import annotations

import numpy as np

from ..layers import ReLU
from ..losses import BCEWithLogits
from ..models import Diffusion, Model
from .dense import stack
from .preset import Preset, warm_cosine

LEVELS = 16


def diffusion(rng: np.random.Generator) -> Model:
    net = stack([784 + LEVELS, 512, 512, 784], ReLU, rng, last=None)
    return Diffusion(net, loss=BCEWithLogits(), levels=LEVELS)


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
