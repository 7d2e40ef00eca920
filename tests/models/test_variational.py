import itertools
import math

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import array_module, to_numpy
from scratchae.errors import DataError, OptionError, ShapeError
from scratchae.models import parallel
from scratchae.models.likelihood import log_prior_ratio, log_probability


def make(d=4, kind=s.VAE, *, before=(), last=(), labels=0, sizes=(3, 2), **options):
    """A small model d-3-2-3-d."""
    h, code = sizes
    encoder = s.Sequential(*before, s.Dense(d + labels, h, rng=1), s.Tanh())
    decoder = s.Sequential(s.Dense(code + labels, h, rng=4), s.Softplus(), s.Dense(h, d, rng=5), *last)
    options = {"loss": s.BCEWithLogits()} | ({"labels": labels} if labels else {}) | options
    return kind(encoder, s.Dense(h, code, rng=2), s.Dense(h, code, rng=3), decoder, **options)


KINDS = {
    "VAE": lambda d: make(d),
    "VAE, MSE and β": lambda d: make(d, loss=s.MSE(), beta=3.0),
    "VAE, β = 0": lambda d: make(d, beta=0.0),
    "VAE, BCE": lambda d: make(d, loss=s.BCE(), last=[s.Sigmoid()]),
    "VAE, cut": lambda d: make(d, log_var_limit=0.2),
    "VAE, binarised": lambda d: make(d, binarise=True),
    "VAE, noisy input": lambda d: make(d, before=[s.GaussianNoise(0.3)]),
    "IWAE": lambda d: make(d, s.IWAE, samples=3),
    "IWAE, one sample": lambda d: make(d, s.IWAE, samples=1),
    "IWAE, BCE, cut, binarised": lambda d: make(
        d, s.IWAE, samples=2, loss=s.BCE(), last=[s.Sigmoid()], binarise=True, log_var_limit=0.2
    ),
    "CVAE": lambda d: make(d, s.CVAE, labels=3),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def data(n=5, d=4, seed=0, dtype=np.float64, labels=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.05, 0.95, (n, d))
    return (
        np.concatenate([x, np.eye(labels)[rng.integers(0, labels, n)]], axis=1).astype(dtype)
        if labels
        else x.astype(dtype)
    )


def data_for(model, n=5, seed=0, dtype=np.float64):
    return data(n, 4, seed, dtype, getattr(model, "labels", 0))


def binary(n=5, d=4, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).integers(0, 2, (n, d)).astype(dtype)


class Given:
    """An rng that draws what it is given."""

    def __init__(self, *draws):
        self.draws = list(draws)

    def standard_normal(self, shape, dtype=np.float64):
        draw = self.draws.pop(0)
        assert draw.shape == tuple(shape)
        return draw.astype(dtype)

    random = standard_normal


# Gradients


@every_kind
@given(n=st.integers(1, 4), d=st.integers(1, 5), seed=st.integers(0, 999))
def test_the_gradient_vector_is_the_derivative_of_the_loss(kind, n, d, seed):
    """By the checker in reference.py, over the whole of θ, the drawn noise held fixed."""
    model = kind(d).to(dtype=np.float64)
    x = data(n, d, seed, labels=getattr(model, "labels", 0))
    model.parameters += 0.1 * np.random.default_rng(seed).standard_normal(len(model.parameters))
    model.gather()
    for rng in (lambda: np.random.default_rng(seed), lambda: None):
        model.training_step(x, rng())
        gradient = model.gradient.copy()
        numeric = reference.numerical_gradient(lambda: model.objective(x, rng())["loss"], model.parameters)  # noqa: B023
        assert reference.relative_error(gradient, numeric) < 1e-6


@every_kind
def test_gradient_check(kind, device, to_device):
    model = kind(4).to(device)
    report = s.check_gradients(model, to_device(data_for(model)))
    assert report.passed and report.worst <= 1e-7, str(report)


@pytest.mark.parametrize("kind", [s.VAE, s.IWAE])
def test_a_forgotten_cut_or_head_would_be_found(kind):
    """A negative control: the checks above can fail."""

    class Uncut(kind):
        def backward_heads(self, dmean, dlog_var):
            self.within[...] = True
            super().backward_heads(dmean, dlog_var)

    class NoHead(kind):
        def backward_heads(self, dmean, dlog_var):
            super().backward_heads(dmean, 0 * dlog_var)

    class NoNoise(kind):
        def backward_heads(self, dmean, dlog_var):
            super().backward_heads(dmean, dlog_var + 1e-4)

    for wrong in (Uncut, NoHead, NoNoise):
        assert not s.check_gradients(make(kind=wrong, log_var_limit=0.2), data()).passed


def test_where_log_var_is_cut_some_are_and_some_are_not():
    """Else the checks above would have seen one side only."""
    for kind in ("VAE, cut", "IWAE, BCE, cut, binarised"):
        model = KINDS[kind](4)
        model.infer(data(dtype=np.float32))
        assert 0 < model.within.mean() < 1


# The objective


def test_objective_by_hand():
    """h = x, μ = 2h, log σ² = h, decoder 3z, ε = 0.5 and -1; with β = 2 and squared error."""
    layers = [s.Dense(1, 1) for _ in range(4)]
    for layer, weight in zip(layers, (1, 2, 1, 3), strict=True):
        layer.W[...] = weight
    model = s.VAE(*layers, loss=s.MSE(), beta=2.0).to(dtype=np.float64)
    x, ε = np.array([[1.0], [-2.0]]), np.array([[0.5], [-1.0]])
    metrics = model.training_step(x, Given(ε))
    μ, log_var = 2 * x, x
    z = μ + np.exp(log_var / 2) * ε
    reconstruction = ((3 * z - x) ** 2).mean()
    kl = 0.5 * (μ**2 + np.exp(log_var) - log_var - 1).mean()
    assert list(metrics) == ["loss", "reconstruction", "kl"]
    assert_allclose([metrics["reconstruction"], metrics["kl"]], [reconstruction, kl])
    assert_allclose(metrics["loss"], reconstruction + 2 * kl)
    dz = 2 * (3 * z - x) * 3 / 2
    assert_allclose(model.mu.db, (dz + 2 * μ / 2).sum(axis=0))
    dlog_var = dz * ε * np.exp(log_var / 2) / 2 + 2 * 0.5 * (np.exp(log_var) - 1) / 2
    assert_allclose(model.log_var.db, dlog_var.sum(axis=0))
    assert_array_equal(model.epsilon, ε)  # under its own name

    assert_allclose(model.objective(x)["reconstruction"], ((3 * μ - x) ** 2).mean())  # z = μ
    assert_array_equal(model.encode(x), μ)
    assert_array_equal(model.decode(μ), 3 * μ)
    assert_array_equal(model.reconstruct(x), 3 * μ)


@every_kind
def test_a_step_leaves_data_and_parameters_and_tells_the_objective(kind, device, to_device, xp):
    model = kind(4).to(device)
    x = data_for(model, dtype=np.float32)
    there, before = to_device(x.copy()), to_numpy(model.parameters).copy()
    step = model.training_step(there, xp.random.default_rng(3))
    objective = model.objective(there, xp.random.default_rng(3))
    assert {k: float(v) for k, v in objective.items()} == {k: float(v) for k, v in step.items()}
    assert all(v.dtype == np.float32 and v.shape == () for v in step.values())
    assert model.reconstruct(there).dtype == model.sample(3, np.random.default_rng(0)).dtype == np.float32
    assert model.reconstruct(there).shape == (5, 4)
    assert_array_equal(to_numpy(there), x)
    assert_array_equal(to_numpy(model.parameters), before)


@pytest.mark.parametrize("kind", ["VAE", "VAE, binarised", "IWAE", "CVAE"])
def test_a_step_can_be_recorded(kind, stand_in):
    """Nothing in it waits for the device."""
    model = KINDS[kind](4)
    x = stand_in.asarray(data_for(model, dtype=np.float32))
    model.to("gpu")
    reads = stand_in.host_reads
    with stand_in.recording():
        model.training_step(x, stand_in.random.default_rng(0))
    assert stand_in.host_reads == reads


@pytest.mark.parametrize("kind", ["VAE", "IWAE", "CVAE"])
def test_large_batches_are_shared_among_the_cores(kind):
    model, rng = KINDS[kind](4), np.random.default_rng(0)
    x = data_for(model, 200_000, dtype=np.float32)
    assert parallel.count_parts(model, x, rng) > 1
    assert parallel.count_parts(model, x[:100], rng) == parallel.count_parts(model, x, Given()) == 1
    for seed in (None, 0):
        rng = lambda: None if seed is None else np.random.default_rng(seed)  # noqa: B023, E731
        together = model.objective(x, rng())
        model.backward()
        gradient = model.gradient.copy()
        parts = model.training_step(x, rng())  # each part draws its own noise
        assert parts == {name: pytest.approx(float(value), rel=5e-3) for name, value in together.items()}
        assert_allclose(model.gradient, gradient, atol=1e-5 if seed is None else 0.02)


@pytest.mark.parametrize("log_var", [-1e4, 1e4])
@pytest.mark.parametrize("kind", ["VAE", "IWAE", "CVAE"])
def test_log_var_far_out_of_range(kind, log_var, device, to_device, xp):
    """Neither overflow nor a gradient from beyond the cut."""
    model = KINDS[kind](4)
    model.log_var.b[...] = log_var
    x = to_device(data_for(model, dtype=np.float32))
    metrics = model.to(device).training_step(x, xp.random.default_rng(0))
    assert all(np.isfinite(float(value)) for value in metrics.values())
    assert np.isfinite(to_numpy(model.gradient)).all()
    assert not to_numpy(model.log_var.db).any() and to_numpy(model.mu.db).any()
    assert_array_equal(to_numpy(model.z_log_var), math.copysign(20, log_var))


# Statistics: what a gradient check cannot see


def test_draws_have_the_standard_deviation_that_log_var_says():
    """σ = exp(log_var / 2), and not exp(log_var): the gradients of either would pass."""
    model = make(sizes=(3, 2)).to(dtype=np.float64)
    x = np.repeat(data(1), 40_000, axis=0)
    mean, log_var = model.infer(x)
    z = model.draw_code(np.random.default_rng(0))
    assert_allclose(z.mean(axis=0), mean[0], atol=0.02)
    assert_allclose(z.std(axis=0), np.exp(log_var[0] / 2), rtol=0.02)
    assert (abs(log_var[0]) > 0.1).all()


def test_kl_is_the_mean_of_log_q_less_log_p():
    model = make().to(dtype=np.float64)
    model.mu.b[...], model.log_var.b[...] = [0.7, -0.4], [-1.2, 0.5]
    x = np.repeat(data(1), 200_000, axis=0)
    mean, log_var = model.infer(x)
    z = model.draw_code(np.random.default_rng(0))
    ε, σ = model.epsilon, np.exp(log_var / 2)
    log_q = (-0.5 * ((z - mean) / σ) ** 2 - np.log(σ) - 0.5 * math.log(2 * math.pi)).sum(axis=1)
    log_p = (-0.5 * z**2 - 0.5 * math.log(2 * math.pi)).sum(axis=1)
    assert_allclose((log_q - log_p).mean(), model.objective(x[:1])["kl"], rtol=0.01)
    assert_allclose(log_prior_ratio(z, ε, log_var), log_p - log_q, atol=1e-9)
    assert_allclose(model.unit_kl(x).sum(), model.objective(x[:1])["kl"])


def test_drawn_pixels():
    """1 with probability x; input and target are the same draw; without an rng x itself."""
    model = make(binarise=True)
    x = np.repeat(data(1, dtype=np.float32), 50_000, axis=0)
    drawn = model.as_drawn(x, np.random.default_rng(0))
    assert set(np.unique(drawn)) == {0, 1} and drawn.dtype == np.float32
    assert_allclose(drawn.mean(axis=0), x[0], atol=0.01)
    assert model.as_drawn(x, None) is x
    plain = make()
    uniform, ε = np.random.default_rng(1).random((5, 4)), np.random.default_rng(2).standard_normal((5, 2))
    x = data()
    found = model.to(dtype=np.float64).objective(x, Given(uniform, ε))
    assert found == plain.to(dtype=np.float64).objective((uniform < x).astype(float), Given(ε))
    assert_array_equal(model.uniform, uniform)


# The importance-weighted bound


def log_weights(model, x, ε):
    """log w of each sample (N, k), by the densities, in a loop."""
    mean, log_var = model.infer(x)
    log_w = np.empty(ε.shape[:2])
    for n, i in np.ndindex(*log_w.shape):
        σ = np.exp(log_var[n] / 2)
        z = mean[n] + σ * ε[n, i]
        p = 1 / (1 + np.exp(-model.decoder.forward(z[None])[0]))
        log_px = (x[n] * np.log(p) + (1 - x[n]) * np.log(1 - p)).sum()
        normal = lambda v, m, s: (-0.5 * ((v - m) / s) ** 2 - np.log(s) - 0.5 * math.log(2 * math.pi)).sum()  # noqa: E731
        log_w[n, i] = log_px + normal(z, 0, np.ones(2)) - normal(z, mean[n], σ)
    return log_w


@pytest.mark.parametrize("k", [1, 2, 7])
def test_the_bound_by_its_formula(k):
    model, x = make(kind=s.IWAE, samples=k).to(dtype=np.float64), data()
    ε = np.random.default_rng(1).standard_normal((5, k, 2))
    found = model.objective(x, Given(ε))
    w = np.exp(log_weights(model, x, ε))
    assert_allclose(found["loss"], -np.log(w.mean(axis=1)).mean())
    assert_allclose(model.share, w / w.sum(axis=1, keepdims=True))
    assert list(found) == ["loss", "reconstruction", "kl"]


def test_one_sample_is_the_vae_on_average():
    """The ELBO with its KL term drawn; many examples of one kind are many draws."""
    x = np.repeat(data(1), 100_000, axis=0)
    vae, iwae = make().to(dtype=np.float64), make(kind=s.IWAE, samples=1).to(dtype=np.float64)
    a = vae.training_step(x, np.random.default_rng(0))
    b = iwae.training_step(x, np.random.default_rng(1))
    assert_allclose(b["loss"], a["loss"], rtol=3e-3)
    assert_allclose(iwae.gradient, vae.gradient, atol=0.02)
    assert_allclose(b["reconstruction"], a["reconstruction"], rtol=3e-3)


def far_off(kind=s.VAE, **options):
    """A model whose q is not the posterior, so that bounds differ."""
    model = make(kind=kind, sizes=(3, 1), **options).to(dtype=np.float64)
    model.mu.b[...], model.log_var.b[...] = 0.8, 0.2
    model.decoder.layers[0].W *= 2
    return model


def test_more_samples_tighten_the_bound():
    x = np.repeat(binary(1), 20_000, axis=0)
    losses = [float(far_off(s.IWAE, samples=k).objective(x, np.random.default_rng(0))["loss"]) for k in (1, 5, 50)]
    gaps = np.array(losses) + far_off().log_likelihood(x[:100]).mean()
    assert gaps[0] > 1.5 * gaps[1] > 4 * gaps[2] > -0.02


@pytest.mark.parametrize("last", [[], [s.Sigmoid()]], ids=["logits", "probabilities"])
def test_log_likelihood_is_the_integral_over_the_code(last, device, to_device):
    """∫ p(x|z) p(z) dz, by a sum over a fine grid of the one number of the code."""
    model, x = far_off(last=last, loss=s.BCE() if last else s.BCEWithLogits()), binary()
    z = np.linspace(-8, 8, 4001)[:, None]
    p = model.decode(z)[:, None]
    px = (p**x * (1 - p) ** (1 - x)).prod(axis=2)
    truth = np.log((px * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi) * (z[1] - z[0])).sum(axis=0))
    found = model.to(device).log_likelihood(to_device(x), 20_000, rng=0)
    assert found.dtype == np.float64 and found.shape == (5,)
    assert_allclose(found, truth, atol=0.02)
    again = model.log_likelihood(to_device(x), 100, rng=3)
    assert_array_equal(model.log_likelihood(to_device(x), 100, rng=3), again)
    bound = model.elbo(to_device(np.repeat(x, 500, axis=0)), array_module(model.parameters).random.default_rng(0))
    assert bound["negative_elbo"] > -truth.mean() + 0.1


def test_log_probability_of_certain_predictions():
    a = np.array([[1e4, -1e4], [-1e4, 0.0]], np.float32)
    x = np.array([[1.0, 0.0], [1.0, 1.0]], np.float32)
    assert_allclose(log_probability(s.BCEWithLogits(), a, x), [0, -1e4 - math.log(2)], rtol=1e-6)
    p = np.array([[1.0, 0.0], [0.0, 0.5]], np.float32)
    assert np.isfinite(log_probability(s.BCE(), p, x)).all()


# The code


def test_elbo_draws_z_and_nothing_else():
    """No dropout, no binarisation, no β; the same seed, the same number."""
    plain, x = make(), data(3000, dtype=np.float32)
    noisy = make(before=[s.Dropout(0.9)], beta=7.0, binarise=True)
    noisy.parameters[...] = plain.parameters
    found = plain.elbo(x, np.random.default_rng(0))
    assert found == noisy.elbo(x, np.random.default_rng(0)) != plain.elbo(x, np.random.default_rng(1))
    assert found["negative_elbo"] == pytest.approx(found["reconstruction"] + found["kl"])
    step = plain.objective(x, np.random.default_rng(2))
    assert found == {
        "reconstruction": pytest.approx(float(step["reconstruction"]), rel=0.02),
        "kl": pytest.approx(float(step["kl"]), rel=1e-4),
        "negative_elbo": pytest.approx(float(step["loss"]), rel=0.02),
    }


@pytest.mark.parametrize(
    "options", [{"beta": 3.0}, {"binarise": True}, {"kind": s.IWAE, "samples": 3}, {"labels": 3, "kind": s.CVAE}]
)
@pytest.mark.parametrize("noise", [[], [s.GaussianNoise(0.3)]], ids=["", "noise"])
def test_it_is_judged_with_what_is_drawn_in_training_but_dropout(options, noise, device, to_device, xp):
    """So that training and validation measure the same: without dropout the two are equal, draw by draw."""
    plain, dropping = (make(before=[*noise, *more], **options).to(device) for more in ([], [s.Dropout(0.5)]))
    x = to_device(data_for(plain, dtype=np.float32))
    found = [model.judge(x, xp.random.default_rng(0)) for model in (plain, dropping)]
    in_training = plain.objective(x, xp.random.default_rng(0))
    assert found[0].keys() == in_training.keys()
    for name, value in in_training.items():
        assert float(found[0][name]) == float(found[1][name]) == pytest.approx(float(value), rel=1e-5)


def test_units_in_use(device, to_device):
    model = make()
    model.mu.W[:, 1], model.mu.b[1] = 1e-3, 3.0  # far from 0, and of KL 4.5, but of x it tells nothing
    model.log_var.W[...], model.log_var.b[...] = 0, math.log(0.5)
    x = data(2500, dtype=np.float32)
    mean = model.encode(x).astype(np.float64)
    there = to_device(x)
    model.to(device)
    assert model.active_units(there).tolist() == [True, False]
    assert_allclose(model.unit_kl(there), 0.5 * (mean**2 + 0.5 - math.log(0.5) - 1).mean(axis=0), rtol=1e-5)


def test_sample(device):
    """Of N(0, 1), through the decoder; the generator decides."""
    model = make().to(device)
    one, same, other = (to_numpy(model.sample(4, np.random.default_rng(seed))) for seed in (0, 0, 1))
    assert_array_equal(one, same)
    assert (one != other).any() and one.shape == (4, 4) and ((one > 0) & (one < 1)).all()
    z = to_numpy(model.prior(50_000, np.random.default_rng(0)))
    assert_allclose([z.mean(), z.std()], [0, 1], atol=0.01)


# Conditional


def test_the_decoder_is_told_the_class(device, to_device, xp):
    model = KINDS["CVAE"](4).to(device)
    x = data(dtype=np.float32, labels=3)
    model.training_step(to_device(x), xp.random.default_rng(0))
    seen = to_numpy(model.decoder.layers[0].x)
    assert seen.shape == (5, 2 + 3)
    assert_array_equal(seen[:, 2:], x[:, 4:])
    assert_array_equal(to_numpy(model.encoder.layers[0].x), x)
    z = model.encode(to_device(x))
    assert_array_equal(to_numpy(model.decode(z, to_device(x[:, 4:]))), to_numpy(model.reconstruct(to_device(x))))


def test_samples_of_a_class(device, to_device):
    model = KINDS["CVAE"](4).to(device)
    draw = lambda label: to_numpy(model.sample(6, np.random.default_rng(0), label))  # noqa: E731
    z = model.prior(6, np.random.default_rng(0))
    for label in (0, 2):
        y = np.eye(3, dtype=np.float32)[[label]]
        assert_array_equal(draw(label), to_numpy(model.decode(z, to_device(y))))
        assert_array_equal(draw([label] * 6), draw(label))
    assert_array_equal(draw(None), draw([0, 1, 2, 0, 1, 2]))
    for label in (3, -1, 0.5, [0, 7]):
        with pytest.raises(OptionError, match="expected a class from 0 to 2"):
            model.sample(2, np.random.default_rng(0), label)
    with pytest.raises(OptionError, match="needs the classes y"):
        model.decode(z)


def test_the_likelihood_of_a_conditional_model_is_that_of_the_pixels():
    model = KINDS["CVAE"](4).to(dtype=np.float64)
    x = np.concatenate([binary(), np.eye(3)[[0, 1, 2, 0, 1]]], axis=1)
    drawn = model.elbo(np.repeat(x, 2000, axis=0), np.random.default_rng(0))["negative_elbo"]
    assert 0 < drawn + model.log_likelihood(x, 2000).mean() < 1


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        (
            data(5, 7),
            DataError,
            "the last 3 columns of x must hold a single 1 among zeros, the class: 5 of 5 rows do not",
        ),
        (np.ones((5, 3)), ShapeError, r"expects rows of pixels and, at their end, 3 labels, got \(5, 3\)"),
        (np.ones((5, 7, 1)), ShapeError, "expects rows"),
        (np.zeros((5, 7)), DataError, "5 of 5 rows do not, the first is row 0"),
        (np.ones((5, 7)), DataError, "single 1"),
    ],
)
def test_data_without_classes(x, error, text):
    with pytest.raises(error, match=text):
        KINDS["CVAE"](4).check_data(x.astype(np.float32))


def test_a_class_without_examples_does_no_harm():
    x = np.concatenate([data(30), np.eye(3)[[0] * 20 + [2] * 10]], axis=1).astype(np.float32)
    model = KINDS["CVAE"](4)
    s.fit(model, x, epochs=2, batch_size=8, optimizer=s.Adam(), validation=x[:4], progress=False)
    assert np.isfinite(model.sample(3, np.random.default_rng(0), 1)).all()


# What cannot be


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: make(beta=-0.1), r"VAE\(beta=-0\.1\): expected a number, 0 <= beta; 1 gives the ELBO"),
        (lambda: make(beta=math.nan), "expected a number, 0 <= beta; 1 gives the ELBO"),
        (lambda: make(loss=s.MSE), r"loss=MSE is a class: make an object of it, loss=MSE\(…\)"),
        (lambda: make(kind=s.IWAE, loss=s.BCE), "loss=BCE is a class"),
        (lambda: make(log_var_limit=100), r"log_var_limit=100\): expected a number, 0 < log_var_limit <= 80"),
        (lambda: make(log_var_limit=0), "log_var_limit=0"),
        (lambda: make(loss=s.MSE(), binarise=True), r"binarise=True draws pixels .* got loss=MSE\(\)"),
        (lambda: make(kind=s.IWAE, samples=0), r"IWAE\(samples=0\): expected a whole number, at least 1"),
        (lambda: make(kind=s.IWAE, samples=2.5), "samples=2.5"),
        (lambda: make(kind=s.IWAE, loss=s.MSE()), r"IWAE needs a likelihood .* got loss=MSE\(\)"),
        (lambda: make(kind=s.CVAE), "labels"),
        (lambda: s.CVAE(*[s.Dense(1, 1)] * 4, labels=0, loss=s.MSE()), r"CVAE\(labels=0\)"),
        (lambda: s.VAE(s.Dense(4, 3), s.Tanh(), s.Dense(3, 2), s.Dense(2, 4), loss=s.MSE()), r"mu=Tanh\(\)"),
        (lambda: s.VAE(s.Dense(4, 3), s.Dense(3, 1), s.Dense(3, 2), s.Dense(2, 4), loss=s.MSE()), "mu makes 1 .*log_var makes 2"),
        (lambda: make(loss=s.MSE()).log_likelihood(binary()), r"log_likelihood needs .* got MSE\(\)"),
        (lambda: make().log_likelihood(binary(), samples=0), "samples=0"),
        (lambda: make().sample(0, np.random.default_rng(0)), r"sample\(n=0\)"),
        (lambda: make().log_likelihood(data(dtype=np.float32)), r"grey pixels.* expected 0 and 1; \(rng\.random"),
        (lambda: make().unit_kl(data(0)), "holds no examples"),
        (lambda: make().check_data(np.full((3, 4), 255, np.float32)), "max 255: divide by 255"),
        (lambda: make().check_data(np.ones((3, 5), np.float32)), r"expects x of shape \(N, 4\)"),
        (lambda: make(loss=s.BCE()).check_data(np.ones((3, 4), np.float32)), r"BCE needs predictions in \[0, 1\]"),
        (
            lambda: s.VAE(s.Dense(4, 3), s.Dense(3, 2), s.Dense(3, 2), s.Dense(2, 3), loss=s.MSE()).check_data(np.ones((3, 4), np.float32)),
            r"the decoder makes examples of shape \(3,\), the target has \(4,\)",
        ),
    ],
)  # fmt: skip
def test_mistakes(build, text):
    with pytest.raises((OptionError, ShapeError, DataError, TypeError), match=text):
        build()


# In files, and in training


@every_kind
def test_save_and_load(kind, tmp_path):
    model = kind(4)
    x = data_for(model, dtype=np.float32)
    s.save(model, tmp_path / "model.safetensors")
    again = s.load(tmp_path / "model.safetensors")
    assert type(again) is type(model) and repr(again) == repr(model)
    for one, two in itertools.product((None, 0), repeat=2):
        if one == two:
            step = [m.training_step(x, None if one is None else np.random.default_rng(one)) for m in (model, again)]
            assert step[0] == step[1]
    assert_array_equal(again.gradient, model.gradient)


@pytest.mark.parametrize("kind", ["VAE", "IWAE", "CVAE"])
def test_training_learns_what_the_data_are(kind, device):
    """Two kinds of examples, either at random: the code tells which, and either has probability ½; told the class, nothing is
    left to say.
    """
    which = np.random.default_rng(0).integers(0, 2, 256)
    pixels = np.array([[0, 0, 1, 1], [1, 1, 0, 0]])[which]
    options = {"CVAE": {"labels": 2}}.get(kind, {})
    x = (np.concatenate([pixels, np.eye(2)[which]], axis=1) if options else pixels).astype(np.float32)
    model = make(kind=getattr(s, kind), sizes=(16, 1), **options)
    model.to(device)
    s.fit(model, x, epochs=80, batch_size=64, optimizer=s.Adam(s.Cosine(0.03, 320)), device=device, progress=False)
    model.to("cpu")
    if kind == "CVAE":
        assert 0 < model.elbo(x, np.random.default_rng(0))["negative_elbo"] < 0.1
        assert_allclose(model.sample(2, np.random.default_rng(0)), [[0, 0, 1, 1], [1, 1, 0, 0]], atol=0.1)
    else:
        assert model.elbo(x, np.random.default_rng(0))["negative_elbo"] > math.log(2)
        assert_allclose(-model.log_likelihood(x, 500).mean(), math.log(2), atol=0.2)
