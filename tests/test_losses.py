import math

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scratchae import BCE, MSE, BCEWithLogits, ScratchaeError, SoftmaxCrossEntropy, check_gradients, gaussian_kl
from scratchae.backend import array_module, to_numpy
from scratchae.errors import ArrayTypeError, DataError, ShapeError

FORMULAS = {MSE: reference.mse, BCE: reference.bce, BCEWithLogits: reference.bce_with_logits}
every_loss = pytest.mark.parametrize("loss", [MSE(), BCE(), BCEWithLogits()], ids=repr)


def draw(seed=0, n=4, d=5, dtype=np.float64):
    """Predictions that are probabilities and serve as logits too, and targets; away from 0 and 1."""
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.02, 0.98, (n, d)).astype(dtype) for _ in range(2)]


# Values


@every_loss
@given(n=st.integers(1, 5), d=st.integers(1, 6), seed=st.integers(0, 999))
def test_value_is_the_formula(device, to_device, loss, n, d, seed):
    p, t = draw(seed, n, d)
    value, _ = loss(to_device(p), to_device(t))
    assert_allclose(float(value), FORMULAS[type(loss)](p, t), rtol=1e-12)


@pytest.mark.parametrize(
    ("loss", "p", "t", "value", "gradient"),
    [
        # (1-0)² + (2-0)² = 5 for the first example, 3² = 9 for the second: 14 / 2; 2 (p - t) / 2
        (MSE(), [[1, 2], [3, 0]], [[0, 0], [0, 0]], 7.0, [[1, 2], [3, 0]]),
        # -log 0.5 - log 0.75; -1/p for t = 1, 1/(1-p) for t = 0
        (BCE(), [[0.5, 0.25]], [[1, 0]], math.log(2) - math.log(0.75), [[-2, 4 / 3]]),
        # logits 0 and log 3 are probabilities 1/2 and 3/4
        (BCEWithLogits(), [[0, math.log(3)]], [[1, 0]], math.log(2) + math.log(4), [[-0.5, 0.75]]),
    ],
    ids=["MSE", "BCE", "BCEWithLogits"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_by_hand(device, to_device, loss, p, t, value, gradient, dtype):
    found, dp = loss(to_device(np.array(p, dtype)), to_device(np.array(t, dtype)))
    assert_allclose(float(found), value, rtol=1e-6)
    assert_allclose(to_numpy(dp), gradient, rtol=1e-6)
    assert found.dtype == dp.dtype == dtype and found.shape == ()
    assert array_module(dp) is array_module(to_device(np.zeros(1)))


@every_loss
def test_summed_over_features_and_averaged_over_the_batch(loss):
    p, t = draw()
    value, gradient = loss(p, t)
    twice, half = loss(np.concatenate([p, p]), np.concatenate([t, t]))
    assert_allclose(twice, value, rtol=1e-12)  # a larger batch of the same: the same mean
    assert_allclose(half, np.concatenate([gradient, gradient]) / 2, rtol=1e-12)
    wide, same = loss(np.concatenate([p, p], axis=1), np.concatenate([t, t], axis=1))
    assert_allclose(wide, 2 * value, rtol=1e-12)  # twice the features: twice the sum
    assert_allclose(same, np.concatenate([gradient, gradient], axis=1), rtol=1e-12)


@every_loss
def test_images_count_like_rows(loss):
    p, t = draw(n=3, d=24)
    value, gradient = loss(p, t)
    images, dimages = loss(p.reshape(3, 4, 6, 1), t.reshape(3, 4, 6, 1))
    assert_allclose(images, value, rtol=1e-14)
    assert_array_equal(dimages.reshape(3, 24), gradient)


@every_loss
@given(n=st.integers(1, 4), d=st.integers(1, 4), seed=st.integers(0, 999))
def test_gradient_by_both_checkers(loss, n, d, seed):
    p, t = draw(seed, n, d)
    gradient = loss(p, t)[1].copy()
    numeric = reference.numerical_gradient(lambda: loss(p, t)[0], p, 1e-6)
    assert reference.relative_error(gradient, numeric) < 1e-6
    report = check_gradients(loss, p, t)
    assert report.passed and report.worst <= 1e-7, str(report)


@every_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inputs_are_not_changed_and_calls_repeat(loss, device, to_device, dtype):
    p, t = draw(dtype=dtype)
    there = to_device(p.copy()), to_device(t.copy())
    value, gradient = loss(*there)
    first = float(value), to_numpy(gradient).copy()
    value, gradient = loss(*there)
    assert float(value) == first[0]
    assert_array_equal(to_numpy(gradient), first[1])
    assert_array_equal(to_numpy(there[0]), p)
    assert_array_equal(to_numpy(there[1]), t)


# Far out


@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
def test_bce_with_logits_far_out_in_float32(device, to_device, target):
    logits = np.array([[1e4, -1e4, 0.0, 90.0, -90.0, 17.0, -17.0]], np.float32)
    targets = np.full_like(logits, target)
    value, gradient = BCEWithLogits()(to_device(logits), to_device(targets))
    assert_allclose(float(value), reference.bce_with_logits(logits, targets), rtol=1e-5)
    expected = reference.elementwise(reference.sigmoid, logits) - target
    assert_allclose(to_numpy(gradient), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
def test_bce_with_logits_keeps_its_digits_where_the_logits_are_right(device, to_device, scale):
    """Each example costs nearly nothing, but the logits are large: sums of max(a, 0) and of t a, taken apart,
    would lose the difference, and even give a negative loss.
    """
    rng = np.random.default_rng(0)
    t = (rng.random((128, 784)) > 0.5).astype(np.float32)
    a = (2 * t - 1) * rng.uniform(0, scale, t.shape).astype(np.float32)
    value, _ = BCEWithLogits()(to_device(a), to_device(t))
    assert float(value) > 0
    assert_allclose(float(value), reference.bce_with_logits(a, t), rtol=1e-5)


@pytest.mark.parametrize(
    ("p", "t", "value", "gradient"),
    [
        (1.0, 1.0, 0.0, -1.0),
        (0.0, 0.0, 0.0, 1.0),
        (1.0, 0.0, 87.33654, 2.0**126),  # as far as float32 reaches: -log of its smallest normal number
        (0.0, 1.0, 87.33654, -(2.0**126)),
        (0.0, 0.5, 87.33654 / 2, 0.5 - 2.0**125),
    ],
)
def test_bce_of_certainty(device, to_device, p, t, value, gradient):
    found, dp = BCE()(to_device(np.array([[p]], np.float32)), to_device(np.array([[t]], np.float32)))
    assert_allclose(float(found), value, rtol=1e-6)
    assert_allclose(to_numpy(dp), [[gradient]], rtol=1e-6)


def test_bce_with_logits_is_bce_of_the_sigmoid(device, to_device):
    rng = np.random.default_rng(3)
    a, t = to_device(rng.normal(0, 2, (6, 4))), to_device(rng.random((6, 4)))
    p = BCEWithLogits().mean(a)
    assert_allclose(to_numpy(p), reference.elementwise(reference.sigmoid, to_numpy(a)), rtol=1e-12)
    value, da = BCEWithLogits()(a, t)
    expected, dp = BCE()(p, t)
    assert_allclose(float(value), float(expected), rtol=1e-12)
    assert_allclose(to_numpy(da), to_numpy(dp * p * (1 - p)), rtol=1e-10)  # the chain rule


@every_loss
def test_mean_gives_the_datas_own_units(loss, device, to_device):
    x = to_device(np.array([[0.0, 1.0]]))
    expected = [[0.5, 1 / (1 + math.exp(-1))]] if type(loss) is BCEWithLogits else [[0, 1]]
    assert_allclose(to_numpy(loss.mean(x)), expected, rtol=1e-12)


# The least value


@pytest.mark.parametrize("loss", [BCE(), BCEWithLogits()], ids=repr)
def test_floor_is_the_entropy_of_the_targets(loss, device, to_device):
    t = np.array([[0.5, 0.5, 0.0], [0.25, 1.0, 0.0]], np.float32)
    entropy = (2 * math.log(2) + 0.25 * math.log(4) + 0.75 * math.log(4 / 3)) / 2
    assert_allclose(loss.floor(to_device(t)), entropy, rtol=1e-6)
    assert loss.floor(to_device(np.array([[0.0, 1.0]], np.float32))) == 0


@given(seed=st.integers(0, 999))
def test_no_prediction_is_below_the_floor(seed):
    p, t = draw(seed)
    floor = BCE().floor(t)
    assert BCE()(p, t)[0] >= floor
    assert_allclose(BCEWithLogits()(np.log(t / (1 - t)), t)[0], floor, rtol=1e-12)  # reached at p = t


# What is refused


@every_loss
def test_shapes_must_agree(loss, device, xp):
    """(3, 1) and (3, 4) would broadcast, and train towards something that nobody asked for."""
    for p, t in (((3, 4), (3, 1)), ((3, 4), (4, 3)), ((3, 4), (2, 4)), ((3, 4), (3, 2, 2))):
        with pytest.raises(ShapeError) as error:
            loss(xp.ones(p), xp.ones(t))
        assert str(p) in str(error.value) and str(t) in str(error.value)
        assert isinstance(error.value, ScratchaeError) and isinstance(error.value, ValueError)


@every_loss
def test_an_empty_batch_has_no_mean(loss, device, xp):
    with pytest.raises(DataError, match="no examples"):
        loss(xp.ones((0, 3)), xp.ones((0, 3)))


@every_loss
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
def test_targets_must_be_floats(loss, device, xp, dtype):
    with pytest.raises(ArrayTypeError, match=rf"target holds {np.dtype(dtype)}.*astype\('float32'\)"):
        loss(xp.ones((2, 3)), xp.ones((2, 3), dtype=dtype))


@pytest.mark.parametrize("loss", [BCE(), BCEWithLogits()], ids=repr)
@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (255.0, r"max 255: divide by 255, or use MSE\(\)"),
        (1.5, r"max 1.5: scale the data to \[0, 1\]"),
        (-0.5, r"min -0.5, max 1"),
        (math.nan, "targets in"),
        (math.inf, "targets in"),
        (-math.inf, "min -inf"),
    ],
)
def test_targets_of_cross_entropy_are_in_the_unit_interval(loss, wrong, text):
    t = np.array([[0.0, 1.0, 0.5]], np.float32)
    loss.check_target(t)
    t[0, 2] = wrong
    with pytest.raises(DataError, match=text):
        loss.check_target(t)
    with pytest.raises(DataError, match=text):
        loss(np.full_like(t, 0.5), t)


@pytest.mark.parametrize(("wrong", "text"), [(-0.5, "min -0.5, max 1"), (1.5, "min 0, max 1.5"), (math.nan, "nan")])
def test_predictions_of_bce_are_in_the_unit_interval(wrong, text):
    """Below 0 the logarithm of 1 - p would reward the prediction without end."""
    p = np.array([[0.0, 1.0, 0.5]], np.float32)
    BCE().check_prediction(p)
    p[0, 2] = wrong
    with pytest.raises(DataError, match=rf"{text}.*Sigmoid\(\), or use BCEWithLogits\(\)"):
        BCE().check_prediction(p)


@pytest.mark.parametrize("loss", [MSE(), BCEWithLogits()], ids=repr)
def test_other_predictions_may_be_any_number(loss):
    loss.check_prediction(np.array([[-1e4, 1e4]]))


def test_mse_takes_any_target():
    MSE().check_target(np.array([[-1e6, 1e6]]))
    assert MSE()(np.zeros((1, 2)), np.array([[-3.0, 4.0]]))[0] == 25


def test_checking_targets_does_not_stop_a_gpu(stand_in):
    """Reading a GPU array at every step would empty its queue: `fit` checks before it moves the data."""
    p, t = (stand_in.asarray(a) for a in draw())
    for loss in (MSE(), BCE(), BCEWithLogits(), gaussian_kl):
        before = stand_in.host_reads
        loss(p, t)
        assert stand_in.host_reads == before


# KL


@given(n=st.integers(1, 4), d=st.integers(1, 4), seed=st.integers(0, 999))
def test_kl_is_the_formula(device, to_device, n, d, seed):
    rng = np.random.default_rng(seed)
    mu, log_var = rng.standard_normal((2, n, d))
    value, dmu, dlog_var = gaussian_kl(to_device(mu), to_device(log_var))
    assert_allclose(float(value), reference.gaussian_kl(mu, log_var), rtol=1e-12, atol=1e-15)
    assert_allclose(to_numpy(dmu), mu / n, rtol=1e-14)
    assert_allclose(to_numpy(dlog_var), (np.exp(log_var) - 1) / (2 * n), rtol=1e-12, atol=1e-15)


def test_kl_of_the_standard_normal_is_zero(device, xp):
    value, dmu, dlog_var = gaussian_kl(xp.zeros((3, 2)), xp.zeros((3, 2)))
    assert float(value) == 0
    assert not to_numpy(dmu).any() and not to_numpy(dlog_var).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kl_by_hand(device, to_device, dtype):
    """μ = 2, σ² = 4: ½ (4 + 4 - log 4 - 1); μ = 0, σ² = 1: 0. Two examples: half of the sum."""
    mu, log_var = np.array([[2.0], [0.0]], dtype), np.array([[math.log(4)], [0.0]], dtype)
    value, dmu, dlog_var = gaussian_kl(to_device(mu), to_device(log_var))
    assert_allclose(float(value), (7 - math.log(4)) / 4, rtol=1e-6)
    assert_allclose(to_numpy(dmu), [[1], [0]], rtol=1e-6)
    assert_allclose(to_numpy(dlog_var), [[0.75], [0]], rtol=1e-6)
    assert {a.dtype for a in (value, dmu, dlog_var)} == {np.dtype(dtype)}


def test_kl_by_monte_carlo():
    """KL = E[log q(z) - log p(z)] for z drawn from q = N(μ, exp(log_var)): what exp(log_var) stands for, no
    gradient check can see.
    """
    mu, log_var = np.array([0.7, -1.2]), np.array([-0.8, 0.9])
    n = 200_000
    z = mu + np.exp(log_var / 2) * np.random.default_rng(0).standard_normal((n, 2))
    log_q = -0.5 * (log_var + np.log(2 * np.pi) + (z - mu) ** 2 / np.exp(log_var))
    log_p = -0.5 * (np.log(2 * np.pi) + z**2)
    samples = (log_q - log_p).sum(axis=1)
    value = gaussian_kl(mu[None], log_var[None])[0]
    assert abs(samples.mean() - value) < 5 * samples.std() / math.sqrt(n)
    assert samples.std() / math.sqrt(n) < 0.01 * value  # so that the bound means something


def test_kl_gradients(device, to_device):
    mu, log_var = np.random.default_rng(1).standard_normal((2, 3, 4))
    report = check_gradients(gaussian_kl, to_device(mu), to_device(log_var))
    assert report.passed and [c.name for c in report.checks] == ["mu", "log_var"], str(report)
    value = lambda: gaussian_kl(mu, log_var)[0]  # noqa: E731
    _, dmu, dlog_var = gaussian_kl(mu, log_var)
    assert reference.relative_error(dmu, reference.numerical_gradient(value, mu)) < 1e-8
    assert reference.relative_error(dlog_var, reference.numerical_gradient(value, log_var)) < 1e-8


def test_kl_refuses_shapes_that_differ_and_no_examples():
    with pytest.raises(ShapeError, match=r"log_var has shape \(3, 1\), mu has \(3, 2\)"):
        gaussian_kl(np.zeros((3, 2)), np.zeros((3, 1)))
    with pytest.raises(DataError, match="mu holds no examples"):
        gaussian_kl(np.zeros((0, 2)), np.zeros((0, 2)))


# Softmax


def shares(rng, n, d):
    """Targets: rows that add up to 1, the first of them one class alone."""
    t = rng.uniform(0.1, 1, (n, d))
    t[0] = np.arange(d) == d - 1
    return t / t.sum(axis=1, keepdims=True)


@given(n=st.integers(1, 5), d=st.integers(1, 6), seed=st.integers(0, 999))
def test_softmax_cross_entropy_is_the_formula(device, to_device, n, d, seed):
    rng = np.random.default_rng(seed)
    a, t = 3 * rng.standard_normal((n, d)), shares(rng, n, d)
    p = np.array([[math.exp(x) / sum(map(math.exp, row)) for x in row] for row in a])
    loss = SoftmaxCrossEntropy()
    value, da = loss(to_device(a), to_device(t))
    assert_allclose(
        float(value), -sum(t[i, j] * math.log(p[i, j]) for i in range(n) for j in range(d)) / n, 1e-10, 1e-14
    )
    assert_allclose(to_numpy(loss.mean(to_device(a))), p, rtol=1e-12)
    numeric = reference.numerical_gradient(lambda: float(loss(a, t)[0]), a)
    assert_allclose(to_numpy(da), numeric, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_cross_entropy_by_hand(device, to_device, dtype):
    """Logits 0 and log 3 are probabilities 1/4 and 3/4."""
    a, t = (to_device(np.array(x, dtype)) for x in ([[0, math.log(3)], [5, 5]], [[1, 0], [0.5, 0.5]]))
    value, da = SoftmaxCrossEntropy()(a, t)
    assert_allclose(float(value), (math.log(4) + math.log(2)) / 2, rtol=1e-6)
    assert_allclose(to_numpy(da), [[-0.375, 0.375], [0, 0]], atol=1e-7)
    assert value.dtype == da.dtype == dtype and value.shape == ()


def test_softmax_cross_entropy_far_out_in_float32(device, to_device):
    """A wrong class that is ahead by 1e4 costs 1e4 nats; a right one nothing."""
    a, t = np.array([[1e4, 0, -1e4], [-1e4, 0, 1e4]], np.float32), np.array([[0, 1, 0], [0, 0, 1]], np.float32)
    value, da = SoftmaxCrossEntropy()(to_device(a), to_device(t))
    assert float(value) == 5e3
    assert_array_equal(to_numpy(da), [[0.5, -0.5, 0], [0, 0, 0]])


@pytest.mark.parametrize("t", [[[0.5, 0.4]], [[1.5, -0.5]], [[0, 0]], [[math.nan, 1]]])
def test_targets_of_softmax_are_shares(t):
    with pytest.raises(DataError, match=r"rows add up to 1, got shape \(1, 2\): numpy\.eye"):
        SoftmaxCrossEntropy()(np.zeros((1, 2)), np.array(t, float))


def test_softmax_cross_entropy_refuses_shapes_and_types():
    loss = SoftmaxCrossEntropy()
    with pytest.raises(ShapeError):
        loss(np.zeros((1, 2)), np.ones((1, 1)))
    with pytest.raises(DataError, match="no examples"):
        loss(np.zeros((0, 2)), np.zeros((0, 2)))
    with pytest.raises(ArrayTypeError):
        loss(np.zeros((1, 2)), np.array([[0, 1]]))
