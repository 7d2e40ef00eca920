import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scratchae import MSE, Autoencoder, Dense, KSparse, Sequential, check_gradients
from scratchae.backend import array_module, to_numpy
from scratchae.errors import OptionError, ShapeError
from scratchae.models import parallel


def k_largest(x, k):
    """By sorting each example: the k largest, and what ties with the k-th."""
    y = np.zeros_like(x)
    for row, kept in zip(x, y, strict=True):
        least = sorted(row.ravel().tolist())[-k]
        kept[row >= least] = row[row >= least]
    return y


@given(
    n=st.integers(1, 4),
    shape=st.sampled_from([(5,), (2, 3), (2, 2, 2)]),
    k=st.integers(1, 5),
    seed=st.integers(0, 999),
)
def test_forward_and_backward_are_the_rule(device, to_device, n, shape, k, seed):
    """Few different numbers, so that there are ties; the gradient passes where the activation does, and nowhere else."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, (n, *shape)) + 0.5  # no zeros: what is 0 in y was removed
    dy = rng.standard_normal(x.shape)
    layer = KSparse(k)
    y = to_numpy(layer.forward(to_device(x)))
    assert_array_equal(y, k_largest(x, k))
    assert_array_equal(to_numpy(layer.backward(to_device(dy))), dy * (y != 0))
    assert ((y != 0).reshape(n, -1).sum(axis=1) >= k).all()


def test_by_hand(device, to_device):
    """The largest, not the largest in size; each example for itself; in training as in inference."""
    x = np.array([[3.0, -9.0, 1.0, 2.0], [-1.0, -2.0, -3.0, -4.0]], np.float32)
    for rng in (None, np.random.default_rng(0)):
        y = KSparse(2).forward(to_device(x), rng)
        assert_array_equal(to_numpy(y), [[3, 0, 0, 2], [-1, -2, 0, 0]])


def test_ties_with_the_kth_all_stay(device, to_device):
    layer = KSparse(2)
    x = to_device(np.array([[5.0, 1.0, 1.0, 1.0, 0.0], [0.0, 7.0, 0.0, 0.0, -1.0]]))
    assert_array_equal(to_numpy(layer.forward(x)), [[5, 1, 1, 1, 0], [0, 7, 0, 0, 0]])
    assert_array_equal(to_numpy(layer.backward(x * 0 + 1)), [[1, 1, 1, 1, 0], [1, 1, 1, 1, 0]])


def test_with_k_as_large_as_the_code_nothing_is_removed(device, to_device, xp):
    x = to_device(np.random.default_rng(0).standard_normal((3, 4), dtype=np.float32))
    layer = KSparse(4)
    y = layer.forward(x)
    assert_array_equal(to_numpy(y), to_numpy(x))
    assert y.dtype == layer.backward(x).dtype == np.float32 and array_module(y) is xp


def test_input_is_kept_and_empty_batches_pass(device, to_device):
    x = np.random.default_rng(0).standard_normal((3, 4))
    there = to_device(x.copy())
    KSparse(1).forward(there)
    assert_array_equal(to_numpy(there), x)
    assert KSparse(1).forward(there[:0]).shape == (0, 4)


def test_gradient_check_where_no_two_are_near(device, to_device):
    x = np.random.default_rng(0).permutation(24).reshape(3, 8) / 4.0
    report = check_gradients(KSparse(3), to_device(x))
    assert report.passed, str(report)
    assert (report.checks[0].analytic != 0).sum() == 9


@pytest.mark.parametrize("k", [0, -1, 2.5, float("nan"), "3"])
def test_k_must_be_a_whole_number_above_zero(k):
    with pytest.raises(OptionError, match=rf"KSparse\(k={k!r}\): expected a whole number, at least 1"):
        KSparse(k)


def test_numpys_whole_numbers_become_pythons():
    assert type(KSparse(np.int64(3)).k) is int and repr(KSparse(np.int64(3))) == "KSparse(3)"


def test_more_than_there_are_is_an_error(device, to_device):
    with pytest.raises(
        ShapeError, match=r"KSparse\(5\) expects x of shape \(N, …\) with 5 or more numbers .*\(2, 4\)"
    ):
        KSparse(5).forward(to_device(np.zeros((2, 4))))


def test_a_batch_may_be_taken_in_parts(monkeypatch):
    """Each example is treated by itself."""
    x = np.random.default_rng(0).random((40, 6))
    model = Autoencoder(Sequential(Dense(6, 5, rng=1), KSparse(2)), Dense(5, 6, rng=2), loss=MSE()).to(
        dtype=np.float64
    )
    model.training_step(x)
    whole = model.gradient.copy()
    monkeypatch.setattr(parallel, "LEAST", 1)
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    assert parallel.count_parts(model, x, None) > 1
    model.training_step(x)
    assert_allclose(model.gradient, whole, rtol=1e-10, atol=1e-14)
