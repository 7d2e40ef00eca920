"""The weights that pages of the book show: they are of a network that was trained."""

import numpy as np

import scratchae as sae
from scratchae.presets import find_preset
from scratchae.tutorial import trained


def loss(model, x):
    return sae.BCEWithLogits()(model.decoder.forward(model.encoder.forward(x)), x)[0] / 784


def test_trained_weights_rebuild_digits_that_they_have_not_seen():
    preset = find_preset("conv-pool")
    x = preset.examples(None, None).test[:50]
    untrained, known = preset.build(np.random.default_rng(0)), trained("conv-pool")
    assert sum(array.size for array in (getattr(layer, name) for _, layer, name in known.named_parameters())) == 4385
    assert loss(known, x) < 0.25 < 0.5 < loss(untrained, x)
