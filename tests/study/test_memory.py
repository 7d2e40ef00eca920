"""How far back gradients reach, where it is known: with rotations, and by differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import scratchae as s
from scratchae.errors import OptionError
from scratchae.study.memory import products, through_time


@pytest.mark.parametrize("size", [0.8, 1.0, 1.25])
def test_at_rest_the_products_are_powers_of_the_eigenvalue(size):
    layer = s.RNN(1, 2, last=True, rng=0).to(dtype=np.float64)
    layer.U[...] = size * np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]])
    assert_allclose(np.abs(np.linalg.eigvals(layer.U)), size)
    layer.forward(np.zeros((3, 20, 1)))
    assert_allclose(products(layer), size ** np.arange(20.0))
    layer.backward(np.array([[0, 0.6], [0.8, 0], [0, 0]]))
    assert_allclose(through_time(layer), size ** np.arange(19.0, -1, -1))


def test_the_products_are_the_derivative_of_the_last_state():
    layer = s.RNN(2, 3, last=True, rng=0).to(dtype=np.float64)
    x = np.random.default_rng(0).standard_normal((1, 5, 2))
    layer.forward(x)
    found, jacobian = products(layer), []
    for unit in np.eye(3):
        layer.backward(unit[None])
        jacobian.append(layer.dh[0])  # ∂(last state)ᵤ/∂h of every step
    for k in range(5):
        assert_allclose(found[k], np.linalg.norm([rows[4 - k] for rows in jacobian], 2))
    slope = (1 - layer.h**2).max()
    assert (found <= (slope * np.linalg.norm(layer.U, 2)) ** np.arange(5) + 1e-12).all()


def test_before_anything_has_run():
    with pytest.raises(OptionError, match="no backward has run"):
        through_time(s.GRU(2, 3))
    for layer in (s.RNN(2, 3), s.Dense(2, 3)):
        with pytest.raises(OptionError, match="expected an RNN whose forward has run"):
            products(layer)
