import math

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scratchae import Dense, ScratchaeError
from scratchae.backend import to_numpy
from scratchae.errors import ArrayTypeError, OptionError, ShapeError


@given(n=st.integers(1, 5), inputs=st.integers(1, 6), outputs=st.integers(1, 6), seed=st.integers(0, 999))
def test_forward_is_x_W_plus_b(device, to_device, n, inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    layer = Dense(inputs, outputs, rng=seed).to(dtype=np.float64)
    layer.b = rng.standard_normal(outputs)
    x = rng.standard_normal((n, inputs))
    expected = reference.dense(x, layer.W, layer.b)
    assert_allclose(to_numpy(layer.to(device).forward(to_device(x))), expected, rtol=1e-12, atol=1e-12)


def test_backward_by_hand(device, to_device):
    """x = (1 2), dy = (10, 1): dW = xᵀ dy, db = dy, dx = dy Wᵀ; two equal examples double dW and db."""
    layer = Dense(2, 2)
    layer.W = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    layer.to(device)
    for copies in (1, 2):
        layer.forward(to_device(np.array([[1.0, 2.0]] * copies, np.float32)))
        dx = layer.backward(to_device(np.array([[10.0, 1.0]] * copies, np.float32)))
        assert_array_equal(to_numpy(dx), [[12, 34]] * copies)
        assert_array_equal(to_numpy(layer.dW), np.array([[10, 1], [20, 2]]) * copies)
        assert_array_equal(to_numpy(layer.db), np.array([10, 1]) * copies)


def test_gradients_are_written_where_dW_and_db_are(device, to_device, xp):
    """A model's dW is a view into its gradient vector: it must be filled, not replaced."""
    layer = Dense(3, 2).to(device)
    dW, db = layer.dW, layer.db
    layer.forward(to_device(np.ones((4, 3), np.float32)))
    layer.backward(to_device(np.ones((4, 2), np.float32)))
    assert layer.dW is dW and layer.db is db
    assert_array_equal(to_numpy(dW), 4)
    assert_array_equal(to_numpy(db), 4)


@pytest.mark.parametrize(
    ("init", "variance"), [("he", 2 / 400), ("glorot", 2 / (400 + 100)), (None, 2 / (400 + 100))]
)
def test_initial_weights(init, variance):
    layer = Dense(400, 100, rng=3) if init is None else Dense(400, 100, init=init, rng=3)
    n = layer.W.size
    assert layer.W.shape == (400, 100) and layer.b.shape == (100,)
    # the standard deviation of the estimate of σ is σ / √(2n), that of the mean σ / √n: 4 of each
    assert abs(layer.W.std() / math.sqrt(variance) - 1) < 4 / math.sqrt(2 * n)
    assert abs(layer.W.mean()) < 4 * math.sqrt(variance / n)
    kurtosis = np.mean((layer.W / layer.W.std()) ** 4)
    assert abs(kurtosis - 3) < 4 * math.sqrt(24 / n)  # a uniform draw would have 1.8
    assert_array_equal(layer.b, 0)
    assert {a.dtype for a in (layer.W, layer.b, layer.dW, layer.db)} == {np.dtype(np.float32)}


def test_he_keeps_the_signal_through_relu_layers():
    """The reason for He's draw: after 20 layers of ReLU the mean square has neither grown nor faded."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 256), dtype=np.float32)
    for _ in range(20):
        x = np.maximum(Dense(256, 256, init="he", rng=rng).forward(x), 0)
    assert 0.2 < np.mean(x * x) < 5


def test_weights_come_from_the_seed_or_generator():
    assert_array_equal(Dense(4, 3, rng=5).W, Dense(4, 3, rng=np.random.default_rng(5)).W)
    assert np.all(Dense(4, 3).W != Dense(4, 3).W)  # by default each is drawn anew
    assert np.all(Dense(4, 3, rng=5).W != Dense(4, 3, rng=6).W)
    rng = np.random.default_rng(5)
    assert np.all(Dense(4, 3, rng=rng).W != Dense(4, 3, rng=rng).W)  # the generator moves on


@pytest.mark.parametrize(
    ("shape", "way_out"),
    [
        ((6,), "x[None] makes it a batch"),
        ((4,), "the first axis counts the examples"),
        ((), "the first axis counts the examples"),
        ((4, 5), "give x the 6 columns that this layer was made for, or make it Dense(5, …)"),
        ((2, 3, 2), "flatten examples with x.reshape(len(x), -1), or begin with Flatten()"),
        ((2, 3, 6), "Flatten() before it makes rows of 18 numbers"),
    ],
)
def test_wrong_shape_names_layer_got_expected_and_the_way_out(device, xp, shape, way_out):
    layer = Dense(6, 3).to(device)
    layer.name = "encoder.0"
    with pytest.raises(ShapeError) as error:
        layer.forward(xp.zeros(shape, dtype=np.float32))
    text = str(error.value)
    assert "encoder.0 Dense(6, 3)" in text and f"got {shape}" in text and "(N, 6)" in text
    assert way_out in text
    assert isinstance(error.value, ScratchaeError) and isinstance(error.value, ValueError)


def test_a_list_is_no_array():
    with pytest.raises(ArrayTypeError, match=r"is a list: expected an array of floats.*numpy.asarray"):
        Dense(2, 1).forward([[1.0, 2.0]])


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 3)])
def test_sizes_must_be_positive(sizes):
    with pytest.raises(OptionError, match=r"Dense\((inputs|outputs)=(0|-1)\): expected a whole number, at least 1"):
        Dense(*sizes)


def test_unknown_init():
    with pytest.raises(OptionError, match=r"Dense\(init='xavier'\).*'he' or 'glorot'"):
        Dense(3, 2, init="xavier")
