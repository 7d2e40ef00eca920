import math

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scratchae import L1, SparseKL, check_gradients
from scratchae.backend import array_module, to_numpy
from scratchae.errors import DataError, OptionError

PENALTIES = [L1(0.3), SparseKL(0.1, 2.0)]
every_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)


def draw(seed=0, n=4, d=3, dtype=np.float64):
    return np.random.default_rng(seed).uniform(0.05, 0.95, (n, d)).astype(dtype)


def test_l1_by_hand(device, to_device):
    """|1| + |-2| + |0| + |3| = 6 over two examples, weight 0.5; the gradient at 0 is 0."""
    z = to_device(np.array([[1.0, -2.0], [0.0, 3.0]], np.float32))
    value, dz = L1(0.5)(z)
    assert float(value) == 1.5
    assert_array_equal(to_numpy(dz), [[0.25, -0.25], [0, 0.25]])


@given(n=st.integers(1, 5), d=st.integers(1, 5), seed=st.integers(0, 999))
def test_sparse_kl_is_the_formula(device, to_device, n, d, seed):
    z = draw(seed, n, d)
    value, dz = SparseKL(0.05, 1.7)(to_device(z))
    assert_allclose(float(value), reference.sparse_kl(z, 0.05, 1.7), rtol=1e-11)
    assert np.ptp(to_numpy(dz), axis=0).max() == 0  # the same for every example


def test_sparse_kl_by_hand(device, to_device):
    """ρ = ½ against ρ̂ = ¼: ½ log 2 + ½ log ⅔; gradient weight / N (-2 + ⅔)."""
    value, dz = SparseKL(0.5, 3.0)(to_device(np.array([[0.5], [0.0]])))
    assert_allclose(float(value), 3 * (0.5 * math.log(2) + 0.5 * math.log(2 / 3)), rtol=1e-12)
    assert_allclose(to_numpy(dz), [[-2.0], [-2.0]], rtol=1e-12)


def test_sparse_kl_is_least_at_its_target(device, to_device):
    value, dz = SparseKL(0.25, 1.0)(to_device(np.array([[1.0, 0.25], [0, 0.25], [0, 0.25], [0, 0.25]])))
    assert_allclose(float(value), 0, atol=1e-15)
    assert_allclose(to_numpy(dz), 0, atol=1e-15)


@pytest.mark.parametrize(("share", "sign"), [(0.0, -1), (1.0, 1)])
def test_a_unit_that_is_never_or_always_on(device, xp, share, sign):
    """The formula divides by zero there; the penalty is large instead, and pushes towards the target."""
    value, dz = SparseKL(0.1, 1.0)(xp.full((4, 2), share, dtype=np.float32))
    assert np.isfinite(float(value)) and float(value) > 1
    assert np.isfinite(to_numpy(dz)).all() and (sign * to_numpy(dz) > 1000).all()


@every_penalty
@given(n=st.integers(1, 4), d=st.integers(1, 4), seed=st.integers(0, 999))
def test_gradient_by_both_checkers(penalty, n, d, seed):
    z = draw(seed, n, d)
    dz = penalty(z)[1].copy()
    numeric = reference.numerical_gradient(lambda: penalty(z)[0], z, 1e-6)
    assert_allclose(dz, numeric, rtol=1e-5, atol=1e-6 * np.abs(dz).max() + 1e-9)
    report = check_gradients(penalty, z)
    assert report.passed, str(report)


@every_penalty
def test_gradient_check_on_the_device(penalty, device, to_device):
    report = check_gradients(penalty, to_device(draw()))
    assert report.passed and report.worst <= 1e-7, str(report)


@every_penalty
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_device_and_input_are_kept(penalty, device, to_device, xp, dtype):
    z = draw(dtype=dtype)
    there = to_device(z.copy())
    value, dz = penalty(there)
    assert value.dtype == dz.dtype == dtype and value.shape == () and dz.shape == z.shape
    assert array_module(value) is array_module(dz) is xp
    assert_array_equal(to_numpy(there), z)
    again, dagain = penalty(there)
    assert float(again) == float(value)
    assert_array_equal(to_numpy(dagain), to_numpy(dz))


@every_penalty
def test_averaged_over_the_batch(penalty):
    z = draw()
    value, dz = penalty(z)
    twice, half = penalty(np.concatenate([z, z]))
    assert_allclose(twice, value, rtol=1e-12)
    assert_allclose(half[:4], dz / 2, rtol=1e-12)


@every_penalty
def test_the_weight_scales_value_and_gradient(penalty):
    z = draw()
    value, dz = penalty(z)
    arguments = {**penalty.arguments(), "weight": 5 * penalty.weight}
    scaled, dscaled = type(penalty)(**arguments)(z)
    assert_allclose(scaled, 5 * value, rtol=1e-12)
    assert_allclose(dscaled, 5 * dz, rtol=1e-12)
    zero, dzero = type(penalty)(**{**arguments, "weight": 0})(z)
    assert zero == 0 and not dzero.any()


def test_training_steps_read_nothing_back(stand_in):
    z = stand_in.asarray(draw())
    before = stand_in.host_reads
    for penalty in PENALTIES:
        penalty(z)
    assert stand_in.host_reads == before


@pytest.mark.parametrize(("z", "text"), [(-0.25, "min -0.25, max 1"), (1.5, "min 0, max 1.5"), (math.nan, "")])
def test_sparse_kl_needs_a_code_between_zero_and_one(z, text):
    penalty = SparseKL(0.1, 1.0)
    code = np.array([[0.0, 1.0, 0.5]])
    penalty.check_code(code)
    code[0, 2] = z
    with pytest.raises(DataError, match=rf"SparseKL needs a code in \[0, 1\], got .*{text}.*Sigmoid\(\)"):
        penalty.check_code(code)


def test_l1_takes_any_code():
    L1(0.1).check_code(np.array([[-5.0, 5.0]]))


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_weight_must_be_a_number_of_at_least_zero(weight):
    with pytest.raises(OptionError, match=rf"L1\(weight={weight}\)"):
        L1(weight)
    with pytest.raises(OptionError, match=rf"SparseKL\(weight={weight}\)"):
        SparseKL(0.1, weight)


@pytest.mark.parametrize("target", [0.0, 1.0, -0.1, 1.5, math.nan])
def test_target_must_be_a_share(target):
    with pytest.raises(OptionError, match=rf"SparseKL\(target={target}\): expected a number, 0 < target < 1"):
        SparseKL(target, 1.0)
