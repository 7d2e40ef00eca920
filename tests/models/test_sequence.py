"""The sequence autoencoder: what it is given step by step, several lengths, free running, and all that a model must do."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import to_numpy
from scratchae.errors import DataError, OptionError, ShapeError
from scratchae.models import parallel
from scratchae.study.page import content


def make(kind=s.GRU, *, D=3, K=2, loss=None, last=True, **options):
    rng, given = np.random.default_rng(0), D if options.get("teacher_forcing") else 0
    encoder = s.Sequential(
        kind(D, 5, last=last, padding=options.get("padding"), rng=rng), *([s.Dense(5, K, rng=rng)] * last)
    )
    decoder = s.Sequential(kind(K + given, 5, rng=rng), s.StepDense(5, D, rng=rng))
    return s.SequenceAutoencoder(encoder, decoder, shape=(4, D), loss=loss or s.MSE(), **options)


def attentive(kind=s.GRU, padding=None):
    """A code of two vectors, read and written by attention."""
    rng = np.random.default_rng(0)
    encoder = s.Sequential(
        kind(3, 5, padding=padding, rng=rng), s.Attention(2, 5, 3, width=4, padding=padding, rng=rng)
    )
    decoder = s.Sequential(s.Attention(4, 3, 5, width=4, rng=rng), kind(5, 5, rng=rng), s.StepDense(5, 3, rng=rng))
    return s.SequenceAutoencoder(encoder, decoder, shape=(4, 3), loss=s.MSE(), padding=padding)


def data(n=6, T=4, D=3, seed=0):
    return np.random.default_rng(seed).uniform(0.05, 0.95, (n, T, D))


def several_lengths(n=6):
    x = data(n)
    for i in range(n):
        x[i, 1 + i % 4 :] = -1
    return x


OPTIONS = {
    "free": {},
    "forced": {"teacher_forcing": True},
    "padded": {"padding": -1.0},
    "forced and padded": {"teacher_forcing": True, "padding": -1.0},
    "cross-entropy, padded": {"loss": s.BCEWithLogits(), "padding": -1.0},
}
every_kind = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def given(options):
    return several_lengths() if "padding" in options else data()


@every_kind
@pytest.mark.parametrize("kind", [s.RNN, s.GRU])
def test_gradients(kind, options, device, to_device):
    report = s.check_gradients(make(kind, **options).to(device), to_device(given(options)))
    assert report.passed and report.worst <= 1e-7, str(report)


@every_kind
def test_a_trace_tells_every_step_and_checks_each_gradient(options):
    found = s.trace(make(**options), given(options)[:2])
    assert found.passed
    assert all(step.check.error < 1e-6 for step in found if step.phase == "backward")
    assert {step.result.key for step in found} >= {"encoder.0.h", "decoder.0.dh", "decoder.1.dW", "dz"}
    assert "h₁[t−1]" in found["encoder.0.ar"].text and "[t+1]" in found["encoder.0.dh"].text
    assert all(step["recipe"] and step["sources"] for step in content(found)["steps"] if step["where"])


@pytest.mark.parametrize("padding", [None, -1.0])
@pytest.mark.parametrize("kind", [s.RNN, s.GRU])
def test_a_code_of_several_vectors_that_attention_reads(kind, padding, device, to_device):
    model, x = attentive(kind, padding), data() if padding is None else several_lengths()
    report = s.check_gradients(model.to(device), to_device(x))
    assert report.passed and report.worst <= 1e-7, str(report)
    z = model.encode(to_device(x).astype(np.float32))
    assert z.shape == (6, 2, 3)
    assert_array_equal(to_numpy(model.decoder_input(z, to_device(x))), to_numpy(z))
    made = to_numpy(model.reconstruct(to_device(x).astype(np.float32)))
    real = (x != -1).any(axis=2, keepdims=True)
    assert_allclose(made, np.where(real, to_numpy(model.decode(z)), -1), rtol=1e-6)
    for wrong, error, message in (
        ((z[:, 0],), ShapeError, r"decode expects codes \(N, M, K\), got \(6, 3\)"),
        ((z, 7), OptionError, r"steps=7\), but the decoder's attention has a query for each of 4 steps"),
    ):
        with pytest.raises(error, match=message):
            model.decode(*wrong)


def test_a_trace_tells_what_attention_computes():
    found = s.trace(attentive(), data()[:2])
    assert found.passed
    assert all(step.check.error < 1e-6 for step in found if step.phase == "backward" and step.check)
    assert {step.result.key for step in found if step.check} >= {
        "encoder.1.da",
        "decoder.0.dQ",
        "decoder.0.dk",
        "decoder.0.dx",
    }
    assert all(step["recipe"] and step["sources"] for step in content(found)["steps"] if step["where"])


def test_the_decoder_is_given_the_code_at_every_step_and_the_row_before():
    x = data()
    model = make(teacher_forcing=True)
    z = model.encode(x)
    u = model.decoder_input(z, x)
    assert_array_equal(u[:, 0, :3], 0)
    assert_array_equal(u[:, 1:, :3], x[:, :-1])
    assert_array_equal(u[:, :, 3:], np.repeat(z[:, None], 4, axis=1))
    assert_array_equal(make().decoder_input(z, x), u[:, :, 3:])


def test_free_running_reads_what_it_wrote():
    """Step by step with the state carried along, as one would write it by hand; and later rows of x play no part."""
    model, x = make(s.RNN, teacher_forcing=True), data()
    model.to(dtype=np.float64)
    recurrent, dense = model.decoder.layers
    z, h, row, rows = model.encode(x), np.zeros((6, 5)), np.zeros((6, 3)), []
    for _ in range(4):
        h = np.tanh(np.concatenate([row, z], axis=1) @ recurrent.W + h @ recurrent.U + recurrent.b)
        row = h @ dense.W + dense.b
        rows.append(row)
    assert_allclose(model.decode(z), np.stack(rows, axis=1), rtol=1e-12)
    assert_array_equal(model.reconstruct(x), model.decode(z))
    assert model.decode(z, 7).shape == (6, 7, 3)
    assert_allclose(model.decode(z, 7)[:, :4], model.decode(z), rtol=1e-12)


@every_kind
def test_padding_adds_nothing(options):
    """The loss of several lengths in one array is the mean of the losses of each alone."""
    if "padding" not in options:
        return
    model, x = make(**options).to(dtype=np.float64), several_lengths()
    alone = make(**{k: v for k, v in options.items() if k != "padding"}).to(dtype=np.float64)
    losses = [alone.objective(row[None, : 1 + i % 4])["loss"] for i, row in enumerate(x)]
    assert_allclose(model.objective(x)["loss"], np.mean(losses), rtol=1e-12)
    made = model.reconstruct(x)
    assert made.shape == x.shape and (made[0, 1:] == -1).all()
    assert_allclose(made[2, :3], alone.reconstruct(x[2:3, :3])[0], rtol=1e-10)


@every_kind
def test_it_learns_is_evaluated_and_comes_back_from_a_file(options, device, tmp_path):
    x = given(options).astype(np.float32)
    model = make(**options)
    history = s.fit(
        model, x, epochs=60, batch_size=4, optimizer=s.Adam(0.02, clip_norm=1.0), device=device, progress=False
    )
    assert history["loss"][-1] < 0.9 * history["loss"][0]
    model.to("cpu")
    s.save(model, tmp_path / "model")
    again = s.load(tmp_path / "model")
    assert repr(again) == repr(model) and s.evaluate(again, x) == s.evaluate(model, x)
    assert_array_equal(again.reconstruct(x), model.reconstruct(x))


@every_kind
def test_a_step_in_parts_is_the_step_in_one(options, monkeypatch):
    x, model, other = given(options), make(**options).to(dtype=np.float64), make(**options).to(dtype=np.float64)
    expected = model.training_step(x)
    monkeypatch.setattr(parallel, "LEAST", 1)
    assert parallel.count_parts(other, x, None) > 1
    assert_allclose(other.training_step(x)["loss"], expected["loss"], rtol=1e-12)
    assert_allclose(other.gradient, model.gradient, rtol=1e-9, atol=1e-14)


def test_it_can_be_watched():
    model = make()
    with s.watch(model, every=1) as flow:
        s.fit(model, data().astype(np.float32), epochs=2, batch_size=4, optimizer=s.Adam(), progress=False)
    assert set(flow.gradient_norm) == {"encoder.0", "encoder.1", "decoder.0", "decoder.1"}
    assert np.isfinite(flow.gradient_norm["encoder.0"]).all() and not flow.warnings


def test_a_sequence_of_one_step():
    x = data(T=1)
    assert s.check_gradients(make(teacher_forcing=True), x).passed
    assert make().reconstruct(x).shape == (6, 1, 3)


class Accumulate(s.Layer):
    """Somebody's own layer of sequences: the sum of the steps so far, times w."""

    parameter_names = ("w",)
    examples_apart = True

    def __init__(self, features):
        self.w = np.ones(features, np.float32)

    def forward(self, x, rng=None):
        self.sums = np.cumsum(x, axis=1)
        return self.sums * self.w

    def backward(self, dy):
        self.dw = (self.sums * dy).sum(axis=(0, 1))
        return np.cumsum((dy * self.w)[:, ::-1], axis=1)[:, ::-1]


def test_layers_of_ones_own():
    rng = np.random.default_rng(0)
    decoder = s.Sequential(Accumulate(5), s.StepDense(5, 3, rng=rng))
    encoder = s.Sequential(s.Flatten(), s.Dense(12, 2, rng=rng))
    model = s.SequenceAutoencoder(encoder, decoder, shape=(4, 3), loss=s.MSE(), teacher_forcing=True)
    x = data()
    assert s.check_gradients(model, x).passed and s.trace(model, x).passed
    s.fit(model, x, epochs=2, batch_size=3, optimizer=s.Adam(), progress=False)
    assert model.reconstruct(x).shape == x.shape


# What can be wrong


def fitted(model, x):
    return s.fit(model, x, epochs=1, batch_size=2, optimizer=s.Adam(), progress=False)


@pytest.mark.parametrize(
    ("options", "x", "error", "message"),
    [
        ({}, data().reshape(6, 12), ShapeError, r"reads sequences of shape \(N, T, 3\), x has \(6, 12\): x.reshape"),
        ({}, data(D=4), ShapeError, r"x has \(6, 4, 4\)"),
        ({}, data()[:, :0], DataError, "has shape"),
        ({}, data()[:0], DataError, "at least one example"),
        ({"last": False}, data(), ShapeError, r"codes of shape \(N, 4, 5\), expected one row .* last=True"),
        ({"padding": -1.0}, np.full((2, 4, 3), -1.0), DataError, "sequence 0 of x holds padding=-1 only"),
        ({"loss": s.BCEWithLogits()}, several_lengths(), DataError, "-1"),
    ],
)
def test_data_that_does_not_fit(options, x, error, message):
    with pytest.raises(error, match=message):
        fitted(make(**options), x)


def test_parts_that_do_not_fit():
    with pytest.raises(OptionError, match=r"SequenceAutoencoder\(padding=-1\), but encoder.0 .* has padding=None"):
        s.SequenceAutoencoder(make().encoder, make().decoder, shape=(4, 3), loss=s.MSE(), padding=-1)
    for options, message in (
        ({"teacher_forcing": True}, r"its first layer Attention\(4, 3, 5, width=4\) reads the code only"),
        ({"padding": -1}, r"padding=-1\), but encoder.0 .* has padding=None"),
    ):
        with pytest.raises(OptionError, match=message):
            s.SequenceAutoencoder(attentive().encoder, attentive().decoder, shape=(4, 3), loss=s.MSE(), **options)
    with pytest.raises(
        ShapeError, match=r"shape \(N, 2\), expected several vectors, \(N, M, K\), for the decoder's attention"
    ):
        fitted(s.SequenceAutoencoder(make().encoder, attentive().decoder, shape=(4, 3), loss=s.MSE()), data())
    with pytest.raises(ShapeError, match=r"makes sequences of shape \(4, 3\), x has \(5, 3\)"):
        fitted(attentive(), data(T=5))
    for wrong in ({"shape": 4}, {"shape": (4,)}, {"teacher_forcing": 1}, {"padding": "none"}):
        with pytest.raises(OptionError):
            s.SequenceAutoencoder(make().encoder, make().decoder, **{"shape": (4, 3), "loss": s.MSE()} | wrong)
    model = s.SequenceAutoencoder(make().encoder, make(D=2).decoder, shape=(4, 3), loss=s.MSE())
    with pytest.raises(ShapeError, match=r"makes sequences of shape \(4, 2\), x has \(4, 3\)"):
        fitted(model, data())
    with pytest.raises(OptionError, match="steps=0"):
        make().decode(np.zeros((1, 2)), 0)


def test_what_is_real_is_told_on_every_device(device, to_device):
    model = make(padding=-1.0).to(device)
    assert to_numpy(model.real_steps(to_device(several_lengths())))[:, :, 0].sum(axis=1).tolist() == [
        1,
        2,
        3,
        4,
        1,
        2,
    ]
