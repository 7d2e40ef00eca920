"""A training step in parts is the step in one: the same gradient, the same metrics, whatever the number of cores."""

import copy
import itertools
import pickle
import threading
import tracemalloc

import numpy as np
import pytest
import strict
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae import backend
from scratchae.backend import blas_threads, to_numpy
from scratchae.models import parallel

FEATURES = 6


@pytest.fixture(autouse=True)
def split(monkeypatch):
    """Sets how many cores there seem to be, and how few numbers make a part; to begin with 2, and 1: so every step
    whose batch allows it goes in parts.
    """

    def set_up(cores=2, least=1):
        monkeypatch.setattr(parallel, "cores", lambda: cores)
        monkeypatch.setattr(parallel, "LEAST", least)

    set_up()
    return set_up


@pytest.fixture
def steps(monkeypatch):
    """The numbers of parts of the steps that were taken in parts."""
    taken, step = [], parallel.training_step
    monkeypatch.setattr(parallel, "training_step", lambda *a: taken.append(a[3]) or step(*a))
    return taken


def data(n=40, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).random((n, FEATURES)).astype(dtype)


def images(n=40, seed=0):
    return np.random.default_rng(seed).random((n, 6, 5, 1))


def dense(*before, loss=None, dtype=np.float64, seed=0, kind=s.Autoencoder, after=(), **options):
    rng = np.random.default_rng(seed)
    encoder = s.Sequential(*before, s.Dense(FEATURES, 4, rng=rng), s.Tanh())
    decoder = s.Sequential(s.Dense(4, FEATURES, rng=rng), *after)
    return kind(encoder, decoder, loss=loss or s.MSE(), **options).to(dtype=dtype)


def convolutional():
    encoder = s.Sequential(
        s.Conv2d(1, 3, 3, stride=2, padding=1, rng=1), s.ReLU(), s.Conv2d(3, 4, 2, rng=2), s.Tanh()
    )
    decoder = s.Sequential(
        *(s.ConvTranspose2d(4, 3, 2, rng=3), s.LeakyReLU(), s.UpSample2d(2), s.AvgPool2d((1, 2), (1, 1))),
        *(s.MaxPool2d(1), s.Conv2d(3, 1, 1, rng=4), s.Flatten(), s.Reshape((6, 5, 1))),
    )
    return s.Autoencoder(encoder, decoder, loss=s.BCEWithLogits(), penalty=None).to(dtype=np.float64)


MODELS = {
    "dense": (dense, data),
    "tied": (lambda: dense(tied=True), data),
    "L1": (lambda: dense(penalty=s.L1(0.1)), data),
    "BCE": (lambda: dense(loss=s.BCE(), after=[s.Sigmoid()]), data),
    "softplus": (lambda: dense(s.Identity(), after=[s.Softplus()]), data),
    "tied, L1, logits": (lambda: dense(tied=True, penalty=s.L1(0.1), loss=s.BCEWithLogits()), data),
    "convolution": (convolutional, images),
}
every_model = pytest.mark.parametrize("name", MODELS)
cores_1_2_3 = pytest.mark.parametrize("cores", [1, 2, 3])


def in_one(model, x, rng=None):
    """Gradient and metrics of a step in one part."""
    metrics = model.objective(x, rng)
    model.backward()
    return model.gradient.copy(), metrics


def assert_same_step(model, x, expected, rng=None):
    metrics = model.training_step(x, rng)
    assert metrics.keys() == expected[1].keys()
    for key in metrics:
        assert_allclose(metrics[key], expected[1][key], rtol=1e-12)
    scale = np.abs(expected[0]).max()
    assert scale > 0
    assert_allclose(model.gradient, expected[0], rtol=0, atol=1e-12 * scale)


# The same step


@every_model
@cores_1_2_3
@pytest.mark.parametrize("n", [40, 7, 17])  # 7 and 17 leave parts of different sizes
def test_a_step_in_parts_is_the_step_in_one(name, cores, n, split, steps):
    make, draw = MODELS[name]
    model, x = make(), draw(n)
    expected = in_one(copy.deepcopy(model), x)
    split(cores, parallel.Team(make()).outputs(x))  # a part for each example, rounded down to a power of two
    for _ in range(3):  # gradients are set: nothing is left of the step before
        assert_same_step(model, x, expected)
    assert steps == [min(16, 2 ** (n.bit_length() - 1))] * 3


@given(n=st.integers(1, 40), cores=st.integers(1, 5), parts=st.sampled_from([2, 4, 8, 16]), seed=st.integers(0, 99))
def test_any_batch_in_any_number_of_parts(n, cores, parts, seed, split):
    split(cores)
    model, x = dense(penalty=s.L1(0.1), seed=seed), data(n, seed)
    expected = in_one(model, x)
    if parts > n:
        return
    model.team = parallel.Team(model)
    metrics = parallel.training_step(model, x, None, parts)
    assert_allclose(metrics["loss"], expected[1]["loss"], rtol=1e-12)
    assert_allclose(model.gradient, expected[0], rtol=0, atol=1e-12 * np.abs(expected[0]).max())


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_batch_of_few_but_large_examples(n):
    """A part has an example at least, however many numbers that keeps."""
    model, x = dense(penalty=s.L1(0.1)), data(n)
    assert_same_step(model, x, in_one(copy.deepcopy(model), x))


@cores_1_2_3
def test_metrics_and_gradient_keep_their_dtype(cores, split, steps):
    split(cores)
    model, x = dense(dtype=np.float32, penalty=s.L1(0.1)), data(dtype=np.float32)
    expected = in_one(model, x)
    metrics = model.training_step(x)
    assert steps == [16]
    assert {key: value.dtype for key, value in metrics.items()} == dict.fromkeys(expected[1], np.float32)
    assert model.gradient.dtype == np.float32
    assert_allclose(model.gradient, expected[0], rtol=1e-4, atol=1e-6)


def test_nothing_that_is_handed_in_is_changed(steps):
    model, x = dense(s.Dropout(0.5)), data()
    parameters, before = model.parameters.copy(), x.copy()
    model.training_step(x, np.random.default_rng(0))
    assert steps
    assert_array_equal(x, before)
    assert_array_equal(model.parameters, parameters)
    assert_array_equal(model.gradient[24:32], 0)  # the gap after the first W stays empty


def test_training_in_parts_is_training_in_one(split, steps):
    """Through fit: what the optimizer does to the parameters reaches the twins, also those of a tied W."""
    for options in ({}, {"tied": True}):
        found = []
        for cores, least in ((1, 10**9), (1, 1), (3, 1)):
            split(cores, least)
            model = dense(**options)
            history = s.fit(model, data(), epochs=3, batch_size=17, optimizer=s.Adam(0.01), progress=False)
            found.append((model.parameters, history.columns["loss"]))
        for parameters, loss in found[1:]:
            assert_allclose(parameters, found[0][0], rtol=1e-9, atol=1e-12)
            assert_allclose(loss, found[0][1], rtol=1e-9)
    assert len(steps) == 2 * 2 * 3 * 3  # 17, 17 and 6 examples


# Noise


NOISES = [
    s.Dropout(0.4),
    s.MaskingNoise(0.4),
    s.SaltAndPepper(0.4),
    s.GaussianNoise(0.4),
    s.GaussianNoise(0.4, (0, 1)),
]


@pytest.mark.parametrize("layer", NOISES, ids=repr)
def test_noise_is_the_same_whatever_the_cores(layer, split, steps):
    found = []
    for cores in (1, 2, 3, 16):
        split(cores)
        model, rng = dense(copy.deepcopy(layer)), np.random.default_rng(7)
        found.append([(model.training_step(data(19), rng), model.gradient.copy()) for _ in range(2)])
    assert steps == [16] * 8
    for other in found[1:]:
        for (metrics, gradient), (expected, expected_gradient) in zip(other, found[0], strict=True):
            assert_allclose(metrics["loss"], expected["loss"], rtol=1e-12)
            assert_allclose(gradient, expected_gradient, rtol=0, atol=1e-12 * np.abs(expected_gradient).max())
    (first, _), (second, _) = found[0]
    assert abs(first["loss"] - second["loss"]) > 1e-6  # the next step has noise of its own


@cores_1_2_3
def test_the_same_seed_gives_the_same_bits(cores, split, steps):
    split(cores)
    bits = []
    for _ in range(2):
        model, rng = dense(s.Dropout(0.4), dtype=np.float32), np.random.default_rng(7)
        for _ in range(3):
            metrics = model.training_step(data(40, dtype=np.float32), rng)
            model.parameters -= 0.1 * model.gradient
        bits.append((model.parameters.tobytes(), float(metrics["loss"])))
    assert bits[0] == bits[1] and len(steps) == 6


def test_parts_draw_noise_of_their_own():
    """Examples that are all the same come out of 16 parts with 16 masks."""
    noise = s.GaussianNoise(1.0)
    model, x = dense(noise), np.tile(data(1), (16, 1))
    seen, forward = [], s.GaussianNoise.forward

    def watched(layer, x, rng=None):
        y = forward(layer, x, rng)
        if rng is not None:
            seen.append(layer.noise.copy())
        return y

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s.GaussianNoise, "forward", watched)
        model.training_step(x, np.random.default_rng(0))
    assert len(seen) == 16
    for a, b in itertools.combinations(seen, 2):
        assert np.all(a != b)


def test_a_step_in_parts_estimates_the_same_mean_loss():
    """With noise the parts draw other numbers than the whole, of the same distribution."""
    model, x, rng = dense(s.Dropout(0.5)), data(64), np.random.default_rng(0)
    parts = [float(model.training_step(x, rng)["loss"]) for _ in range(200)]
    one = [float(model.objective(x, rng)["loss"]) for _ in range(200)]
    error = np.hypot(np.std(parts), np.std(one)) / np.sqrt(200)
    assert abs(np.mean(parts) - np.mean(one)) < 5 * error
    assert 0.7 < np.std(parts) / np.std(one) < 1.4


def test_an_rng_that_cannot_be_split_serves_the_whole_batch(steps):
    class Injected:
        def random(self, size, dtype):
            return np.linspace(0, 1, np.prod(size), dtype=dtype).reshape(size)

    model, x = dense(s.Dropout(0.5)), data()
    expected = in_one(copy.deepcopy(model), x, Injected())
    assert parallel.count_parts(model, x, Injected()) == 1
    assert_same_step(model, x, expected, Injected())
    assert steps == []


# In how many parts


def test_model_and_batch_alone_decide_in_how_many(monkeypatch, split):
    """Not the cores: a power of two, by what the layers put out."""

    def never():
        raise AssertionError("asked for the number of cores")

    split(least=100)
    monkeypatch.setattr(parallel, "cores", never)
    monkeypatch.setattr(backend, "cores", never)
    counts = {n: parallel.count_parts(dense(), data(n), None) for n in (1, 7, 8, 28, 29, 57, 58, 114, 115, 1000)}
    # 14 numbers an example, see below: two parts from 100 on, then one for each 100
    assert counts == {1: 1, 7: 1, 8: 2, 28: 2, 29: 4, 57: 4, 58: 8, 114: 8, 115: 16, 1000: 16}


def test_small_steps_are_not_split(monkeypatch, steps):
    monkeypatch.undo()
    model = dense()
    assert parallel.count_parts(model, data(128), None) == 1
    assert parallel.count_parts(model, np.broadcast_to(np.zeros(FEATURES), (10**7, FEATURES)), None) == 16


def test_outputs_are_those_of_an_example():
    """Of Dense (4), Tanh (4) and Dense (6)."""
    for n in (1, 7):
        assert parallel.Team(dense()).outputs(data(n)) == 4 + 4 + 6


@pytest.mark.parametrize("noise", [s.GaussianNoise(0.1), s.SaltAndPepper(0.1), s.Dropout(0.1)], ids=repr)
def test_what_a_model_did_before_does_not_decide(noise, split):
    """Else a model that is trained on, or resumed, would draw other noise than a new one."""
    split(least=200)
    model, x = dense(copy.deepcopy(noise)), data(64)
    new = parallel.count_parts(copy.deepcopy(model), x, np.random.default_rng(0))
    model.objective(x, np.random.default_rng(0))
    model.backward()
    model.gather()  # as fit begins
    assert parallel.count_parts(model, x, np.random.default_rng(0)) == new


def test_resuming_with_the_model_at_hand_draws_the_same_noise(split, tmp_path):
    split(least=200)
    options = {"batch_size": 32, "progress": False}
    x = data(64)

    def make():
        return dense(s.GaussianNoise(0.3))

    straight = make()
    s.fit(straight, x, epochs=2, optimizer=s.Adam(0.01), **options)
    model, optimizer = make(), s.Adam(0.01)
    s.fit(model, x, epochs=1, optimizer=optimizer, checkpoint=tmp_path / "c", **options)
    s.fit(model, x, epochs=2, optimizer=optimizer, checkpoint=tmp_path / "c", resume=True, **options)
    assert_allclose(model.parameters, straight.parameters, rtol=1e-9, atol=1e-12)


def test_larger_images_are_counted_as_such(split):
    """A convolutional model takes images of any size; the batch decides, not the first one it saw."""
    encoder = s.Sequential(s.Conv2d(1, 2, 3, padding=1), s.Tanh())
    model = s.Autoencoder(encoder, s.ConvTranspose2d(2, 1, 3, padding=1), loss=s.MSE())
    split(least=10**4)
    small, large = np.zeros((8, 4, 4, 1), np.float32), np.zeros((8, 32, 32, 1), np.float32)
    expected = parallel.count_parts(copy.deepcopy(model), large, None)
    assert parallel.count_parts(model, small, None) == 1 < expected
    assert parallel.count_parts(model, large, None) == expected


# What changes between two steps


@cores_1_2_3
@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m, "penalty", s.L1(5.0)),
        lambda m: setattr(m, "penalty", None),
        lambda m: setattr(m.penalty, "weight", 5.0),
        lambda m: setattr(m, "loss", s.BCEWithLogits()),
        lambda m: setattr(m.decoder.layers[1], "slope", 0.9),
        lambda m: m.parameters.__imul__(2),
        lambda m: setattr(m.encoder.layers[0], "W", m.encoder.layers[0].W * 2),
        lambda m: setattr(m.encoder.layers[0], "b", m.encoder.layers[0].b + 1),
    ],
    ids=["penalty", "no penalty", "weight", "loss", "slope", "parameters", "W", "b"],
)
@pytest.mark.parametrize("tied", [False, True])
def test_changes_between_two_steps_reach_the_twins(change, cores, tied, split, steps):
    split(cores)
    model, x = dense(after=[s.LeakyReLU(0.1)], penalty=s.L1(0.1), tied=tied), data()
    first = in_one(model, x)
    assert_same_step(model, x, first)
    change(model)
    second = in_one(model, x)
    assert np.abs(second[0] - first[0]).max() > 0.01
    assert_same_step(model, x, second)
    assert len(steps) == 2


@cores_1_2_3
def test_a_rate_changed_between_two_steps_reaches_the_twins(cores, split, steps):
    split(cores)
    model, x = dense(s.Dropout(0.9)), data()
    expected = in_one(copy.deepcopy(model), x)
    model.training_step(x, np.random.default_rng(0))
    assert np.abs(model.gradient - expected[0]).max() > 1e-3
    model.encoder.layers[0].rate = 0.0
    assert_same_step(model, x, expected, np.random.default_rng(0))
    assert len(steps) == 2


@pytest.mark.parametrize("name", ["penalty", "loss"])
def test_what_looks_at_the_whole_batch_may_come_later(name, steps):
    """From then on the batch must stay whole."""
    model = sparse()
    sparse_kl, model.penalty = model.penalty, s.L1(0.1)
    model.training_step(data())
    assert len(steps) == 1
    setattr(model, name, sparse_kl if name == "penalty" else OwnLoss())
    assert_same_step(model, data(), in_one(copy.deepcopy(model), data()))


@cores_1_2_3
def test_to_another_dtype_after_a_step(cores, split, steps):
    split(cores)
    model = dense(dtype=np.float32)
    model.training_step(data(dtype=np.float32))
    model.to(dtype=np.float64)
    assert_same_step(model, data(), in_one(copy.deepcopy(model), data()))
    assert len(steps) == 2


@pytest.mark.parametrize("again", [copy.deepcopy, copy.copy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_of_a_model_with_a_team(again, steps):
    model, x = dense(tied=True), data()
    model.training_step(x)
    before = model.parameters.copy()
    twin = again(model)
    twin.parameters *= 2
    assert_same_step(twin, x, in_one(copy.deepcopy(twin), x))
    assert_array_equal(model.parameters, before)
    assert_same_step(model, x, in_one(copy.deepcopy(model), x))
    assert len(steps) == 3


def test_saving_a_model_with_a_team(tmp_path):
    model, x = dense(), data()
    s.save(model, tmp_path / "before")
    model.training_step(x)
    s.save(model, tmp_path / "after")
    assert (tmp_path / "before").read_bytes() == (tmp_path / "after").read_bytes()


def test_parameters_and_gradients_are_still_views(steps):
    model = dense(tied=True)
    model.training_step(data())
    assert steps
    for _, layer, attribute in model.named_parameters():
        assert np.shares_memory(getattr(layer, attribute), model.parameters)
        assert np.shares_memory(getattr(layer, "d" + attribute), model.gradient)


def test_a_twin_has_the_same_parameters_in_memory_and_gradients_of_its_own():
    model = s.Autoencoder(s.Dense(300, 400, rng=0), s.Dense(400, 300, rng=1), loss=s.MSE())
    model.gather()
    tracemalloc.start()
    twin = parallel.twin_of(model)
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1.1 * model.gradient.nbytes and most < 2.1 * model.gradient.nbytes
    assert twin.parameters is model.parameters and not np.shares_memory(twin.gradient, model.gradient)
    for (_, layer, attribute), (_, own, _) in zip(twin.named_parameters(), model.named_parameters(), strict=True):
        assert getattr(layer, attribute) is getattr(own, attribute)
        assert np.shares_memory(getattr(layer, "d" + attribute), twin.gradient)


@pytest.mark.parametrize("shrinking", [(3, 1), (1, 3), (2, 5)])
def test_the_number_of_cores_may_change(shrinking, split):
    model, x = dense(), data()
    expected = in_one(copy.deepcopy(model), x)
    for cores in shrinking:
        split(cores)
        assert_same_step(model, x, expected)


# What is never split


class OwnLayer(s.Layer):
    def forward(self, x, rng=None):
        self.n = len(x)
        return x - x.mean(axis=0)

    def backward(self, dy):
        return dy - dy.mean(axis=0)


class OwnTanh(s.Tanh):
    pass


class OwnSequential(s.Sequential):
    """Centres the batch at its end."""

    def forward(self, x, rng=None):
        y = super().forward(x, rng)
        return y - y.mean(axis=0)

    def backward(self, dy):
        return super().backward(dy - dy.mean(axis=0))

    def backward_parameters(self, dy):
        super().backward_parameters(dy - dy.mean(axis=0))


class Around(s.Layer):
    """A layer of one's own that holds another."""

    def __init__(self, inner):
        self.inner = inner

    def forward(self, x, rng=None):
        y = self.inner.forward(x, rng)
        return y - y.mean(axis=0)

    def backward(self, dy):
        return self.inner.backward(dy - dy.mean(axis=0))

    def to(self, device=None, dtype=None):
        self.inner.to(device, dtype)
        return self

    def leaves(self, name=""):
        yield from self.inner.leaves(f"{name}.inner")


class OwnLoss(s.MSE):
    def __call__(self, prediction, target):
        value, gradient = super().__call__(prediction, target)
        return value**2, 2 * value * gradient


class OwnPenalty(s.L1):
    def __call__(self, z):
        mean = z.mean(axis=0)
        return self.weight * np.sum(mean**2), self.weight * np.tile(2 * mean / len(z), (len(z), 1))


class OwnModel(s.Autoencoder):
    def objective(self, x, rng=None):
        metrics = super().objective(x, rng)
        self.dprediction = 2 * metrics["loss"] * self.dprediction
        return {"loss": metrics["loss"] ** 2}


def on_code(z):
    """A penalty that is a plain function, of the whole batch."""
    mean = z.mean(axis=0)
    return np.sum(mean**2), np.tile(2 * mean / len(z), (len(z), 1))


def squared(prediction, target):
    value, gradient = s.MSE()(prediction, target)
    return value**2, 2 * value * gradient


def with_own_sequential():
    rng = np.random.default_rng(0)
    encoder = OwnSequential(s.Dense(FEATURES, 4, rng=rng), s.Tanh())
    return s.Autoencoder(encoder, s.Dense(4, FEATURES, rng=rng), loss=s.MSE()).to(dtype=np.float64)


def sparse():
    rng = np.random.default_rng(0)
    encoder = s.Sequential(s.Dense(FEATURES, 4, rng=rng), s.Sigmoid())
    model = s.Autoencoder(encoder, s.Dense(4, FEATURES, rng=rng), loss=s.MSE(), penalty=s.SparseKL(0.1, 1.0))
    return model.to(dtype=np.float64)


@pytest.mark.parametrize(
    "make",
    [
        lambda: dense(s.BatchNorm(FEATURES)),
        lambda: dense(after=[s.BatchNorm(FEATURES)]),
        sparse,
        lambda: dense(OwnLayer()),
        lambda: dense(s.Sequential(s.Sequential(OwnLayer()))),
        lambda: dense(OwnTanh()),
        with_own_sequential,
        lambda: dense(OwnSequential(s.Tanh())),
        lambda: dense(Around(s.Sequential(s.Tanh()))),
        lambda: dense(loss=OwnLoss()),
        lambda: dense(loss=squared),
        lambda: dense(penalty=OwnPenalty(1.0)),
        lambda: dense(penalty=on_code),
        lambda: dense(kind=OwnModel),
    ],
    ids=[
        "BatchNorm", "BatchNorm at the end", "SparseKL", "layer", "nested layer", "subclass of Tanh",
        "subclass of Sequential", "subclass of Sequential inside", "layer around layers", "loss", "function as loss",
        "penalty", "function as penalty", "model",
    ],
)  # fmt: skip
def test_never_split(make, steps):
    model, x = make(), data()
    for rng in (None, 3):
        draw = lambda rng=rng: None if rng is None else np.random.default_rng(rng)  # noqa: E731
        expected = in_one(copy.deepcopy(model), x, draw())
        assert_same_step(model, x, expected, draw())
    assert steps == [], "was split"


def test_the_stand_in_is_never_split(stand_in, monkeypatch, steps):
    model, x = dense().to("gpu"), strict.asarray(data())
    expected = in_one(dense(), data())
    metrics = model.training_step(x)
    assert steps == [] and model.team is None
    assert_allclose(to_numpy(model.gradient), expected[0], rtol=1e-12, atol=1e-14)
    assert_allclose(float(metrics["loss"]), expected[1]["loss"], rtol=1e-12)
    model.to("cpu").training_step(data())
    assert len(steps) == 1
    model.to("gpu").training_step(x)
    assert len(steps) == 1


# Threads


class DeliberateError(Exception):
    pass


@pytest.mark.parametrize("where", ["caller", "helper", "both"])
@pytest.mark.parametrize("cores", [2, 3])
def test_an_error_in_a_part_comes_out_and_leaves_all_usable(where, cores, split, monkeypatch):
    split(cores)
    model, x = dense(), data()
    expected = in_one(copy.deepcopy(model), x)
    model.training_step(x)
    backward, threads = s.Tanh.backward, blas_threads().info()

    def failing(layer, dy):
        here = "caller" if threading.current_thread() is threading.main_thread() else "helper"
        if where in (here, "both"):
            raise DeliberateError(here)
        return backward(layer, dy)

    with monkeypatch.context() as patch:
        patch.setattr(s.Tanh, "backward", failing)
        for _ in range(3):
            with pytest.raises(DeliberateError, match="helper" if where == "helper" else "caller"):
                model.training_step(x)
    assert blas_threads().info() == threads
    assert_same_step(model, x, expected)


def test_errors_of_the_library_name_the_layer(split):
    split(2)
    model = dense()
    model.training_step(data())
    with pytest.raises(s.ScratchaeError, match=r"encoder\.0 Dense\(6, 4\)"):
        model.training_step(np.zeros((40, FEATURES + 1)))


def test_an_error_before_the_first_step_leaves_no_half_made_team():
    model, x = dense(), data()
    with pytest.raises(s.ScratchaeError):
        model.training_step(np.zeros((40, FEATURES + 1)))
    assert_same_step(model, x, in_one(copy.deepcopy(model), x))


@pytest.mark.parametrize("cores", [2, 3])
def test_numpy_s_error_settings_hold_in_the_helpers(cores, split):
    """Warnings are errors here. The overflow is in the second of 16 parts, which is a helper's."""
    split(cores)
    model, x = dense(s.LeakyReLU(), dtype=np.float32), data(dtype=np.float32)
    model.training_step(x)
    x[3, 0], model.encoder.layers[0].slope = -3e38, 2.0  # a slope that overflows
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isinf(model.training_step(x)["loss"])
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
        model.training_step(x)
    with pytest.raises(RuntimeWarning, match="overflow"):
        model.training_step(x)


def test_the_library_of_matrix_products_has_one_thread_in_a_step_and_its_own_after_it(monkeypatch, steps):
    before, seen, forward = blas_threads().info(), [], s.Tanh.forward

    def watched(layer, x, rng=None):
        seen.append({library["num_threads"] for library in blas_threads().info()})
        return forward(layer, x, rng)

    model = dense()
    model.training_step(data())
    monkeypatch.setattr(s.Tanh, "forward", watched)
    model.training_step(data())
    assert steps and len(seen) == 16 and all(threads <= {1} for threads in seen)
    assert blas_threads().info() == before


def test_two_models_at_once():
    """Each with its own team, from two threads of the caller's."""
    x = data()
    models = [dense(seed=seed) for seed in (1, 2)]
    expected = [in_one(copy.deepcopy(model), x) for model in models]
    errors = []

    def work(model, result):
        try:
            for _ in range(20):
                assert_same_step(model, x, result)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(models, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors and not any(thread.is_alive() for thread in threads)
