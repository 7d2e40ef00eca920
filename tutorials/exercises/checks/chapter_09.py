"""The checks of the exercises of chapter 09."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from scratchae.tutorial.answers import equal, gradients

from .tools import normal


def masking_noise(module: ModuleType) -> list[str]:
    facts = [gradients(module.MaskingNoise(0.4), normal(6, 5))]
    layer, x, dy = module.MaskingNoise(0.4), normal(6, 5), normal(6, 5, seed=1)
    layer.forward(x, np.random.default_rng(0))
    layer.forward(x)
    return [*facts, equal("dx in inference", layer.backward(dy.copy()), dy)]


CHECKS = {
    "09_masking_noise": masking_noise,
}
