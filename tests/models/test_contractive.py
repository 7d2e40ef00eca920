import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import to_numpy
from scratchae.errors import OptionError
from scratchae.models import parallel


def make(d=4, units=3, weight=0.5, *, tied=False, loss=None):
    encoder = s.Sequential(s.Dense(d, units, rng=1), s.Sigmoid())
    decoder = s.Sequential(s.Dense(units, d, rng=2))
    return s.ContractiveAutoencoder(encoder, decoder, loss=loss or s.MSE(), weight=weight, tied=tied)


def data(n=5, d=4, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).uniform(0.05, 0.95, (n, d)).astype(dtype)


def numerical_jacobian(model, x, step=1e-6):
    """∂z/∂x of one example x (d,), by central differences: (d, units)."""
    rows = [(model.encode((x + e)[None]) - model.encode((x - e)[None]))[0] for e in step * np.eye(len(x))]
    return np.array(rows) / (2 * step)


@given(n=st.integers(1, 4), d=st.integers(1, 5), units=st.integers(1, 4), seed=st.integers(0, 999))
def test_the_penalty_is_the_squared_jacobian(n, d, units, seed):
    """Of the encoder itself, by finite differences: summed over all entries, averaged over the examples."""
    model, x = make(d, units, 0.7).to(dtype=np.float64), data(n, d, seed)
    model.parameters += 0.5 * np.random.default_rng(seed).standard_normal(len(model.parameters))
    metrics = model.objective(x)
    expected = 0.7 * np.mean([(numerical_jacobian(model, row) ** 2).sum() for row in x])
    assert_allclose(metrics["penalty"], expected, rtol=1e-7)


def test_the_penalty_by_a_plain_loop(device, to_device):
    model, x = make(weight=2.0).to(dtype=np.float64), data()
    W, z = model.encoder.layers[0].W, model.encode(x)
    total = sum((z[n, j] * (1 - z[n, j]) * W[i, j]) ** 2 for n in range(5) for j in range(3) for i in range(4))
    metrics = model.to(device).objective(to_device(x))
    assert list(metrics) == ["loss", "reconstruction", "penalty"]
    assert_allclose(float(metrics["penalty"]), 2 * total / 5, rtol=1e-12)
    assert_allclose(float(metrics["loss"]), float(metrics["reconstruction"]) + float(metrics["penalty"]))
    plain = s.Autoencoder(model.encoder, model.decoder, loss=s.MSE())
    assert float(metrics["reconstruction"]) == float(plain.objective(to_device(x))["loss"])


@pytest.mark.parametrize("tied", [False, True])
@given(n=st.integers(1, 4), d=st.integers(1, 5), seed=st.integers(0, 999))
def test_the_gradient_vector_is_the_derivative_of_the_loss(tied, n, d, seed):
    model, x = make(d, weight=3.0, tied=tied, loss=s.BCEWithLogits()).to(dtype=np.float64), data(n, d, seed)
    model.parameters += 0.3 * np.random.default_rng(seed).standard_normal(len(model.parameters))
    model.gather()
    model.training_step(x)
    gradient = model.gradient.copy()
    numeric = reference.numerical_gradient(lambda: model.objective(x)["loss"], model.parameters)
    assert reference.relative_error(gradient, numeric) < 1e-7


@pytest.mark.parametrize("tied", [False, True])
def test_gradient_check(tied, device, to_device):
    report = s.check_gradients(make(tied=tied, weight=2.0).to(device), to_device(data()))
    assert report.passed and report.worst <= 1e-7, str(report)


def test_the_gradient_check_sees_both_ways_of_w():
    """Through z, and directly: without either the check fails."""

    class WithoutDirect(s.ContractiveAutoencoder):
        def backward(self):
            super().backward()
            slope2 = (self.slope * self.slope).sum(axis=0)
            self.dense.dW -= 2 * self.weight / len(self.z) * slope2 * self.dense.W

    class WithoutThroughZ(s.ContractiveAutoencoder):
        def backward(self):
            self.strength = 0 * self.strength  # after `objective`, it is in ∂penalty/∂z alone
            super().backward()

    for kind in (WithoutDirect, WithoutThroughZ):
        good = make(weight=5.0)
        wrong = kind(good.encoder, good.decoder, loss=s.MSE(), weight=5.0)
        assert not s.check_gradients(wrong, data()).passed
    assert s.check_gradients(make(weight=5.0), data()).passed


def test_without_weight_it_is_an_autoencoder():
    model, x = make(weight=0.0).to(dtype=np.float64), data()
    model.training_step(x)
    gradient = model.gradient.copy()
    plain = s.Autoencoder(model.encoder, model.decoder, loss=s.MSE())
    plain.training_step(x)
    assert_array_equal(gradient, plain.gradient)


def test_a_larger_weight_gives_a_stiller_code():
    """Mean ‖∂z/∂x‖² after a short training."""
    x, moves = data(200, 6, dtype=np.float32), []
    for weight in (0.0, 1.0):
        model = make(6, 4, weight, tied=True)
        s.fit(model, x, epochs=30, batch_size=20, optimizer=s.Adam(0.02), progress=False)
        moves.append(float((model.slope**2 * model.strength).sum(axis=1).mean()))
    assert moves[1] < 0.5 * moves[0]


def test_a_batch_may_be_taken_in_parts(monkeypatch):
    model, x = make(tied=True).to(dtype=np.float64), data(40)
    whole = {name: float(value) for name, value in model.training_step(x).items()}
    gradient = model.gradient.copy()
    monkeypatch.setattr(parallel, "LEAST", 1)
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    assert parallel.count_parts(model, x, None) > 1
    assert model.training_step(x) == pytest.approx(whole, rel=1e-12)
    assert_allclose(model.gradient, gradient, rtol=1e-10, atol=1e-14)


def test_saved_and_loaded(tmp_path):
    model, x = make(tied=True), data(dtype=np.float32)
    s.save(model, tmp_path / "model.safetensors")
    loaded = s.load(tmp_path / "model.safetensors")
    assert repr(loaded) == repr(model) and "weight=0.5, tied=True" in repr(model)
    assert float(loaded.objective(x)["loss"]) == float(model.objective(x)["loss"])
    loaded.training_step(x)
    assert loaded.encoder.layers[0].dW.any()


def test_a_step_leaves_data_and_parameters_and_reads_nothing_back(stand_in):
    model = make().to("gpu")
    x = stand_in.asarray(data(dtype=np.float32))
    before, reads = to_numpy(model.parameters).copy(), stand_in.host_reads
    model.training_step(x)
    assert stand_in.host_reads == reads
    assert_array_equal(to_numpy(model.parameters), before)
    assert_array_equal(to_numpy(x), data(dtype=np.float32))


@pytest.mark.parametrize(
    "layers",
    [
        [s.Dense(4, 3)],
        [s.Dense(4, 3), s.Tanh()],
        [s.Dense(4, 3), s.Sigmoid(), s.Dense(3, 3, rng=1), s.Sigmoid()],
        [s.GaussianNoise(0.1), s.Dense(4, 3), s.Sigmoid()],
    ],
    ids=lambda layers: "-".join(type(layer).__name__ for layer in layers),
)
def test_another_encoder_is_refused(layers):
    message = r"expected Sequential\(Dense\(…\), Sigmoid\(\)\)"
    with pytest.raises(OptionError, match=message):
        s.ContractiveAutoencoder(s.Sequential(*layers), s.Dense(3, 4), loss=s.MSE(), weight=0.1)


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_the_weight_must_be_a_number_of_at_least_zero(weight):
    with pytest.raises(
        OptionError, match=rf"ContractiveAutoencoder\(weight={weight}\): expected a number, 0 <= weight"
    ):
        make(weight=weight)
