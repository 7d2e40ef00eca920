"""What `fit` remarks on, and what it does not."""

import warnings

import numpy as np
import pytest

from scratchae import BCE, MSE, VAE, Adam, Autoencoder, BCEWithLogits, Dense, ReLU, Sequential, Sigmoid, Tanh, fit
from scratchae.errors import OptionError
from scratchae.presets import PRESETS

rng = np.random.default_rng(0)
UNIT = rng.random((64, 10), dtype=np.float32)


def net(*last, loss=None, dtype=None):
    rng = np.random.default_rng(1)
    model = Autoencoder(
        Sequential(Dense(10, 4, rng=rng), ReLU()), Sequential(Dense(4, 10, rng=rng), *last), loss=loss or MSE()
    )
    return model.to(dtype=dtype) if dtype else model


def remarked(model, x, epochs=1):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, x, epochs=epochs, batch_size=16, optimizer=Adam(1e-3), progress=False)
    return [str(each.message) for each in caught]


@pytest.mark.parametrize(
    ("model", "x", "words"),
    [
        (lambda: net(Sigmoid()), (UNIT - 0.5) / 0.29, "ends with Sigmoid.*from 0 to 1, and x lies in"),
        (lambda: net(ReLU()), UNIT - 0.5, "ends with ReLU.*from 0 to inf"),
        (lambda: net(Tanh()), UNIT * 4, "ends with Tanh.*from -1 to 1"),
        (lambda: net(Sigmoid(), loss=BCEWithLogits()), UNIT, "BCEWithLogits applies a sigmoid.*use BCE"),
        (lambda: net(ReLU(), loss=BCEWithLogits()), UNIT, "leave ReLU"),
        (lambda: net(), UNIT * np.float32(255), "x reaches 255.*x / 255"),
        (lambda: net(), UNIT * np.geomspace(1e-3, 1e3, 10, dtype=np.float32), "deviations from .* to .*largest"),
        (lambda: net(), (UNIT - 0.5) * np.float32(1e4), "mean"),
    ],
)
def test_what_is_probably_not_meant_is_said_once(model, x, words):
    import re

    (said,) = remarked(model(), x.astype(np.float32))
    assert re.search(words, said)


@pytest.mark.parametrize(
    "model",
    [
        lambda: net(),
        lambda: net(Sigmoid()),
        lambda: net(Sigmoid(), loss=BCE()),
        lambda: net(loss=BCEWithLogits()),
        lambda: net(Tanh()),
    ],
)
def test_what_is_meant_is_not_remarked_on(model):
    assert remarked(model(), UNIT) == []


def test_half_precision():
    """Adam would divide by 0."""
    with pytest.raises(OptionError, match="float16"):
        net(dtype="float16")


def test_a_code_that_is_not_used():
    rng = np.random.default_rng(0)
    heads = Dense(4, 2, rng=rng), Dense(4, 2, rng=rng)
    model = VAE(Sequential(Dense(10, 4, rng=rng)), *heads, Sequential(Dense(2, 10, rng=rng)), loss=MSE(), beta=500.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, UNIT, epochs=300, batch_size=64, optimizer=Adam(0.02), progress=False)
    (said,) = [str(each.message) for each in caught]
    assert "the code is not used" in said and "Warmup" in said


@pytest.mark.parametrize(
    "name", [name for name, preset in PRESETS.items() if preset.shape == (784,) and not preset.synthetic]
)
def test_presets_are_as_they_are_meant(name):
    from scratchae.data import strokes
    from scratchae.training.remarks import remarks

    x = strokes(60, 10).train_images.reshape(60, -1) / np.float32(255)
    assert remarks(PRESETS[name].build(np.random.default_rng(0)), x) == []
