import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from scratchae import Flatten, Reshape, Sequential
from scratchae.backend import to_numpy
from scratchae.errors import OptionError, ShapeError

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


@given(n=st.integers(1, 4), shape=shapes)
def test_flatten_and_reshape_are_inverse(device, to_device, n, shape):
    x = np.arange(n * math.prod(shape), dtype=np.float32).reshape(n, *shape)
    both = Sequential(Flatten(), Reshape(shape))
    assert_array_equal(to_numpy(both.forward(to_device(x))), x)
    assert_array_equal(to_numpy(both.backward(to_device(2 * x))), 2 * x)


def test_a_shape_is_several_numbers_or_a_tuple():
    assert Reshape(4, 3, 2).shape == Reshape((4, 3, 2)).shape == (4, 3, 2)
    assert Reshape(6).shape == (6,)
    for wrong in [(), ((),), (0, 2), (-1,), (2.0, 3), ("28",), ((2, 3), 4)]:
        with pytest.raises(OptionError, match=r"Reshape\(shape=.*whole numbers, each at least 1"):
            Reshape(*wrong)


def test_order_of_the_elements(device, to_device):
    """Row by row: NHWC images keep a pixel's channels side by side."""
    x = to_device(np.arange(12.0).reshape(2, 3, 2))
    assert_array_equal(to_numpy(Flatten().forward(x)), [np.arange(6), np.arange(6, 12)])
    rows = Reshape((3, 2)).forward(to_device(np.arange(12.0).reshape(2, 6)))
    assert_array_equal(to_numpy(rows), to_numpy(x))


def test_backward_gives_the_shape_back(device, xp):
    for layer, before, after in (
        (Flatten(), (5, 2, 3, 4), (5, 24)),
        (Flatten(), (5, 7), (5, 7)),
        (Flatten(), (5,), (5, 1)),
        (Reshape((4, 6)), (5, 2, 12), (5, 4, 6)),
        (Reshape([6]), (5, 2, 3), (5, 6)),
    ):
        y = layer.forward(xp.zeros(before, dtype=np.float32))
        assert y.shape == after
        assert layer.backward(y).shape == before


def test_an_array_that_is_not_contiguous(device, to_device):
    x = to_device(np.arange(12.0).reshape(2, 3, 2)).transpose(0, 2, 1)
    assert_array_equal(to_numpy(Flatten().forward(x))[0], [0, 2, 4, 1, 3, 5])


@pytest.mark.parametrize("shape", [(3, 5), (3, 2, 4), (3, 1)])
def test_wrong_size_names_the_layer_and_both_sizes(device, xp, shape):
    layer = Reshape((2, 3))
    layer.name = "decoder.2"
    with pytest.raises(ShapeError) as error:
        layer.forward(xp.zeros(shape))
    text = str(error.value)
    assert "decoder.2 Reshape(2, 3) expects 6 values" in text
    assert str(shape) in text and f"has {math.prod(shape[1:])}" in text
