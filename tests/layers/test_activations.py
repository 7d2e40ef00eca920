import math

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scratchae import Identity, LeakyReLU, ReLU, Sigmoid, Softplus, Tanh
from scratchae.backend import to_numpy
from scratchae.errors import OptionError
from scratchae.layers import activations

# layer, function, derivative: of one number
ACTIVATIONS = [
    (Sigmoid(), reference.sigmoid, lambda x: reference.sigmoid(x) * reference.sigmoid(-x)),
    (ReLU(), reference.relu, lambda x: float(x > 0)),
    (LeakyReLU(), reference.leaky_relu, lambda x: 1.0 if x > 0 else 0.01),
    (LeakyReLU(0.3), lambda x: reference.leaky_relu(x, 0.3), lambda x: 1.0 if x > 0 else 0.3),
    (LeakyReLU(0.0), reference.relu, lambda x: float(x > 0)),
    (Tanh(), math.tanh, lambda x: 1 - math.tanh(x) ** 2),
    (Softplus(), reference.softplus, reference.sigmoid),
    (Identity(), lambda x: x, lambda x: 1.0),
]
every_activation = pytest.mark.parametrize(
    ("layer", "function", "derivative"), ACTIVATIONS, ids=[repr(layer) for layer, _, _ in ACTIVATIONS]
)


@every_activation
@given(values=st.lists(st.floats(-50, 50), min_size=1, max_size=8), upstream=st.floats(-3, 3))
def test_forward_and_backward_are_the_formula(device, to_device, layer, function, derivative, values, upstream):
    x = np.array([values])
    y = to_numpy(layer.forward(to_device(x)))
    dx = to_numpy(layer.backward(to_device(np.full_like(x, upstream))))
    # 1 - y² and 1 - y lose digits where y is near 1, so the bound of dx is absolute as well
    assert_allclose(y, reference.elementwise(function, x), rtol=1e-13, atol=1e-15)
    assert_allclose(dx, upstream * reference.elementwise(derivative, x), rtol=1e-12, atol=1e-15)


@every_activation
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 3, 4, 5), (1, 1)])
def test_any_shape(device, xp, layer, function, derivative, shape):
    x = xp.ones(shape, dtype=np.float32)
    assert layer.forward(x).shape == shape
    assert layer.backward(x).shape == shape


@pytest.mark.parametrize(
    ("layer", "low", "zero", "high"),
    [
        (Sigmoid(), 0, 0.5, 1),
        (ReLU(), 0, 0, 1e4),
        (LeakyReLU(0.25), -2500, 0, 1e4),
        (Tanh(), -1, 0, 1),
        (Softplus(), 0, math.log(2), 1e4),
    ],
    ids=repr,
)
def test_far_out_in_float32(device, to_device, layer, low, zero, high):
    x = np.array([[-1e4, 0.0, 1e4]], np.float32)
    assert_allclose(to_numpy(layer.forward(to_device(x)))[0], [low, zero, high], rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("slope", [0.0, 0.25])
def test_derivative_at_zero_is_the_left_one(device, to_device, slope):
    x = to_device(np.array([[0.0, -0.0]], np.float32))
    dy = to_device(np.ones((1, 2), np.float32))
    for layer, expected in ((ReLU(), 0.0), (LeakyReLU(slope), slope)):
        layer.forward(x)
        assert_array_equal(to_numpy(layer.backward(dy)), [[expected, expected]])


def test_sigmoid_is_symmetric_and_between_zero_and_one():
    x = np.linspace(-110, 110, 2001, dtype=np.float32)
    y = activations.sigmoid(x)
    assert np.all((y >= 0) & (y <= 1)) and np.all(y[x > -88] > 0)
    assert np.all(np.diff(y) >= 0)
    assert_allclose(y + y[::-1], 1, rtol=0, atol=2e-7)


def test_sigmoid_in_float32_keeps_the_digits_of_small_results():
    x = np.array([-80.0, -40.0, -20.0, -5.0], np.float32)
    assert_allclose(activations.sigmoid(x), 1 / (1 + np.exp(-x.astype(np.float64))), rtol=1e-6)


def test_softplus_in_float32_errs_by_less_than_one_part_in_a_million_of_1():
    """log(1 + e) for e = e^-|x| has the digits of 1 + e: the error is small beside 1, and values below 6e-8 are 0."""
    x = np.linspace(-100, 100, 200_001, dtype=np.float32)
    exact = np.logaddexp(0, x.astype(np.float64))
    y = activations.softplus(x)
    assert np.abs(y - exact).max() < 6e-7 and (np.abs(y - exact) / np.maximum(exact, 1)).max() < 2e-7
    assert_allclose(y[x > -5], exact[x > -5], rtol=1e-5)
    assert np.all(y >= 0) and np.all(y[x < -17.5] == 0)


@pytest.mark.parametrize("slope", [-0.1, 1.0, 2.0, math.nan])
def test_leaky_slope_must_be_between_zero_and_one(slope):
    with pytest.raises(OptionError, match=rf"LeakyReLU\(slope={slope}\): expected a number, 0 <= slope < 1"):
        LeakyReLU(slope)
