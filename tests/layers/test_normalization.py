"""Batch normalisation against its formula and PyTorch, in training and inference; what it remembers, and where to."""

import contextlib
import copy

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae import BatchNorm
from scratchae.backend import array_module, to_numpy
from scratchae.errors import ArrayTypeError, DataError, OptionError, ShapeError
from scratchae.training.container import read

shapes = st.one_of(
    st.tuples(st.integers(2, 6), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(2, 3), st.integers(1, 4), st.integers(1, 5)),
)
some_shapes = pytest.mark.parametrize("shape", [(7, 4), (3, 5, 2, 4), (1, 2, 2, 1)], ids=str)


def training():
    return np.random.default_rng(0)


def spread(shape, seed=0):
    """For each feature random numbers whose variance is not small, so that a difference quotient is exact enough."""
    rng, features = np.random.default_rng(seed), shape[-1]
    M = int(np.prod(shape)) // features
    columns = [rng.permutation(np.linspace(-1.5, 1.5, M)) + 0.3 * rng.random(M) for _ in range(features)]
    return np.stack(columns, axis=1).reshape(shape) + rng.standard_normal(features)


def drawn_layer(features, seed=0, dtype=np.float64, **options):
    """A layer whose parameters and running averages are those of no beginning."""
    rng, layer = np.random.default_rng([seed, 1]), BatchNorm(features, **options).to(dtype=dtype)
    layer.gamma[...], layer.beta[...] = rng.standard_normal(features), rng.standard_normal(features)
    layer.running_mean[...], layer.running_var[...] = rng.standard_normal(features), 0.5 + rng.random(features)
    return layer


def close(got, expected, tolerance=1e-12):
    assert got.shape == expected.shape
    assert_allclose(to_numpy(got), expected, rtol=tolerance, atol=tolerance)


# Values


@given(shape=shapes, eps=st.sampled_from([1e-5, 0.1]), seed=st.integers(0, 999))
def test_training_against_loops(device, to_device, xp, shape, eps, seed):
    layer, x = drawn_layer(shape[-1], seed, eps=eps), spread(shape, seed)
    expected, _, _ = reference.batch_norm(x, layer.gamma, layer.beta, eps)
    close(layer.to(device).forward(to_device(x), xp.random.default_rng(0)), expected)


@given(shape=shapes, momentum=st.sampled_from([0, 0.5, 0.9, 1]), seed=st.integers(0, 999))
def test_running_averages_against_loops(device, to_device, xp, shape, momentum, seed):
    """Of the mean and of the unbiased variance, two batches long."""
    layer = drawn_layer(shape[-1], seed, momentum=momentum)
    mean, var = layer.running_mean.copy(), layer.running_var.copy()
    M = int(np.prod(shape[:-1]))
    layer.to(device)
    for i in (0, 1):
        x = spread(shape, seed + i)
        layer.forward(to_device(x), xp.random.default_rng(0))
        _, batch_mean, batch_var = reference.batch_norm(x, np.ones(shape[-1]), np.zeros(shape[-1]))
        mean = momentum * mean + (1 - momentum) * batch_mean
        var = momentum * var + (1 - momentum) * batch_var * M / (M - 1)
        close(layer.running_mean, mean)
        close(layer.running_var, var)


@given(shape=shapes, seed=st.integers(0, 999))
def test_inference_takes_the_running_averages(device, to_device, shape, seed):
    layer, x = drawn_layer(shape[-1], seed), spread(shape, seed)
    expected = layer.gamma * (x - layer.running_mean) / np.sqrt(layer.running_var + 1e-5) + layer.beta
    mean, var = layer.running_mean.copy(), layer.running_var.copy()
    close(layer.to(device).forward(to_device(x)), expected)
    assert_array_equal(to_numpy(layer.running_mean), mean)  # and leaves them as they are
    assert_array_equal(to_numpy(layer.running_var), var)


@some_shapes
def test_each_feature_has_mean_beta_and_standard_deviation_gamma(shape):
    layer, axes = drawn_layer(shape[-1], eps=1e-12), tuple(range(len(shape) - 1))
    y = layer.forward(1000 + 50 * spread(shape), training())
    close(y.mean(axis=axes), layer.beta, 1e-9)
    close(y.std(axis=axes), np.abs(layer.gamma), 1e-9)


def test_to_begin_with():
    """Inference changes next to nothing, since the averages are 0 and 1."""
    layer, x = BatchNorm(3), spread((5, 3)).astype(np.float32)
    assert_array_equal(layer.gamma, 1)
    assert_array_equal(layer.beta, 0)
    assert_allclose(layer.forward(x), x, rtol=1e-4)


def test_in_inference_an_example_does_not_depend_on_the_others():
    layer, x = drawn_layer(4), spread((6, 4))
    assert_array_equal(layer.forward(x)[:2], layer.forward(x[:2]))
    assert np.any(layer.forward(x, training())[:2] != layer.forward(x[:2], training()))
    assert layer.forward(x[:1]).shape == (1, 4)  # and may be alone


def test_far_from_zero_in_float32(device, to_device, xp):
    """The variance of what is centred, not the mean of squares less the square of the mean."""
    x = np.random.default_rng(0).standard_normal((64, 14, 14, 3)) + 3000
    layer = BatchNorm(3).to(device)
    y = to_numpy(layer.forward(to_device(x.astype(np.float32)), xp.random.default_rng(0)))
    expected, _, _ = reference.batch_norm(x.astype(np.float32).astype(np.float64), np.ones(3), np.zeros(3))
    assert_allclose(y, expected, rtol=0, atol=0.01)


def test_a_constant_feature_gives_beta():
    layer = drawn_layer(2)
    x = np.full((5, 2), 7.0)
    close(layer.forward(x, training()), np.tile(layer.beta, (5, 1)))
    assert np.isfinite(layer.backward(np.ones((5, 2)))).all()


# Gradients


@given(shape=shapes, seed=st.integers(0, 999))
def test_gradients_in_training(shape, seed):
    if np.prod(shape[:-1]) < 3:
        return  # of two numbers x̂ is ±1 whatever they are
    layer, x = drawn_layer(shape[-1], seed), spread(shape, seed)
    assert reference.layer_error(layer, x, training, seed) <= 1e-7


@given(shape=shapes, seed=st.integers(0, 999))
def test_gradients_in_inference(shape, seed):
    assert reference.layer_error(drawn_layer(shape[-1], seed), spread(shape, seed), seed=seed) <= 1e-7


@some_shapes
@pytest.mark.parametrize("noise", [False, True])
def test_gradients_on_the_device(shape, noise, device, to_device):
    layer = drawn_layer(shape[-1]).to(device)
    report = s.check_gradients(layer, to_device(spread(shape)), noise=noise)
    assert report.passed and report.worst <= 1e-7, str(report)


def test_in_training_no_gradient_moves_the_mean_or_scales_x():
    """y does not change when x is shifted or stretched, so dx has no part in these directions."""
    layer, x = drawn_layer(3, eps=1e-12), spread((8, 3))
    layer.forward(x, training())
    dx = layer.backward(np.random.default_rng(1).standard_normal((8, 3)))
    assert np.abs(dx).max() > 0.1
    assert_allclose(dx.sum(axis=0), 0, atol=1e-12)
    assert_allclose((dx * x).sum(axis=0), 0, atol=1e-9)


@some_shapes
def test_pytorch_agrees(torch, shape):
    """Two steps of training, then inference: outputs, gradients, running averages. Our momentum 0.9 is its 0.1."""
    features = shape[-1]
    layer = BatchNorm(features).to(dtype=np.float64)
    layer.gamma[...], layer.beta[...] = np.random.default_rng(5).standard_normal((2, features))
    twin = (torch.nn.BatchNorm1d if len(shape) == 2 else torch.nn.BatchNorm2d)(features).double()
    twin.weight.data, twin.bias.data = torch.tensor(layer.gamma.copy()), torch.tensor(layer.beta.copy())
    there, back = ((0, 3, 1, 2), (0, 2, 3, 1)) if len(shape) == 4 else ((0, 1), (0, 1))
    for step, rng in enumerate((training(), training(), None)):
        x = spread(shape, step) * (step + 1)
        dy = np.random.default_rng(step).standard_normal(shape)
        twin.train(rng is not None)
        twin.zero_grad()
        tx = torch.tensor(x.transpose(there).copy(), requires_grad=True)
        ty = twin(tx)
        ty.backward(torch.tensor(dy.transpose(there).copy()))
        close(layer.forward(x, rng), ty.detach().numpy().transpose(back))
        close(layer.backward(dy), tx.grad.numpy().transpose(back), 1e-11)
        close(layer.dgamma, twin.weight.grad.numpy(), 1e-11)
        close(layer.dbeta, twin.bias.grad.numpy(), 1e-11)
        close(layer.running_mean, twin.running_mean.numpy())
        close(layer.running_var, twin.running_var.numpy())


# What every layer promises


@some_shapes
@pytest.mark.parametrize("mode", ["training", "inference"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_device_are_kept_and_inputs_unchanged(shape, mode, dtype, device, to_device, xp):
    layer, x = drawn_layer(shape[-1], dtype=dtype, momentum=np.float64(0.9), eps=np.float64(1e-5)), spread(shape)
    x = x.astype(dtype)
    given_x = to_device(x.copy())
    y = layer.to(device).forward(given_x, xp.random.default_rng(0) if mode == "training" else None)
    kept, dy = to_numpy(y).copy(), np.random.default_rng(1).standard_normal(shape).astype(dtype)
    given_dy = to_device(dy.copy())
    dx = layer.backward(given_dy)
    for before, after in ((x, given_x), (dy, given_dy), (kept, y)):
        assert_array_equal(to_numpy(after), before)
    for a in (y, dx, layer.dgamma, layer.dbeta, layer.running_mean, layer.running_var):
        assert a.dtype == dtype and array_module(a) is xp
    assert dx.shape == x.shape and layer.dgamma.shape == layer.gamma.shape


@pytest.mark.parametrize("mode", ["training", "inference"])
def test_gradients_are_set_where_they_are_not_accumulated(mode, device, to_device, xp):
    layer, x = drawn_layer(3, dtype=np.float32).to(device), to_device(spread((5, 3)).astype(np.float32))
    dgamma, dbeta = layer.dgamma, layer.dbeta
    layer.forward(x, xp.random.default_rng(0) if mode == "training" else None)
    dy = to_device(np.random.default_rng(1).standard_normal((5, 3)).astype(np.float32))
    dx = to_numpy(layer.backward(dy))
    once = to_numpy(dgamma).copy(), to_numpy(dbeta).copy()
    assert once[0].all() and once[1].all()
    assert_array_equal(to_numpy(layer.backward(dy)), dx)
    assert layer.dgamma is dgamma and layer.dbeta is dbeta
    dgamma[...], dbeta[...] = 7, 7
    assert layer.backward_parameters(dy) is None
    assert_array_equal(to_numpy(dgamma), once[0])
    assert_array_equal(to_numpy(dbeta), once[1])


@some_shapes
def test_steps_are_recordable_and_read_nothing_back(shape, stand_in):
    layer, x = BatchNorm(shape[-1]).to("gpu"), stand_in.asarray(spread(shape).astype(np.float32))
    rng = stand_in.random.default_rng(0)
    layer.forward(x, rng)
    layer.backward(x)
    before = stand_in.host_reads
    with stand_in.recording():
        for generator in (rng, None):
            layer.forward(x, generator)
            layer.backward(x)
    assert stand_in.host_reads == before


def test_repr():
    assert repr(BatchNorm(4)) == "BatchNorm(4)"
    layer = BatchNorm(4, momentum=np.float64(0.5), eps=0.1)
    assert repr(layer) == "BatchNorm(4, momentum=0.5, eps=0.1)"
    assert eval(repr(layer), vars(s)).arguments() == layer.arguments()


# The running averages, wherever a model goes


def data(n=40, seed=0):
    return np.random.default_rng(seed).random((n, 6), dtype=np.float32)


def model(*before, seed=0):
    rng = np.random.default_rng(seed)
    encoder = s.Sequential(*before, s.Dense(6, 4, rng=rng), BatchNorm(4), s.Tanh())
    return s.Autoencoder(encoder, s.Sequential(s.Dense(4, 6, rng=rng), BatchNorm(6)), loss=s.MSE())


def train(m, x=None, **options):
    defaults = {"epochs": 3, "batch_size": 8, "optimizer": s.Adam(0.01), "progress": False}
    return s.fit(m, data() if x is None else x, **defaults | options)


def everything(m):
    return {name: to_numpy(tensor).copy() for name, tensor in m.tensors().items()}


def assert_equal(a, b):
    assert a.keys() == b.keys() and sum("running_" in name for name in a) == 4
    for name in a:
        assert a[name].dtype == b[name].dtype
        assert_array_equal(a[name], b[name], err_msg=name)


def test_to_moves_the_running_averages(device, xp):
    layer = drawn_layer(3, dtype=np.float32)
    mean, var = layer.running_mean.copy(), layer.running_var.copy()
    layer.to(device, np.float64)
    for moved, before in ((layer.running_mean, mean), (layer.running_var, var)):
        assert array_module(moved) is xp and moved.dtype == np.float64
        assert_array_equal(to_numpy(moved), before)
    layer.to("cpu", np.float32)
    assert array_module(layer.running_mean) is np and layer.running_mean.dtype == np.float32


def test_a_model_counts_and_moves_no_buffers_as_parameters(device, xp):
    m = model().to(device, np.float64)
    assert m.parameter_count() == (6 * 4 + 4) + 2 * 4 + (4 * 6 + 6) + 2 * 6
    assert [name for name, _, _ in m.named_buffers()] == [
        "encoder.1.running_mean", "encoder.1.running_var", "decoder.1.running_mean", "decoder.1.running_var",
    ]  # fmt: skip
    for _, layer, attribute in m.named_buffers():
        assert array_module(getattr(layer, attribute)) is xp and getattr(layer, attribute).dtype == np.float64


def test_deepcopy_is_independent():
    m, x = model(), data()
    train(m)
    for twin in (copy.deepcopy(m), copy.copy(m)):
        assert_equal(everything(twin), everything(m))
        before = everything(m)
        twin.training_step(x, training())
        assert np.any(twin.encoder.layers[1].running_mean != m.encoder.layers[1].running_mean)
        assert_equal(everything(m), before)


def test_saved_and_loaded(tmp_path):
    m = model()
    train(m)
    assert np.abs(m.encoder.layers[1].running_mean).max() > 0.01
    s.save(m, tmp_path / "m")
    loaded = s.load(tmp_path / "m")
    assert_equal(everything(loaded), everything(m))
    assert_array_equal(loaded.reconstruct(data()), m.reconstruct(data()))


@pytest.mark.parametrize("stop", [1, 2, 4])
def test_resumed_bit_for_bit(stop, tmp_path, device):
    def run(epochs, checkpoint, resume=False):
        m = model(s.GaussianNoise(0.1))
        history = train(m, epochs=epochs, checkpoint=checkpoint, resume=resume, device=device, validation=data(9, 1))
        return everything(m), history

    straight, history = run(4, tmp_path / "straight")
    run(stop, tmp_path / "parts")
    resumed, later = run(4, tmp_path / "parts", resume=True)
    assert_equal(resumed, straight)
    assert later.columns["validation_loss"] == history.columns["validation_loss"]


def test_patience_restores_those_of_the_best_epoch(tmp_path, device):
    """Training data that lead ever farther away: the first epoch is the best, and its averages come back."""
    x, validation = data() * 5 + 3, data(20, 1)
    first = model()
    train(first, x, epochs=1, device=device, validation=validation)
    m = model()
    options = {"validation": validation, "patience": 2, "checkpoint": tmp_path / "c", "device": device}
    history = train(m, x, epochs=9, **options)
    losses = history.columns["validation_loss"]
    assert history.stopped_early and np.argmin(losses) == 0
    assert_equal(everything(m), everything(first))
    assert s.evaluate(m.to("cpu"), validation)["loss"] == pytest.approx(losses[0], rel=1e-6)
    assert any(name.startswith("best.") and name.endswith("running_var") for name in read(tmp_path / "c")[1])


def test_evaluation_in_between_leaves_no_trace():
    alone, watched = model(), model()
    train(alone)
    train(watched, validation=data(9, 1) + 5)
    assert_equal(everything(watched), everything(alone))


# What is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": 0}, r"BatchNorm\(features=0\): expected a whole number, at least 1"),
        ({"features": -2}, r"features=-2"),
        ({"features": 2, "momentum": -0.1}, r"BatchNorm\(momentum=-0\.1\): expected a number, 0 <= momentum <= 1"),
        ({"features": 2, "momentum": 1.1}, r"momentum=1\.1"),
        ({"features": 2, "momentum": np.nan}, r"momentum=nan"),
        ({"features": 2, "eps": 0}, r"BatchNorm\(eps=0\): expected a number, 0 < eps"),
        ({"features": 2, "eps": -1e-5}, r"eps=-1e-05"),
        ({"features": 2, "eps": np.nan}, r"eps=nan"),
    ],
    ids=str,
)
def test_options_that_make_no_sense(arguments, message):
    with pytest.raises(OptionError, match=message):
        BatchNorm(**arguments)


@pytest.mark.parametrize("shape", [(4,), (4, 5), (2, 3, 6), (), (2, 6, 3, 3), (2, 3, 3, 3, 6)], ids=str)
def test_wrong_shapes(shape, device, xp):
    layer = BatchNorm(6).to(device)
    layer.name = "encoder.1"
    with pytest.raises(ShapeError) as error:
        layer.forward(xp.zeros(shape, dtype=np.float32))
    text = str(error.value)
    assert "encoder.1 BatchNorm(6)" in text and f"got {shape}" in text
    assert "(N, 6) or (N, H, W, 6)" in text and "last axis" in text


@pytest.mark.parametrize("shape", [(1, 3), (1, 1, 1, 3)], ids=str)
def test_one_number_has_no_variance(shape, device, xp):
    layer, x = BatchNorm(3).to(device), xp.ones(shape, dtype=np.float32)
    with pytest.raises(DataError) as error:
        layer.forward(x, xp.random.default_rng(0))
    assert str(shape) in str(error.value) and "batches of at least 2" in str(error.value)
    assert_array_equal(to_numpy(layer.running_mean), 0)
    assert layer.forward(x).shape == shape


@pytest.mark.parametrize("rng", [None, training()], ids=["inference", "training"])
def test_an_empty_batch_is_refused_or_gives_an_empty_batch(rng):
    """But no NumPy error, and no NaN in the running averages."""
    layer = BatchNorm(3)
    with contextlib.suppress(s.ScratchaeError):
        assert layer.forward(np.zeros((0, 3), np.float32), rng).shape == (0, 3)
    assert np.isfinite(layer.running_mean).all() and np.isfinite(layer.running_var).all()


def test_a_list_is_no_array():
    with pytest.raises(ArrayTypeError, match=r"is a list: expected an array of floats"):
        BatchNorm(1).forward([[1.0]])
