"""Gaussian losses: against the density itself, and by what they find."""

import numpy as np
import pytest

from scratchae import Gaussian, LearnedGaussian
from scratchae.errors import OptionError, ShapeError

rng = np.random.default_rng(0)
p, t = rng.normal(size=(2, 7, 4))


def density(t, mean, variance):
    return np.exp(-((t - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)


def test_minus_the_log_density():
    value, _ = Gaussian(0.3)(p, t)
    assert value == pytest.approx(-np.log(density(t, p, 0.3)).sum() / 7)
    log_var = rng.normal(size=(7, 4))
    value, _ = LearnedGaussian()(np.concatenate([p, log_var], axis=1), t)
    assert value == pytest.approx(-np.log(density(t, p, np.exp(log_var))).sum() / 7)
    np.testing.assert_array_equal(LearnedGaussian().mean(np.concatenate([p, log_var], axis=1)), p)
    np.testing.assert_allclose(LearnedGaussian().deviation(np.concatenate([p, log_var], axis=1)), np.exp(log_var / 2))


def test_a_unit_variance_is_half_the_squared_error():
    value, dp = Gaussian()(p, t)
    assert value == pytest.approx(((p - t) ** 2).sum() / 14 + 2 * np.log(2 * np.pi))
    np.testing.assert_allclose(dp, (p - t) / 7)


def test_the_variance_has_a_floor():
    loss = LearnedGaussian(least=-2.0)
    prediction = np.concatenate([t, np.full_like(t, -30)], axis=1)
    value, dprediction = loss(prediction, t)
    assert value == pytest.approx(4 * (np.log(2 * np.pi) - 2) / 2)
    assert not dprediction[:, 4:].any()


def test_images_have_both_numbers_in_their_channels():
    images = rng.normal(size=(2, 3, 3, 2)).astype(np.float32)
    value, gradient = LearnedGaussian()(images, images[..., :1])
    assert gradient.shape == images.shape and gradient.dtype == np.float32
    assert value == pytest.approx((images[..., 1] + np.log(2 * np.pi)).sum() / 4, rel=1e-5)


def test_what_is_refused():
    with pytest.raises(ShapeError, match=r"two numbers for each of the target.*\(…, 8\)"):
        LearnedGaussian()(p, t)
    with pytest.raises(OptionError, match="0 < variance"):
        Gaussian(0)
