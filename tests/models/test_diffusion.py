"""The denoiser of all noise levels: what it is given, the score that it stands for, and sampling."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import to_numpy
from scratchae.errors import OptionError, ShapeError


def make(d=4, levels=3, loss=None, **options):
    rng = np.random.default_rng(0)
    net = s.Sequential(s.Dense(d + levels, 6, rng=rng), s.Tanh(), s.Dense(6, d, rng=rng))
    return s.Diffusion(net, loss=loss or s.MSE(), levels=levels, **options)


def data(n=8, d=4, seed=0):
    return np.random.default_rng(seed).random((n, d)).astype(np.float32)


class Gaussian(s.Diffusion):
    """Knows the best denoiser of data from N(mean, std²)."""

    mean, std = np.array([0.5, -1.0, 2.0, 0.0]), 0.3

    def denoise(self, noisy, sigma):
        share = self.std**2 / (self.std**2 + sigma**2)
        return (self.mean + share * (noisy - self.mean)).astype(noisy.dtype)


def test_what_the_net_is_given(device, to_device):
    model, x = make(low=0.1, high=10.0).to(device), data()
    given = []
    before = model.net.forward
    model.net.forward = lambda x, rng=None: given.append(to_numpy(x)) or before(x, rng)
    rng = s.array_module(model.parameters).random.default_rng(0)
    loss = float(model.objective(to_device(x), rng)["loss"])
    again = s.array_module(model.parameters).random.default_rng(0)
    u = to_numpy(again.random((8, 1), dtype=np.float32))
    epsilon = to_numpy(again.standard_normal(x.shape, dtype=np.float32))
    sigma = 0.1 * 100**u
    assert_allclose(given[0][:, :4], (x + sigma * epsilon) / np.sqrt(1 + sigma**2), rtol=1e-4, atol=1e-6)
    assert_allclose(given[0][:, 4:], np.exp(-((3 * u - [0.5, 1.5, 2.5]) ** 2)), rtol=1e-4)
    prediction = to_numpy(before(to_device(given[0])))
    assert loss == pytest.approx(((prediction - x) ** 2).sum() / 8, rel=1e-4)


@pytest.mark.parametrize("loss", [s.MSE(), s.BCEWithLogits()], ids=["mse", "logits"])
@pytest.mark.parametrize("noise", [True, False])
def test_gradients_are_exact(loss, noise):
    report = s.check_gradients(make(loss=loss), data(), noise=noise)
    assert report.passed and report.worst < 1e-7 and not report.findings


def test_denoising_at_a_level_is_what_was_trained():
    """The level is told as in training: at σ the features are those of its u."""
    model, x = make(low=0.1, high=10.0), data()
    u = np.full((8, 1), 0.5, np.float32)  # σ = 1
    assert_allclose(model.denoise(x, 1.0), model.loss.mean(model.net.forward(model.told(x, u))), rtol=1e-5)


def test_the_score_is_the_slope_of_the_log_density_of_noisy_data():
    """Of a Gaussian, whose noisy density is known: N(mean, std² + σ²)."""
    model, sigma, x = Gaussian(make().net, loss=s.MSE(), levels=3), 0.7, data().astype(np.float64)
    assert_allclose(model.score(x, sigma), -(x - model.mean) / (model.std**2 + sigma**2), rtol=1e-9)


def test_sampling_with_the_best_denoiser_gives_the_data():
    model = Gaussian(make().net, loss=s.MSE(), levels=3, low=0.01, high=10.0)
    x = model.sample(20_000, steps=300, rng=0)
    assert_allclose(x.mean(axis=0), model.mean, atol=0.05)
    assert_allclose(x.std(axis=0), model.std, rtol=0.05)


def test_noise_of_each_level_is_as_large_as_said():
    model = Gaussian(make().net, loss=s.MSE(), levels=3)
    for sigma, noisy, _ in model.steps(20_000, steps=100, rng=0):
        assert_allclose(noisy.std(axis=0), np.sqrt(sigma**2 + model.std**2), rtol=0.08)
    assert sigma == pytest.approx(model.low)


def test_it_learns_two_points():
    """New examples lie near one or the other."""
    rng = np.random.default_rng(0)
    points = np.array([[0.1, 0.9], [0.9, 0.1]], np.float32)
    x = points[rng.integers(0, 2, 2000)]
    hidden = [s.Dense(10, 48, init="he", rng=rng), s.ReLU(), s.Dense(48, 48, init="he", rng=rng), s.ReLU()]
    net = s.Sequential(*hidden, s.Dense(48, 2, rng=rng))
    model = s.Diffusion(net, loss=s.MSE(), levels=8, high=5.0)
    s.fit(model, x, epochs=20, batch_size=50, optimizer=s.Adam(s.Cosine(0.01, 800)), progress=False)
    made = to_numpy(model.sample(200, steps=50, rng=1))
    distance = np.sqrt(((made[:, None] - points) ** 2).sum(axis=-1))
    assert np.mean(distance.min(axis=1) < 0.25) > 0.9
    assert 0.2 < np.mean(distance.argmin(axis=1)) < 0.8


def test_samples_come_from_the_generator():
    model = make()
    assert_array_equal(model.sample(3, steps=5, rng=1), model.sample(3, steps=5, rng=1))
    assert model.sample(3, steps=5, rng=1).shape == (3, 4) and model.sample(3, steps=5).dtype == np.float32


def test_saved_and_loaded(tmp_path):
    model = make(low=0.1, high=3.0)
    s.save(model, tmp_path / "model.safetensors")
    again = s.load(tmp_path / "model.safetensors")
    assert repr(again) == repr(model) and (again.low, again.high) == (0.1, 3.0)


def test_what_cannot_be_is_refused():
    with pytest.raises(OptionError, match=r"low=2, high=1\): expected low < high"):
        make(low=2.0, high=1.0)
    with pytest.raises(OptionError, match="0 < low"):
        make(low=0)
    few = {"epochs": 1, "batch_size": 4, "optimizer": s.Adam(), "progress": False}
    with pytest.raises(
        ShapeError, match=r"expects rows x \(N, 4\), as its net takes these and 3 features .* got \(8, 5\)"
    ):
        s.fit(make(), data(d=5), **few)
    with pytest.raises(ShapeError, match=r"got \(8, 2, 2, 1\): flatten images"):
        s.fit(make(), data().reshape(8, 2, 2, 1), **few)
    for sigma in (0.01, 11, -1):
        with pytest.raises(
            OptionError, match=r"0.05 <= sigma <= 10.0, the levels of the noise that the net has learned"
        ):
            make().score(data(), sigma)
    with pytest.raises(ShapeError, match=r"expects noisy data \(N, 4\).* got \(8, 6\)"):
        make().denoise(data(d=6), 1.0)
    with pytest.raises(OptionError, match="steps=1"):
        make().sample(1, steps=1)
    with pytest.raises(OptionError, match="begin with a Dense"):
        s.fit(s.Diffusion(s.Sequential(s.BatchNorm(7)), loss=s.MSE(), levels=3), data(), **few)
