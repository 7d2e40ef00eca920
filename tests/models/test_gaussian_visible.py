"""RBMs with Gaussian visible units, against sums over all hidden states and integrals over the visible ones."""

import math
import warnings

import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose
from test_boltzmann import machine, states

import scratchae as s
from scratchae.backend import to_numpy
from scratchae.errors import DataError, OptionError

AXIS = np.linspace(-14, 14, 281)  # a density that falls like e^(-v²/2) is summed exactly enough by steps of 0.1
AREA = (AXIS[1] - AXIS[0]) ** 2
PLANE = np.stack(np.meshgrid(AXIS, AXIS, indexing="ij"), axis=-1).reshape(-1, 2)


def gaussian(visible=2, hidden=3, **options):
    return machine(visible, hidden, visible_units="gaussian", **options)


def weights(model, V):
    """e^-E(v, h) by its formula, (V, 2^hidden)."""
    W, a, b = (to_numpy(getattr(model.energy, name)) for name in "Wab")
    H = states(model.hidden)
    return np.exp(-(0.5 * ((V - a) ** 2).sum(axis=1)[:, None] - H @ b - V @ W @ H.T))


def mixture(model):
    """P(h) and E[v|h] of all hidden states: P(v) is a mixture of normal distributions with these."""
    H, logs = states(model.hidden), -model.energy.b @ states(model.hidden).T
    means = H @ model.energy.W.T + model.energy.a
    logs = -logs + 0.5 * ((means**2).sum(axis=1) - (model.energy.a**2).sum())
    p = np.exp(logs - logs.max())
    return p / p.sum(), means


def draw(model, n, seed=0):
    """Draws of P(v), from the mixture."""
    (p, means), rng = mixture(model), np.random.default_rng(seed)
    return means[rng.choice(len(p), n, p=p)] + rng.standard_normal((n, model.visible))


def test_free_energy_is_the_sum_over_hidden_states(device, to_device):
    model, V = gaussian(), 2 * np.random.default_rng(1).standard_normal((6, 2))
    expected = -np.log(weights(model, V).sum(axis=1))
    assert_allclose(to_numpy(model.to(device).free_energy(to_device(V))), expected, rtol=1e-12)


def test_log_z_and_the_likelihood_by_an_integral(device, to_device):
    model = gaussian()
    log_Z = math.log(weights(model, PLANE).sum() * AREA)
    model.to(device)
    assert model.log_partition_function() == pytest.approx(log_Z, rel=1e-10)
    density = np.exp(to_numpy(model.log_likelihood(to_device(PLANE), log_Z)))
    assert density.sum() * AREA == pytest.approx(1, rel=1e-10)


def test_log_z_sums_over_the_hidden_units_however_many_visible_there_are():
    model = gaussian(30, 2, scale=0.3)
    (p, means), x = mixture(model), np.random.default_rng(0).standard_normal((4, 30))
    distances = ((x[:, None] - means) ** 2).sum(axis=2)
    expected = np.log(np.exp(-distances / 2) @ p) - 15 * math.log(2 * math.pi)
    assert_allclose(model.log_likelihood(x, model.log_partition_function()), expected, rtol=1e-10)
    with pytest.raises(OptionError, match=r"2\^21 states"):
        s.RBM(3, 21, visible_units="gaussian").log_partition_function()


def test_conditionals_by_sums_and_integrals(device, to_device):
    model, V = gaussian(), PLANE[::997]
    P = weights(model, V)
    h_given_v = P @ states(3) / P.sum(axis=1, keepdims=True)
    everywhere = weights(model, PLANE)
    v_given_h = everywhere.T @ PLANE / everywhere.sum(axis=0)[:, None]
    model.to(device)
    assert_allclose(to_numpy(model.propup(to_device(V))), h_given_v, rtol=1e-9, atol=1e-12)
    assert_allclose(to_numpy(model.propdown(to_device(states(3)))), v_given_h, rtol=1e-9)
    assert_allclose(to_numpy(model.decode(model.encode(to_device(V)))), to_numpy(model.reconstruct(to_device(V))))


def test_the_gradient_of_the_log_likelihood_by_an_integral():
    """∂/∂θ mean log P(v) = -E_data ∂F/∂θ + E_model ∂F/∂θ, against differences of the exact log-likelihood."""
    model, x = gaussian(scale=0.8), np.random.default_rng(3).standard_normal((6, 2))

    def log_likelihood():
        return float(model.log_likelihood(x, model.log_partition_function()).mean())

    numeric = reference.numerical_gradient(log_likelihood, model.parameters)
    p = np.exp(model.log_likelihood(PLANE, model.log_partition_function())) * AREA
    energy = model.energy
    energy.forward(np.concatenate([x, PLANE]))
    energy.backward(np.concatenate([np.full(6, -1 / 6), p]))
    assert reference.relative_error(model.gradient, numeric) < 1e-7


def test_gibbs_sampling_reaches_the_mixture():
    """20,000 chains, 40 steps: mean and covariance are those of the mixture of normal distributions."""
    model, n = gaussian(scale=0.7), 20_000
    p, means = mixture(model)
    mean = p @ means
    covariance = (means - mean).T @ ((means - mean) * p[:, None]) + np.eye(2)
    rng, v = np.random.default_rng(0), np.zeros((n, 2))
    for _ in range(40):
        _, v = model.gibbs_vhv(v, rng)
    assert_allclose(v.mean(axis=0), mean, atol=5 * math.sqrt(covariance.max() / n))
    assert_allclose(np.cov(v.T), covariance, atol=8 * covariance.max() / math.sqrt(n))
    assert_allclose(model.sample(n, steps=40, rng=0).mean(axis=0), mean, atol=5 * math.sqrt(covariance.max() / n))


def direction(model, x, seed):
    model.training_step(x, np.random.default_rng(seed))
    return model.gradient.copy()


@pytest.mark.parametrize("k", [1, 3])
def test_contrastive_divergence_rests_where_the_data_are_the_models(k, monkeypatch):
    """Its mean is 0 there, as the reply is drawn. With means in place of draws it is not, and W would grow."""
    model = gaussian(4, 3, scale=0.6, k=k)
    found = np.array([direction(model, draw(model, 2000, seed), seed + 100) for seed in range(20)])
    error = found.std(axis=0, ddof=1) / math.sqrt(20)
    assert (np.abs(found.mean(axis=0)) < 5 * error + 1e-12).all()
    monkeypatch.setattr(model, "reply", lambda mean, rng: mean)
    wrong = np.array([direction(model, draw(model, 2000, seed), seed + 100) for seed in range(20)])
    assert (np.abs(wrong.mean(axis=0)) > 20 * error).any()


def test_a_step_by_hand(device, to_device):
    model, x = gaussian(4, 3).to(device), np.random.default_rng(1).standard_normal((5, 4))
    metrics = model.training_step(to_device(x), np.random.default_rng(3))
    rng = np.random.default_rng(3)
    W, a, b = (to_numpy(getattr(model.energy, name)) for name in "Wab")
    sigmoid = lambda c: 1 / (1 + np.exp(-c))  # noqa: E731
    h0 = sigmoid(x @ W + b)
    mean = (rng.random((5, 3)) < h0) @ W.T + a
    v1 = mean + rng.standard_normal((5, 4))
    h1 = sigmoid(v1 @ W + b)
    assert_allclose(to_numpy(model.energy.dW), (v1.T @ h1 - x.T @ h0) / 5, rtol=1e-10)
    assert_allclose(to_numpy(model.energy.da), (v1 - x).mean(axis=0), rtol=1e-9)
    assert_allclose(to_numpy(model.energy.db), (h1 - h0).mean(axis=0), rtol=1e-9)
    assert_allclose(float(metrics["loss"]), 0.5 * ((x - mean) ** 2).sum(axis=1).mean(), rtol=1e-10)


@pytest.mark.parametrize("options", [{"k": 2}, {"persistent": True, "chains": 50}])
def test_learning_finds_two_clouds(options):
    """The exact log-likelihood ends near that of the two clouds that made the data."""
    rng = np.random.default_rng(0)
    x = 2.0 * rng.choice([-1, 1], (600, 1)) * np.ones((1, 3)) + rng.standard_normal((600, 3))
    truth = float(
        np.log(0.5 * sum(np.exp(-0.5 * ((x - centre) ** 2).sum(axis=1)) for centre in (-2, 2))).mean()
        - 1.5 * math.log(2 * math.pi)
    )
    model = s.RBM(3, 2, visible_units="gaussian", **options, rng=1).to(dtype=np.float64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gaussian visible units")
        s.fit(model, x, epochs=60, batch_size=50, optimizer=s.SGD(s.Cosine(0.1, 720), 0.5), progress=False)
    found = float(model.log_likelihood(x, model.log_partition_function()).mean())
    assert found > truth - 0.15


def test_saved_loaded_and_resumed(tmp_path):
    x = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)

    def learn(epochs, **more):
        model = s.RBM(6, 4, visible_units="gaussian", rng=0)
        s.fit(model, x, epochs=epochs, batch_size=15, optimizer=s.SGD(0.05, 0.5), progress=False, **more)
        return model

    straight = learn(4)
    learn(2, checkpoint=tmp_path / "c")
    assert straight.parameters.tobytes() == learn(4, checkpoint=tmp_path / "c", resume=True).parameters.tobytes()
    s.save(straight, tmp_path / "m")
    loaded = s.load(tmp_path / "m")
    assert repr(loaded) == repr(straight) and loaded.visible_units == "gaussian"
    assert loaded.free_energy(x).tobytes() == straight.free_energy(x).tobytes()


def test_what_it_cannot_do_is_said():
    model, x = gaussian(), np.zeros((2, 2))
    with pytest.raises(OptionError, match=r"pseudo_log_likelihood is for binary visible units.*log_likelihood"):
        model.pseudo_log_likelihood(x)
    with pytest.raises(OptionError, match="ais works for binary units only"):
        model.ais()
    with pytest.raises(DataError, match=r"binary: expected data in \[0, 1\].*visible_units='gaussian'"):
        s.fit(s.RBM(2, 1), x - 1, epochs=1, batch_size=2, optimizer=s.SGD(0.1), progress=False)


@pytest.mark.parametrize("scale", [0.1, 30.0])
def test_data_that_are_not_standardised_are_warned_of(scale):
    x = scale * np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    with pytest.warns(UserWarning, match=r"standard deviation of 1.*standardise the columns"):
        s.RBM(3, 2, visible_units="gaussian").check_training(x)
