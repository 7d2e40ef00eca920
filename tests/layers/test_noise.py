"""Noise acts in training only; its rates are those asked for, and backward follows what was drawn."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from scratchae import Dropout, GaussianNoise, MaskingNoise, SaltAndPepper
from scratchae.backend import to_numpy
from scratchae.errors import OptionError

SHAPE = (400, 250)
N = 400 * 250

NOISES = [Dropout(0.3), MaskingNoise(0.3), SaltAndPepper(0.3), GaussianNoise(0.3), GaussianNoise(0.3, (0, 1))]
every_noise = pytest.mark.parametrize("layer", NOISES, ids=repr)


def near(share, expected, n=N):
    """Whether the share of n independent draws is within 5 standard deviations of the expected one."""
    return abs(share - expected) <= 5 * math.sqrt(expected * (1 - expected) / n)


@pytest.fixture
def draw(xp):
    """Forward in training of a layer on a constant x, as a NumPy array."""

    def forward(layer, value=1.0, seed=42):
        x = xp.full(SHAPE, value, dtype=np.float32)
        return to_numpy(layer.forward(x, xp.random.default_rng(seed)))

    return forward


@every_noise
def test_without_rng_nothing_happens(layer, device, to_device):
    x = to_device(np.array([[-3.0, 0.5, 7.0]], np.float32))
    dy = to_device(np.ones((1, 3), np.float32))
    assert layer.forward(x) is x and layer.backward(dy) is dy


@every_noise
def test_inference_after_training_forgets_the_noise(layer, draw, device, to_device):
    draw(layer)
    x = to_device(np.array([[-3.0, 0.5, 7.0]], np.float32))
    assert layer.forward(x) is x and layer.backward(x) is x


@every_noise
def test_draws_come_from_the_rng(layer, draw):
    first = draw(layer, 0.5)
    assert_array_equal(draw(layer, 0.5), first)
    other = draw(layer, 0.5, seed=43)
    assert np.mean(other != first) > 0.2


@every_noise
def test_training_without_noise_is_the_identity(layer, draw):
    """Rate 0 and standard deviation 0 are allowed and do nothing."""
    assert_array_equal(draw(type(layer)(0.0), 0.25), 0.25)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_rate_and_mean(draw, rate):
    y = draw(Dropout(rate), 2.0)
    assert_allclose(np.unique(y), [0, 2 / (1 - rate)], rtol=1e-6)
    assert near(np.mean(y == 0), rate)
    # E[y] = x: the variance of one y is x² rate / (1 - rate)
    assert abs(y.mean(dtype=np.float64) - 2) <= 5 * 2 * math.sqrt(rate / (1 - rate) / N)


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_masking_rate(draw, rate):
    y = draw(MaskingNoise(rate), 2.0)
    assert set(np.unique(y)) <= {0.0, 2.0}  # nothing is rescaled
    assert near(np.mean(y == 0), rate)


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_salt_and_pepper_rates(draw, rate):
    y = draw(SaltAndPepper(rate), 0.25)
    assert set(np.unique(y)) <= {0.0, 0.25, 1.0}
    assert near(np.mean(y == 0), rate / 2)
    assert near(np.mean(y == 1), rate / 2)


@pytest.mark.parametrize("std", [0.1, 2.0])
def test_gaussian_noise_mean_std_and_shape(draw, std):
    ε = (draw(GaussianNoise(std), 1.0).astype(np.float64) - 1) / std
    assert abs(ε.mean()) <= 5 / math.sqrt(N)
    assert abs(ε.std() - 1) <= 5 / math.sqrt(2 * N)
    assert near(np.mean(np.abs(ε) < 1), 0.682689)


def test_clip(draw):
    layer = GaussianNoise(0.5, clip=(0, 1))
    y = draw(layer, 0.5)
    assert y.min() == 0 and y.max() == 1
    assert near(np.mean(y == 0), 0.158655) and near(np.mean(y == 1), 0.158655)  # P(ε < -1)


def test_draws_of_different_places_are_independent(draw):
    """A mask shared by rows or columns would have the right rates, and be wrong."""
    for layer in (Dropout(0.5), SaltAndPepper(0.5), GaussianNoise(1.0)):
        y = draw(layer, 0.25).astype(np.float64)
        y = (y - y.mean()) / y.std()
        for a, b in ((y[:, 1:], y[:, :-1]), (y[1:], y[:-1])):
            assert abs(np.mean(a * b)) <= 5 / math.sqrt(a.size)


@pytest.mark.parametrize("layer", [Dropout(0.4), MaskingNoise(0.4)], ids=repr)
def test_backward_uses_the_mask_that_was_drawn(layer, draw, device, xp):
    y = draw(layer, 1.0)  # of ones: y is the mask, with its scale
    dy = xp.full(SHAPE, 3.0, dtype=np.float32)
    assert_allclose(to_numpy(layer.backward(dy)), 3 * y, rtol=1e-6)
    assert_array_equal(to_numpy(layer.mask), y)


def test_backward_of_salt_and_pepper_passes_what_was_kept(draw, xp):
    layer = SaltAndPepper(0.4)
    y = draw(layer, 0.25)
    dx = to_numpy(layer.backward(xp.full(SHAPE, 3.0, dtype=np.float32)))
    assert_array_equal(dx, 3.0 * (y == 0.25))
    assert_array_equal(to_numpy(layer.salt), y == 1)


def test_backward_of_gaussian_noise(draw, xp):
    dy = xp.full(SHAPE, 3.0, dtype=np.float32)
    layer = GaussianNoise(0.5)
    y = draw(layer, 0.5)
    assert layer.backward(dy) is dy
    assert_allclose(0.5 + 0.5 * to_numpy(layer.noise), y, rtol=0, atol=1e-6)
    layer = GaussianNoise(0.5, clip=(0, 1))
    y = draw(layer, 0.5)
    assert_array_equal(to_numpy(layer.backward(dy)), 3.0 * ((y > 0) & (y < 1)))


def test_noise_can_be_injected(device, xp):
    """Any object with `random` and `standard_normal` serves as rng."""

    class Fixed:
        def random(self, size, dtype):
            return xp.asarray(np.array([[0.1, 0.3, 0.5, 0.9]], dtype))

        def standard_normal(self, size, dtype):
            return xp.asarray(np.array([[-1, 0, 1, 2]], dtype))

    x = xp.full((1, 4), 4.0, dtype=np.float32)
    for layer, expected in (
        (Dropout(0.5), [0, 0, 8, 8]),
        (MaskingNoise(0.5), [0, 0, 4, 4]),
        (SaltAndPepper(0.5), [1, 0, 4, 4]),
        (GaussianNoise(0.5), [3.5, 4, 4.5, 5]),
        (GaussianNoise(0.5, clip=(3.75, 4.75)), [3.75, 4, 4.5, 4.75]),
    ):
        assert_array_equal(to_numpy(layer.forward(x, Fixed())), [expected])


@pytest.mark.parametrize("kind", [Dropout, MaskingNoise, SaltAndPepper])
@pytest.mark.parametrize("rate", [-0.1, 1.1, math.nan, math.inf])
def test_rate_must_be_a_probability(kind, rate):
    with pytest.raises(OptionError, match=rf"{kind.__name__}\(rate={rate}\): expected a number, 0 <= rate"):
        kind(rate)


def test_dropout_of_everything_is_refused():
    with pytest.raises(OptionError, match=r"Dropout\(rate=1.0\): expected a number, 0 <= rate < 1"):
        Dropout(1.0)


@pytest.mark.parametrize("std", [-0.1, math.nan])
def test_std_must_not_be_negative(std):
    with pytest.raises(OptionError, match=r"GaussianNoise\(std="):
        GaussianNoise(std)


def test_clip_must_be_a_range():
    with pytest.raises(OptionError, match="clip"):
        GaussianNoise(0.1, clip=(1, 0))
