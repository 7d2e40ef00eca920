"""Flat parameters: the layers' parameters are views into one vector, through all that can happen to a model."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import array_module, to_numpy
from scratchae.errors import DataError, OptionError
from scratchae.models import Model


def autoencoder(d=5, **options):
    encoder = s.Sequential(s.Dense(d, 4, rng=1), s.Tanh(), s.Sequential(s.Dense(4, 3, rng=2), s.Sigmoid()))
    decoder = s.Sequential(s.Dense(3, 4, rng=3), s.Tanh(), s.Dense(4, d, rng=4))
    return s.Autoencoder(encoder, decoder, loss=s.MSE(), **options)


kinds = pytest.mark.parametrize("options", [{}, {"tied": True}, {"penalty": s.L1(0.1)}], ids=str)


def data(n=6, d=5, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).random((n, d)).astype(dtype)


def train(model, x, steps=3, optimizer=None):
    optimizer = optimizer or s.Adam(0.01, weight_decay=0.1)
    for _ in range(steps):
        model.training_step(x)
        optimizer.update(model.parameters, model.gradient)
    return model


def assert_views(model):
    """Every parameter and gradient is a view at its place in the two vectors, and the gaps hold zeros."""
    xp = array_module(model.parameters)
    end, used = 0, np.zeros(len(model.parameters), bool)
    for name, layer, attribute in model.named_parameters():
        start = -(-end // 16) * 16
        for vector, target in ((model.parameters, attribute), (model.gradient, "d" + attribute)):
            view = getattr(layer, target)
            assert xp.shares_memory(view, vector), f"{name} of {target}"
            assert_array_equal(to_numpy(vector[start : start + view.size].reshape(view.shape)), to_numpy(view))
            assert view.dtype == vector.dtype == model.parameters.dtype
        end = start + view.size
        used[start:end] = True
    assert len(model.parameters) == len(model.gradient) == -(-end // 16) * 16
    assert used.sum() == model.parameter_count()
    assert not to_numpy(model.parameters)[~used].any() and not to_numpy(model.gradient)[~used].any()


# The layout


@kinds
def test_parameters_and_gradients_are_views(options, device, to_device):
    model = autoencoder(**options).to(device)
    assert_views(model)
    train(model, to_device(data()))
    assert_views(model)
    assert to_numpy(model.gradient).any()


@given(sizes=st.lists(st.integers(1, 20), min_size=2, max_size=5))
def test_views_start_at_multiples_of_64_bytes(sizes):
    layers = [s.Dense(a, b, rng=i) for i, (a, b) in enumerate(itertools.pairwise(sizes))]
    drawn = [layer.W.copy() for layer in layers]
    model = s.Autoencoder(s.Sequential(*layers), s.Dense(sizes[-1], sizes[0]), loss=s.MSE())
    assert_views(model)
    for layer, W in zip(layers, drawn, strict=True):
        assert_array_equal(layer.W, W)
        for a in (layer.W, layer.b, layer.dW, layer.db):
            vector = model.parameters if a is layer.W or a is layer.b else model.gradient
            assert (a.ctypes.data - vector.ctypes.data) % 64 == 0


def test_writing_to_the_vector_is_seen_by_the_layers_and_the_other_way_round(device, xp):
    model = autoencoder().to(device)
    model.parameters[...] = xp.arange(len(model.parameters), dtype=np.float32)
    first = model.encoder.layers[0]
    assert_array_equal(to_numpy(first.W).ravel(), np.arange(20))
    assert_array_equal(to_numpy(first.b), [32, 33, 34, 35])  # after 20 numbers and a gap of 12
    first.b[...] = -1
    assert_array_equal(to_numpy(model.parameters[32:36]), -1)


def test_names_and_order():
    model = autoencoder()
    names = [name for name, _, _ in model.named_parameters()]
    layers = ["encoder.0", "encoder.2.0", "decoder.0", "decoder.2"]
    assert names == [f"{layer}.{p}" for layer in layers for p in ("W", "b")]
    assert [n for n, _ in model.leaves()] == [
        "encoder.0", "encoder.1", "encoder.2.0", "encoder.2.1", "decoder.0", "decoder.1", "decoder.2",
    ]  # fmt: skip
    assert model.decoder.layers[2].name == "decoder.2"  # for error messages
    assert model.parameter_count() == (5 * 4 + 4) + (4 * 3 + 3) + (3 * 4 + 4) + (4 * 5 + 5)


@pytest.mark.parametrize("kind", [s.SGD, s.Adam])
def test_gaps_stay_zero_in_training(kind, device, to_device):
    optimizer = kind(0.1, 0.9, weight_decay=0.1, clip_norm=0.1)  # momentum, or beta1
    model = train(autoencoder().to(device), to_device(data()), 20, optimizer)
    assert_views(model)
    for vector in optimizer.state().values():
        assert_array_equal(to_numpy(vector)[20:32], 0)  # the first gap


def test_gradients_are_set_not_added_up(device, to_device):
    model, x = autoencoder(tied=True).to(device), to_device(data())
    model.training_step(x)
    once = to_numpy(model.gradient).copy()
    model.training_step(x)
    assert_array_equal(to_numpy(model.gradient), once)


# Copies

COPIES = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "deepcopy in a list": lambda model: copy.deepcopy([model, model.encoder])[0],
}


@kinds
@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_copies_are_whole_and_independent(options, duplicate, device, to_device):
    x = to_device(data())
    model = train(autoencoder(**options).to(device), x)
    before = to_numpy(model.parameters).copy()
    gradient = to_numpy(model.gradient).copy()
    twin = duplicate(model)
    assert type(twin) is s.Autoencoder and repr(twin) == repr(model)
    assert array_module(twin.parameters) is array_module(model.parameters)
    for m in (model, twin):
        assert_views(m)
        assert_array_equal(to_numpy(m.parameters), before)
        assert_array_equal(to_numpy(m.gradient), gradient)
    train(twin, x)
    assert_views(twin)
    assert_array_equal(to_numpy(model.parameters), before)
    assert_array_equal(to_numpy(model.gradient), gradient)
    train(model, x)
    assert_array_equal(to_numpy(model.parameters), to_numpy(twin.parameters))  # both went the same way


def test_copies_of_the_encoder_alone_leave_the_model(device):
    model = autoencoder().to(device)
    encoder = copy.deepcopy(model.encoder)
    encoder.layers[0].W[...] = 0
    assert_views(model)
    assert to_numpy(model.encoder.layers[0].W).any()


# Moves


@kinds
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_to_dtype(options, device, to_device, dtype):
    model = autoencoder(**options).to(device)
    before = to_numpy(model.parameters).copy()
    assert model.to(dtype=dtype) is model
    assert_views(model)
    assert model.parameters.dtype == model.gradient.dtype == dtype
    assert_array_equal(to_numpy(model.parameters), before)  # float32 to float64 is exact
    x = to_device(data(dtype=dtype))
    metrics = model.training_step(x)
    assert {m.dtype for m in metrics.values()} == {np.dtype(dtype)} == {model.reconstruct(x).dtype}
    assert_views(train(model, x))


@kinds
def test_to_device_and_back(options, device, to_device, xp):
    model = autoencoder(**options)
    before = model.parameters.copy()
    model.to(device)
    assert array_module(model.parameters) is array_module(model.gradient) is xp
    assert_views(train(model, to_device(data())))
    there = to_numpy(model.parameters).copy()
    model.to("cpu")
    assert type(model.parameters) is np.ndarray
    assert_views(model)
    assert_array_equal(model.parameters, there)
    assert_views(train(model, data()))
    assert np.any(before != model.parameters)


@kinds
def test_devices_agree(options, device, to_device):
    x = data(dtype=np.float64)
    here = train(autoencoder(**options).to(dtype=np.float64), x, 20)
    there = train(autoencoder(**options).to(device, np.float64), to_device(x), 20)
    assert_allclose(to_numpy(there.parameters), here.parameters, rtol=1e-9, atol=1e-12)
    assert_allclose(to_numpy(there.reconstruct(to_device(x))), here.reconstruct(x), rtol=1e-9)


# What the layers hold is the truth


def test_a_new_array_is_taken_up_by_gather(device, to_device):
    model = autoencoder().to(device)
    first = model.encoder.layers[0]
    new = data(5, 4, seed=9)
    first.W = to_device(new)
    first.dW = to_device(2 * new)
    others = to_numpy(model.decoder.layers[0].W).copy()
    model.gather()
    assert_views(model)
    assert_array_equal(to_numpy(first.W), new)
    assert_array_equal(to_numpy(first.dW), 2 * new)
    assert_array_equal(to_numpy(model.decoder.layers[0].W), others)
    first.W[...] = 0
    assert new.any()  # copied, not kept


def test_a_new_array_of_the_encoder_is_taken_up_by_a_tied_decoder(device, to_device):
    model = autoencoder(tied=True).to(device)
    new = data(5, 4, seed=9)
    model.encoder.layers[0].W = to_device(new)
    model.gather()
    assert_views(model)
    assert_array_equal(to_numpy(model.decoder.layers[2].W), new.T)


def test_layers_used_in_two_models_belong_to_the_last_until_gather(device):
    first = autoencoder().to(device)
    second = s.Autoencoder(first.encoder, s.Dense(3, 5).to(device), loss=s.MSE())
    assert_views(second)
    second.encoder.layers[0].b[...] = 7
    first.gather()
    assert_views(first)
    assert_array_equal(to_numpy(first.encoder.layers[0].b), 7)


# Nothing is read back in a step


def test_a_training_step_reads_nothing_back(stand_in):
    model, x = autoencoder(penalty=s.SparseKL(0.1, 0.1)).to("gpu"), stand_in.asarray(data())
    optimizer = s.Adam(clip_norm=1.0)
    before = stand_in.host_reads
    model.training_step(x, stand_in.random.default_rng(0))
    optimizer.update(model.parameters, model.gradient)
    assert stand_in.host_reads == before


@pytest.mark.parametrize("loss", [s.BCE(), s.BCEWithLogits(), s.MSE()], ids=repr)
def test_a_training_step_can_be_recorded_into_a_graph(stand_in, loss):
    decoder = s.Sequential(s.Dense(3, 5), s.Sigmoid())
    model = s.Autoencoder(s.Sequential(s.Dropout(0.5), s.Dense(5, 3)), decoder, loss=loss).to("gpu")
    x, rng = stand_in.asarray(data()), stand_in.random.default_rng(0)
    with stand_in.recording():
        model.training_step(x, rng)


# A model of one's own


class Regression(Model):
    """The shortest model: one part, squared error."""

    part_names = ("part",)

    def __init__(self, part):
        self.part = part
        self.gather()

    def objective(self, x, rng=None):
        value, self.dy = s.MSE()(self.part.forward(x, rng), 2 * x)
        return {"loss": value}

    def training_step(self, x, rng=None):
        metrics = self.objective(x, rng)
        self.part.backward_parameters(self.dy)
        return metrics


def test_a_model_of_one_s_own(device, to_device):
    model = Regression(s.Dense(3, 3)).to(device)
    assert [name for name, _, _ in model.named_parameters()] == ["part.W", "part.b"]
    assert_views(model)
    x = to_device(data(8, 3) - 0.5)
    train(model, x, 400, s.Adam(s.Cosine(0.1, 400)))
    assert_allclose(to_numpy(model.part.W), 2 * np.eye(3), atol=0.01)
    assert repr(model) == "Regression(Dense(3, 3))"
    assert s.check_gradients(Regression(s.Dense(3, 3)), data(4, 3)).passed


def test_the_base_computes_nothing():
    with pytest.raises(NotImplementedError):
        Model().objective(data())
    with pytest.raises(DataError, match="Model has no parameters"):
        Model().training_step(data())
    Model().check_data(data())  # has no objection


def test_a_model_without_parameters():
    with pytest.raises(DataError, match="Regression has no parameters"):
        Regression(s.Sequential(s.ReLU(), s.Flatten()))


def test_one_layer_cannot_stand_in_two_parts():
    shared = s.Dense(3, 3)
    with pytest.raises(OptionError, match=r"layers encoder and decoder\.1 are the same object, Dense\(3, 3\)"):
        s.Autoencoder(shared, s.Sequential(s.ReLU(), shared), loss=s.MSE())
