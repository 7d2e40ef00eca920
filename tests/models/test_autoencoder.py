import itertools

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import array_module, to_numpy
from scratchae.errors import DataError, OptionError, ShapeError


def make(d=4, *, noise=None, loss=None, sigmoid=False, penalty=None, tied=False):
    """A small autoencoder d-3-2-3-d; its code is in (0, 1)."""
    encoder = [s.Dense(d, 3, rng=1), s.Tanh(), s.Dense(3, 2, rng=2), s.Sigmoid()]
    decoder = [s.Dense(2, 3, rng=3), s.Softplus(), s.Dense(3, d, rng=4)]
    if sigmoid:
        decoder.append(s.Sigmoid())
    encoder = s.Sequential(*([noise] if noise else []), *encoder)
    return s.Autoencoder(encoder, s.Sequential(*decoder), loss=loss or s.MSE(), penalty=penalty, tied=tied)


KINDS = {
    "plain": lambda d: make(d),
    "BCE": lambda d: make(d, loss=s.BCE(), sigmoid=True),
    "BCEWithLogits": lambda d: make(d, loss=s.BCEWithLogits()),
    "L1": lambda d: make(d, penalty=s.L1(0.3)),
    "SparseKL": lambda d: make(d, penalty=s.SparseKL(0.2, 0.5)),
    "tied": lambda d: make(d, tied=True),
    "tied and sparse": lambda d: make(d, tied=True, penalty=s.SparseKL(0.2, 0.5)),
    "denoising, masks": lambda d: make(d, noise=s.MaskingNoise(0.4), loss=s.BCEWithLogits()),
    "denoising, Gaussian": lambda d: make(d, noise=s.GaussianNoise(0.3)),
    "denoising and tied": lambda d: make(d, noise=s.SaltAndPepper(0.3), tied=True),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def data(n=5, d=4, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).uniform(0.05, 0.95, (n, d)).astype(dtype)


# Gradients


@every_kind
@given(n=st.integers(1, 4), d=st.integers(1, 5), seed=st.integers(0, 999))
def test_the_gradient_vector_is_the_derivative_of_the_loss(kind, n, d, seed):
    """By the checker in reference.py, over the whole of θ: in the gaps the derivative is 0."""
    model, x = kind(d).to(dtype=np.float64), data(n, d, seed)
    model.parameters += 0.1 * np.random.default_rng(seed).standard_normal(len(model.parameters))
    model.gather()
    rng = lambda: np.random.default_rng(seed)  # noqa: E731
    model.training_step(x, rng())
    gradient = model.gradient.copy()
    numeric = reference.numerical_gradient(lambda: model.objective(x, rng())["loss"], model.parameters)
    assert reference.relative_error(gradient, numeric) < 1e-7


@every_kind
def test_gradient_check(kind, device, to_device):
    report = s.check_gradients(kind(4).to(device), to_device(data()))
    assert report.passed and report.worst <= 1e-7, str(report)


def test_nested_encoders_and_single_layers():
    nested = s.Sequential(s.Flatten(), s.Sequential(s.GaussianNoise(0.1), s.Sequential(s.Dense(6, 2), s.Tanh())))
    model = s.Autoencoder(nested, s.Sequential(s.Dense(2, 6), s.Reshape((3, 2))), loss=s.MSE())
    assert s.check_gradients(model, data(3, 6).reshape(3, 3, 2)).passed
    assert s.check_gradients(s.Autoencoder(s.Dense(4, 2), s.Dense(2, 4), loss=s.MSE()), data()).passed
    assert s.check_gradients(s.Autoencoder(s.Identity(), s.Dense(4, 4), loss=s.MSE()), data()).passed


# Objective and metrics


def test_objective_by_hand(device, to_device):
    """encoder z = 2x, decoder 3z: x = 1 gives 6, x = 2 gives 12: (25 + 100) / 2; penalty (2 + 4) / 2 · 0.5."""
    encoder, decoder = s.Dense(1, 1), s.Dense(1, 1)
    model = s.Autoencoder(encoder, decoder, loss=s.MSE(), penalty=s.L1(0.5))
    encoder.W[...], decoder.W[...] = 2, 3
    model.to(device)
    x = to_device(np.array([[1.0], [2.0]], np.float32))
    metrics = model.training_step(x)
    assert list(metrics) == ["loss", "reconstruction", "penalty"]
    assert {k: float(v) for k, v in metrics.items()} == {"loss": 64.0, "reconstruction": 62.5, "penalty": 1.5}
    # ∂L/∂y = 2 (y - x) / N = 5, 10; ∂/∂W₂ = Σ z dy = 2·5 + 4·10; dz = 3 dy + 0.5 / N; ∂/∂W₁ = Σ x dz
    assert_allclose(to_numpy(decoder.dW), [[50]])
    assert_allclose(to_numpy(encoder.dW), [[1 * (15 + 0.25) + 2 * (30 + 0.25)]])
    assert_allclose(to_numpy(encoder.db), [45.5])
    assert_array_equal(to_numpy(model.encode(x)), [[2], [4]])
    assert_array_equal(to_numpy(model.decode(to_device(np.array([[1.0]], np.float32)))), [[3]])
    assert_array_equal(to_numpy(model.reconstruct(x)), [[6], [12]])


@every_kind
def test_objective_and_training_step_give_the_same_metrics(kind, device, to_device, xp):
    model, x = kind(4).to(device, np.float64), to_device(data())
    objective = model.objective(x, xp.random.default_rng(3))
    step = model.training_step(x, xp.random.default_rng(3))
    assert {k: float(v) for k, v in objective.items()} == {k: float(v) for k, v in step.items()}
    assert "loss" in step and all(v.shape == () for v in step.values())
    if len(step) > 1:
        assert_allclose(float(step["loss"]), float(step["reconstruction"]) + float(step["penalty"]))


def test_without_a_penalty_the_loss_is_the_only_metric():
    assert list(make().objective(data(dtype=np.float32))) == ["loss"]


@every_kind
def test_a_step_leaves_data_and_parameters(kind, device, to_device, xp):
    model, x = kind(4).to(device), data(dtype=np.float32)
    there, before = to_device(x.copy()), to_numpy(model.parameters).copy()
    model.training_step(there, xp.random.default_rng(0))
    model.reconstruct(there)
    assert_array_equal(to_numpy(there), x)
    assert_array_equal(to_numpy(model.parameters), before)


# Encode, decode, reconstruct


@every_kind
def test_reconstruct_is_decode_of_encode(kind, device, to_device, xp):
    model, x = kind(4).to(device), to_device(data(dtype=np.float32))
    z = model.encode(x)
    assert z.shape == (5, 2) and array_module(z) is xp
    assert_array_equal(to_numpy(model.reconstruct(x)), to_numpy(model.decode(z)))
    assert model.reconstruct(x).shape == (5, 4)
    assert model.reconstruct(x).dtype == np.float32
    assert_array_equal(to_numpy(model.encode(x)), to_numpy(z))  # inference has no noise


def test_cross_entropy_models_reconstruct_probabilities(device, to_device):
    """With logits the sigmoid is in the loss; what the caller sees is in the data's own units all the same."""
    x = to_device(data(dtype=np.float32))
    logits, probabilities = make(loss=s.BCEWithLogits()), make(loss=s.BCE(), sigmoid=True)
    probabilities.parameters[...] = logits.parameters
    a, b = (to_numpy(m.to(device).reconstruct(x)) for m in (logits, probabilities))
    assert ((a > 0) & (a < 1)).all()
    assert_allclose(a, b, rtol=1e-6)
    raw = to_numpy(logits.decoder.forward(logits.encode(x)))
    assert_allclose(a, reference.elementwise(reference.sigmoid, raw), rtol=1e-5)
    assert_allclose(float(logits.objective(x)["loss"]), float(probabilities.objective(x)["loss"]), rtol=1e-5)


def test_mse_models_reconstruct_what_the_decoder_says(device, to_device):
    model, x = make().to(device), to_device(data(dtype=np.float32))
    assert_array_equal(to_numpy(model.reconstruct(x)), to_numpy(model.decoder.forward(model.encoder.forward(x))))


# Denoising


def test_the_target_of_a_denoising_autoencoder_is_the_clean_x(device, to_device, xp):
    """With everything masked the encoder sees zeros; the loss is against x, not against zeros."""
    x = data(dtype=np.float32)
    model = make(noise=s.MaskingNoise(1.0)).to(device)
    blank = to_numpy(model.reconstruct(xp.zeros((1, 4), dtype=np.float32)))
    metrics = model.training_step(to_device(x), xp.random.default_rng(0))
    assert_allclose(float(metrics["loss"]), reference.mse(np.repeat(blank, 5, axis=0), x), rtol=1e-5)
    assert_array_equal(to_numpy(model.encoder.layers[1].x), 0)  # what the first Dense saw
    assert not to_numpy(model.encoder.layers[1].dW).any()


def test_noise_acts_in_training_only_and_comes_from_the_rng(device, to_device, xp):
    model, x = make(noise=s.GaussianNoise(0.5)).to(device), to_device(data())
    clean = float(model.objective(x)["loss"])
    noisy = [float(model.objective(x, xp.random.default_rng(seed))["loss"]) for seed in (1, 1, 2)]
    assert noisy[0] == noisy[1] != noisy[2] and clean not in noisy


def test_noise_in_the_decoder_acts_too(device, to_device, xp):
    decoder = s.Sequential(s.Dropout(0.5), s.Dense(2, 4))
    model = s.Autoencoder(s.Dense(4, 2), decoder, loss=s.MSE()).to(device)
    x = to_device(data(20, dtype=np.float32))
    model.training_step(x, xp.random.default_rng(0))
    dropped = to_numpy(decoder.layers[1].x) == 0
    assert 0 < dropped.mean() < 1
    model.objective(x)
    assert (to_numpy(decoder.layers[1].x) != 0).all()


# Tied weights


def test_tied_weights_are_one_and_the_same(device, to_device, xp):
    model = make(tied=True).to(device)
    untied = make()
    W = 4 * 3 + 3 * 2
    assert untied.parameter_count() - model.parameter_count() == W
    assert model.parameter_count() == W + (3 + 2 + 3 + 4)
    assert [n for n, _, _ in model.named_parameters() if n.startswith("decoder")] == ["decoder.0.b", "decoder.2.b"]
    pairs = [(0, 2), (2, 0)]
    optimizer = s.Adam(0.1)
    for _ in range(3):
        for i, j in pairs:
            encoding, decoding = model.encoder.layers[i], model.decoder.layers[j]
            assert xp.shares_memory(decoding.W, encoding.W) and xp.shares_memory(decoding.W, model.parameters)
            assert_array_equal(to_numpy(decoding.W), to_numpy(encoding.W).T)
        before = to_numpy(model.parameters).copy()
        model.training_step(to_device(data(dtype=np.float32)))
        optimizer.update(model.parameters, model.gradient)
        assert np.any(to_numpy(model.parameters) != before)


def test_the_gradient_of_a_tied_weight_is_the_sum_of_both_uses(device, to_device):
    """Of an untied model with the same numbers: dW of the encoder + dWᵀ of the decoder."""
    x = to_device(data())
    tied, untied = make(tied=True).to(dtype=np.float64), make().to(dtype=np.float64)
    for i, j in ((0, 2), (2, 0)):
        untied.encoder.layers[i].W[...] = tied.encoder.layers[i].W
        untied.decoder.layers[j].W[...] = tied.decoder.layers[j].W
    tied.to(device).training_step(x)
    untied.to(device).training_step(x)
    for i, j in ((0, 2), (2, 0)):
        both = to_numpy(untied.encoder.layers[i].dW) + to_numpy(untied.decoder.layers[j].dW).T
        assert_allclose(to_numpy(tied.encoder.layers[i].dW), both, rtol=1e-12, atol=1e-14)
        assert_allclose(to_numpy(tied.decoder.layers[j].db), to_numpy(untied.decoder.layers[j].db), rtol=1e-12)


def dense(*sizes):
    return s.Sequential(*(s.Dense(a, b) for a, b in itertools.pairwise(sizes)))


@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [
        (dense(4, 3, 2), dense(2, 4)),  # one Dense too few
        (dense(4, 3), dense(3, 3, 4)),  # one too many
        (dense(4, 3, 2), dense(2, 2, 4)),  # another width
        (dense(4, 3), dense(4, 3)),  # not turned round
        (dense(4, 3), s.Sequential()),
    ],
)
def test_tied_needs_a_mirror_image(encoder, decoder):
    with pytest.raises(ShapeError, match=r"tied=True needs a decoder that mirrors the encoder.*Dense\(4, 3\)"):
        s.Autoencoder(encoder, decoder, loss=s.MSE(), tied=True)
    for _, layer in decoder.leaves():
        assert layer.parameter_names == ("W", "b")  # a refused decoder is left as it was


def test_tied_needs_something_to_tie():
    with pytest.raises(OptionError, match="the encoder has no Dense layer"):
        s.Autoencoder(s.Flatten(), s.Dense(4, 4), loss=s.MSE(), tied=True)


# What `fit` asks before training


def test_check_data_accepts_what_fits():
    for kind in KINDS.values():
        kind(4).check_data(data(dtype=np.float32))


@pytest.mark.parametrize(
    ("model", "x", "error", "text"),
    [
        (lambda: make(), np.ones((3, 5)), ShapeError, r"encoder\.0 Dense\(4, 3\) expects x of shape \(N, 4\)"),
        (
            lambda: s.Autoencoder(s.Dense(4, 2), s.Dense(2, 3), loss=s.MSE()),
            np.ones((3, 4)),
            ShapeError,
            r"the decoder makes examples of shape \(3,\), x has \(4,\)",
        ),
        (
            lambda: s.Autoencoder(s.Dense(4, 2), s.Dense(3, 4), loss=s.MSE()),
            np.ones((3, 4)),
            ShapeError,
            r"decoder Dense\(3, 4\) expects x of shape \(N, 3\), got \(3, 2\)",
        ),
        (
            lambda: make(loss=s.BCEWithLogits()),
            np.full((3, 4), 255.0),
            DataError,
            "max 255: divide by 255",
        ),
        (  # below 0 the logarithms would reward it without end
            lambda: s.Autoencoder(s.Dense(4, 2), s.Dense(2, 4), loss=s.BCE()),
            np.eye(4),
            DataError,
            r"BCE needs predictions in \[0, 1\], got min .*end the decoder with Sigmoid\(\), or use BCEWithLogits\(\)",
        ),
        (
            lambda: s.Autoencoder(s.Dense(4, 2), s.Dense(2, 4), loss=s.MSE(), penalty=s.SparseKL(0.1, 1.0)),
            np.eye(4),
            DataError,
            r"SparseKL needs a code in \[0, 1\]",
        ),
    ],
)
def test_check_data_refuses_what_does_not_fit(model, x, error, text):
    with pytest.raises(error, match=text):
        model().check_data(x.astype(np.float32))


# Learning


def test_training_reaches_a_small_error(device, to_device):
    """Eight points on a circle in 4 dimensions, through a code of 2 numbers."""
    angle = np.arange(8) * np.pi / 4
    points = np.stack([np.cos(angle), np.sin(angle), np.cos(angle), -np.sin(angle)], axis=1)
    x = to_device((0.5 + 0.4 * points).astype(np.float32))
    encoder = s.Sequential(s.Dense(4, 16, rng=1), s.Tanh(), s.Dense(16, 2, rng=2))
    decoder = s.Sequential(s.Dense(2, 16, rng=3), s.Tanh(), s.Dense(16, 4, rng=4))
    model = s.Autoencoder(encoder, decoder, loss=s.MSE()).to(device)
    optimizer = s.Adam(s.Cosine(0.02, 300))
    before = float(model.objective(x)["loss"])
    for _ in range(300):
        model.training_step(x)
        optimizer.update(model.parameters, model.gradient)
    assert float(model.objective(x)["loss"]) < 1e-3 < 0.1 < before
