import copy
import itertools
import math

import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose, assert_array_equal

from scratchae import SGD, Adam, Cosine, Step, optimizers
from scratchae.backend import BLOCK, SHARED_BLOCK, array_module, to_numpy
from scratchae.errors import ArrayTypeError, OptionError, ShapeError
from scratchae.optimizers import clip_norm

OPTIMIZERS = {
    "SGD": lambda **options: SGD(0.1, **options),
    "momentum": lambda **options: SGD(0.1, 0.9, **options),
    "Adam": lambda **options: Adam(0.1, **options),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


def run(optimizer, gradients, start=1.0, dtype=np.float64, to_device=lambda x: x):
    """The parameters after each of these gradients."""
    θ = to_device(np.atleast_1d(np.asarray(start, dtype)).copy())
    path = []
    for g in gradients:
        optimizer.update(θ, to_device(np.atleast_1d(np.asarray(g, dtype))))
        path.append(to_numpy(θ).copy())
    return np.array(path)


# By hand


def test_sgd_by_hand(device, to_device):
    path = run(SGD(0.1), [2.0, -1.0, 0.5], to_device=to_device)
    assert_allclose(path.ravel(), [0.8, 0.9, 0.85], rtol=1e-14)


def test_momentum_by_hand(device, to_device):
    """v = 2; 0.5 · 2 - 1 = 0; 0.5 · 0 + 0.5 = 0.5."""
    path = run(SGD(0.1, momentum=0.5), [2.0, -1.0, 0.5], to_device=to_device)
    assert_allclose(path.ravel(), [0.8, 0.8, 0.75], rtol=1e-14)


def test_adam_by_hand(device, to_device):
    """m = 0.2, 0.08, 0.122; v = 0.004, 0.004996, 0.005241004;
    m̂ = 2, 0.08 / 0.19, 0.122 / 0.271; v̂ = 4, 0.004996 / 0.001999, 0.005241004 / 0.002997001.
    """
    steps = [
        2 / 2,
        (0.08 / 0.19) / math.sqrt(0.004996 / 0.001999),
        (0.122 / 0.271) / math.sqrt(0.005241004 / 0.002997001),
    ]
    path = run(Adam(0.1), [2.0, -1.0, 0.5], to_device=to_device)
    assert_allclose(path.ravel(), 1 - 0.1 * np.cumsum(steps), rtol=1e-8)  # ε is 1e-8 of √v̂


def test_the_first_step_of_adam_is_the_learning_rate_whatever_the_gradient():
    """That is what the bias corrections are for."""
    g = np.array([1e-3, -1.0, 1e4])
    assert_allclose(run(Adam(0.01), [g], [0, 0, 0])[0], -0.01 * np.sign(g), rtol=1e-4)


def test_eps_is_added_outside_the_root_of_the_corrected_v():
    """θ - lr m̂ / (√v̂ + ε): with ε as large as the gradient the step is half."""
    assert_allclose(run(Adam(0.1, eps=2.0), [2.0]), 1 - 0.1 * 0.5, rtol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float64, 1e-12)])
@pytest.mark.parametrize("options", [{}, {"beta1": 0.0}, {"beta2": 0.5, "eps": 1e-3}, {"lr": 0.05, "beta1": 0.5}])
def test_adam_is_the_textbook_s(device, to_device, dtype, tolerance, options):
    rng = np.random.default_rng(0)
    start = rng.standard_normal(40).astype(dtype)
    gradients = rng.standard_normal((50, 40)).astype(dtype) * np.logspace(-3, 3, 40).astype(dtype)
    path = run(Adam(**options), gradients, start, dtype, to_device)
    expected = reference.adam(start.astype(np.float64), gradients.astype(np.float64), **options)
    assert path.dtype == dtype
    assert_allclose(path[-1], expected, rtol=tolerance, atol=tolerance)


def test_adam_of_zero_gradients_stays():
    assert_array_equal(run(Adam(0.1), np.zeros((3, 4)), np.ones(4)), 1)


# Weight decay and clipping


@every_optimizer
def test_weight_decay_shrinks_parameters_apart_from_the_gradient(make, device, to_device):
    """Decoupled: without a gradient θ shrinks by 1 - lr λ a step, exactly so for Adam too."""
    path = run(make(weight_decay=0.5), np.zeros(3), 1.0, to_device=to_device)
    assert_allclose(path.ravel(), [0.95, 0.95**2, 0.95**3], rtol=1e-14)


@every_optimizer
def test_weight_decay_does_not_reach_the_state(make):
    gradients = np.random.default_rng(0).standard_normal((5, 3))
    plain, decaying = make(), make(weight_decay=0.5)
    run(plain, gradients, np.ones(3))
    run(decaying, gradients, np.ones(3))
    assert plain.state().keys() == decaying.state().keys()
    for name, vector in plain.state().items():
        assert_array_equal(decaying.state()[name], vector)


def test_weight_decay_beside_a_gradient_by_hand():
    assert_allclose(run(SGD(0.1, weight_decay=0.5), [2.0]), 0.95 * 1.0 - 0.1 * 2, rtol=1e-14)


@pytest.mark.parametrize(
    ("g", "expected"),
    [
        ([3.0, 4.0], [0.6, 0.8]),  # norm 5, cut to 1
        ([0.3, 0.4], [0.3, 0.4]),  # norm 0.5: left as it is, to the bit
        ([0.0, 0.0], [0.0, 0.0]),
        ([0.0, -1e4], [0.0, -1.0]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clip_norm(device, to_device, g, expected, dtype):
    g = to_device(np.array(g, dtype))
    before = to_numpy(g).copy()
    θ = to_device(np.zeros(2, dtype))
    SGD(1.0, clip_norm=1.0).update(θ, g)
    assert_allclose(to_numpy(θ), -np.array(expected), rtol=1e-6)
    assert θ.dtype == dtype
    assert_array_equal(to_numpy(g), before)  # the model's gradient is not touched


@pytest.mark.parametrize("scale", [1e-44, 1e-30, 1.0, 2e19, 1e30, 3e38])
def test_clipping_at_any_scale(device, to_device, scale):
    """Squares of numbers above 1.8e19 overflow float32, and a norm of infinity would leave nothing of the gradient."""
    g = np.array([scale, -scale, 0.0, scale / 2], np.float32)
    exact = g.astype(np.float64)
    expected = exact * min(1.0, 2.0 / np.sqrt((exact**2).sum()))
    assert_allclose(to_numpy(clip_norm(to_device(g), 2.0)), expected, rtol=1e-6)
    assert_array_equal(to_numpy(clip_norm(to_device(0 * g), 2.0)), 0 * g)


def test_clipping_what_is_not_finite_is_noticed(device, to_device):
    for wrong in (np.nan, np.inf):
        with np.errstate(invalid="ignore"):
            clipped = to_numpy(clip_norm(to_device(np.array([1.0, wrong], np.float32)), 1.0))
        assert np.isnan(clipped).any()


def test_parameters_that_cannot_be_written_to():
    θ = np.ones(64, np.float32)
    θ.flags.writeable = False
    with pytest.raises(ArrayTypeError, match=r"parameters cannot be written to: .* give it parameters.copy\(\)"):
        Adam(0.1).update(θ, np.ones(64, np.float32))


def test_clipping_bounds_the_norm_of_the_whole_gradient():
    """Not of each block, nor each element."""
    g = np.ones(2 * BLOCK + 7, np.float64)
    θ = np.zeros_like(g)
    SGD(1.0, clip_norm=1.0).update(θ, g)
    assert_allclose(np.linalg.norm(θ), 1, rtol=1e-12)
    assert np.ptp(θ) == 0


@pytest.mark.parametrize("make", [OPTIMIZERS["momentum"], OPTIMIZERS["Adam"]])
def test_what_is_remembered_is_the_clipped_gradient(make):
    clipped, small = make(clip_norm=0.5), make()
    run(clipped, [[30.0, 40.0]], [0.0, 0.0])
    run(small, [[0.3, 0.4]], [0.0, 0.0])
    for name in small.state():
        assert_allclose(clipped.state()[name], small.state()[name], rtol=1e-12)


# Schedules


def test_cosine_ends_and_middle():
    schedule = Cosine(0.2, 100)
    assert schedule(0) == 0.2
    assert_allclose(schedule(50), 0.1, rtol=1e-12)
    assert_allclose(schedule(25), 0.1 * (1 + math.sqrt(0.5)), rtol=1e-12)
    assert_allclose([schedule(100), schedule(1000)], 0, atol=1e-17)


def test_cosine_with_warm_up():
    schedule = Cosine(0.2, 110, warmup=10)
    assert_allclose([schedule(t) for t in (0, 4, 9)], [0.02, 0.1, 0.2], rtol=1e-12)  # a straight rise
    assert_allclose([schedule(t) for t in (10, 60, 110)], [0.2, 0.1, 0], rtol=1e-12, atol=1e-17)
    rates = [schedule(t) for t in range(111)]
    assert all(a < b for a, b in itertools.pairwise(rates[:10]))
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))


def test_step_schedule():
    schedule = Step(0.8, every=10, factor=0.5)
    assert [schedule(t) for t in (0, 9, 10, 19, 20, 35)] == [0.8, 0.8, 0.4, 0.4, 0.2, 0.1]
    assert_allclose(Step(1.0, 3)(7), 0.01, rtol=1e-12)


@every_optimizer
def test_a_schedule_is_asked_for_the_number_of_updates_done(make):
    asked = []

    def schedule(t):
        asked.append(t)
        return 0.1

    optimizer = make()
    scheduled = copy.copy(optimizer)
    scheduled.lr = schedule
    gradients = np.random.default_rng(0).standard_normal((4, 3))
    assert_array_equal(run(scheduled, gradients, np.ones(3)), run(optimizer, gradients, np.ones(3)))
    assert asked == [0, 1, 2, 3]
    assert scheduled.t == optimizer.t == 4


def test_learning_rate_is_that_of_the_next_update():
    optimizer = SGD(Step(1.0, every=1, factor=0.5))
    assert_allclose(run(optimizer, [1.0, 1.0, 1.0], 0.0).ravel(), [-1, -1.5, -1.75], rtol=1e-14)
    assert optimizer.learning_rate() == 0.125
    assert Adam(0.3).learning_rate() == 0.3


# In place, block by block


@every_optimizer
@pytest.mark.parametrize("n", [1, 15, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 4 * SHARED_BLOCK + 5])
def test_blocks_give_the_bits_of_the_whole(monkeypatch, make, n):
    rng = np.random.default_rng(n)
    start = rng.standard_normal(n, dtype=np.float32)
    gradients = rng.standard_normal((2, n), dtype=np.float32)
    options = {"weight_decay": 0.1, "clip_norm": 3.0}
    blocks = run(make(**options), gradients, start, np.float32)
    monkeypatch.setattr(optimizers.optimizer, "in_blocks", lambda function, *vectors, kernel: function(*vectors))
    assert_array_equal(run(make(**options), gradients, start, np.float32), blocks)


@every_optimizer
def test_update_is_in_place_and_leaves_the_gradient(make, device, to_device, xp):
    θ, g = to_device(np.ones(20, np.float32)), to_device(np.full(20, 0.5, np.float32))
    view = θ[3:5]
    optimizer = make(weight_decay=0.1)
    optimizer.update(θ, g)
    optimizer.update(θ, g)
    assert (to_numpy(view) < 1).all()  # the layers' views see it
    assert_array_equal(to_numpy(g), 0.5)
    assert set(optimizer.state()) == set(optimizer.state_names)
    for vector in optimizer.state().values():
        assert vector.shape == θ.shape and vector.dtype == θ.dtype and array_module(vector) is xp


@every_optimizer
def test_the_state_moves_and_training_goes_on(make, device, to_device):
    gradients = np.random.default_rng(0).standard_normal((6, 5))
    expected = run(make(), gradients, np.ones(5))[-1]
    optimizer = make()
    half = run(optimizer, gradients[:3], np.ones(5))[-1]
    assert optimizer.to(device, np.float64) is optimizer
    assert_allclose(run(optimizer, gradients[3:], half, to_device=to_device)[-1], expected, rtol=1e-12)
    optimizer.to("cpu", np.float32)
    assert {v.dtype for v in optimizer.state().values()} <= {np.dtype(np.float32)}
    assert {array_module(v) for v in optimizer.state().values()} <= {np}


def test_to_before_the_first_update_has_nothing_to_move(device):
    assert Adam().to(device, np.float32).state() == {}


@every_optimizer
def test_updates_read_nothing_back_and_can_be_recorded(make, stand_in):
    θ, g = stand_in.ones(5), stand_in.ones(5)
    optimizer = make(weight_decay=0.1, clip_norm=0.1)
    optimizer.prepare(θ, g)
    coefficients = stand_in.asarray(np.array(optimizer.coefficients(0), np.float32))
    with stand_in.recording():
        optimizer.apply(θ, g, coefficients)
        optimizer.apply(θ, g, coefficients)
    assert float(θ[0]) < 1


@every_optimizer
def test_a_minimum_is_found(make):
    """½ Σ c x² with c from 0.1 to 10: the gradient is c x."""
    c = np.array([0.1, 1.0, 10.0])
    optimizer, x = make(), np.array([3.0, -2.0, 1.0])
    for _ in range(600):
        optimizer.update(x, c * x)
    assert np.abs(x).max() < 0.01


# What is refused


def test_shapes_must_agree(device, xp):
    with pytest.raises(ShapeError, match=r"gradient has shape \(3,\), parameters \(4,\)"):
        Adam().update(xp.zeros(4), xp.zeros(3))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: SGD(-0.1), r"SGD\(lr=-0.1\)"),
        (lambda: SGD(math.nan), r"SGD\(lr=nan\)"),
        (lambda: Adam(math.inf), r"Adam\(lr=inf\)"),
        (lambda: SGD(0.1, 1.0), r"SGD\(momentum=1.0\): expected a number, 0 <= momentum < 1"),
        (lambda: SGD(0.1, -0.1), r"SGD\(momentum=-0.1\)"),
        (lambda: SGD(0.1, math.nan), r"SGD\(momentum=nan\)"),
        (lambda: SGD(0.1, weight_decay=-1), r"SGD\(weight_decay=-1\): expected a number, 0 <= weight_decay"),
        (lambda: SGD(0.1, weight_decay=math.nan), r"SGD\(weight_decay=nan\)"),
        (lambda: Adam(clip_norm=0), r"Adam\(clip_norm=0\): expected a number, 0 < clip_norm, or None"),
        (lambda: Adam(clip_norm=-1), r"Adam\(clip_norm=-1\)"),
        (lambda: Adam(clip_norm=math.nan), r"Adam\(clip_norm=nan\)"),
        (lambda: Adam(beta1=1.0), r"Adam\(beta1=1.0\)"),
        (lambda: Adam(beta2=1.0), r"Adam\(beta2=1.0\)"),
        (lambda: Adam(beta1=-0.1), r"Adam\(beta1=-0.1"),
        (lambda: Adam(eps=0), r"Adam\(eps=0\): expected a number, 0 < eps"),
        (lambda: Adam(eps=math.nan), r"Adam\(eps=nan\)"),
        (lambda: Cosine(0.1, 0), r"Cosine\(steps=0\)"),
        (lambda: Cosine(0.1, 10, warmup=10), r"Cosine\(warmup=10\): expected fewer updates than steps=10"),
        (lambda: Cosine(0.1, 10, warmup=-1), r"Cosine\(warmup=-1\)"),
        (lambda: Cosine(-0.1, 10), r"Cosine\(lr=-0.1"),
        (lambda: Step(0.1, 0), r"Step\(every=0\)"),
        (lambda: Step(math.nan, 10), r"Step\(lr=nan"),
    ],
)
def test_options_that_make_no_sense(make, text):
    with pytest.raises(OptionError, match=text):
        make()


def test_the_bases_compute_nothing():
    with pytest.raises(NotImplementedError):
        optimizers.Schedule()(0)
    with pytest.raises(NotImplementedError):
        optimizers.Optimizer(0.1, 0.0, None).update(np.zeros(2), np.zeros(2))
