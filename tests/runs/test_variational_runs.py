"""Runs of variational autoencoders: figures as computed anew from the model's file, and their pictures."""

import numpy as np
import pytest

import scratchae.data
from scratchae import load
from scratchae.data import strokes
from scratchae.models import CVAE, VAE
from scratchae.presets import Form, Preset
from scratchae.presets.variational import variational
from scratchae.runs import autoencoder, train
from scratchae.runs import variational as results
from scratchae.runs.results import table


def conditional(rng, form=None):
    layers = variational(rng, Form((784,)), [794, 8, 3]), variational(rng, Form((784,)), [784, 8, 13])
    return CVAE(layers[0].encoder, layers[0].mu, layers[0].log_var, layers[1].decoder, labels=10, loss=layers[0].loss)


PLANE = Preset("plane", "784-8-2", lambda rng, form=None: variational(rng, Form((784,)), [784, 8, 2]), 2, 1, 50)
BINARY = Preset(
    "binary", "784-8-3", lambda rng, form=None: variational(rng, Form((784,)), [784, 8, 3], binarise=True), 3, 1, 50
)
TOLD = Preset("told", "794-8-3", conditional, 3, 1, 50, labels=10)
TWO = Preset(
    "two", "784-8-3", lambda rng, form=None: variational(rng, Form((784,)), [784, 8, 3], beta=4.0), 3, 1, 50,
    variants={"β = 1": lambda rng, form=None: variational(rng, Form((784,)), [784, 8, 3])},
)  # fmt: skip
EVERY_RUN = ["latent", "loss", "reconstructions", "samples"]


@pytest.fixture(autouse=True)
def few_strokes(monkeypatch, tmp_path):
    data = strokes(300, 60)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: data)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(results, "SAMPLES", 20)
    monkeypatch.setattr(autoencoder, "SHOWN", 0)


@pytest.mark.parametrize(
    ("preset", "more"),
    [
        (PLANE, ["interpolations", "manifold"]),
        (BINARY, ["interpolations", "units"]),
        (TOLD, ["units"]),
        (TWO, ["interpolations", "units"]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_run_leaves_figures_and_pictures(tmp_path, capsys, preset, more):
    record = train(preset, out=tmp_path / "run")
    pictures = sorted(path.stem for path in (tmp_path / "run").glob("*.png"))
    assert pictures == sorted(EVERY_RUN + more)
    figures = record["figures"]
    model, examples = load(tmp_path / "run" / "model.safetensors"), preset.examples()
    found = figures[preset.name]
    x = examples.test[:, :784].astype(np.float64)
    assert found["negative_elbo"] == pytest.approx(found["reconstruction"] + found["kl"])
    assert found["units_in_use"] == (model.encode(examples.test).var(axis=0) > 0.01).sum() or preset is BINARY
    if preset is BINARY:
        assert "cross_entropy_floor" not in found
        assert found["nll"] == pytest.approx(found["negative_elbo"], rel=0.2)
    else:
        inner = x[(x > 0) & (x < 1)]
        entropy = -(inner * np.log(inner) + (1 - inner) * np.log(1 - inner)).sum() / len(x)
        assert found["cross_entropy_floor"] == pytest.approx(entropy, rel=1e-4)
        assert found["kl"] == pytest.approx(model.objective(examples.test)["kl"], rel=1e-4)
        assert found["squared_error"] == pytest.approx(
            ((model.reconstruct(examples.test) - x) ** 2).sum() / len(x), 1e-4
        )
        again = np.mean(
            [model.elbo(examples.test, np.random.default_rng(seed))["reconstruction"] for seed in range(1, 20)]
        )
        assert found["reconstruction"] == pytest.approx(again, rel=0.05)
    assert (f"PCA-{preset.code}" in figures) == (preset is not TOLD)
    output = capsys.readouterr().out
    assert f"{found['negative_elbo']:>12.4f} {found['negative_elbo'] / 784:>12.5f}" in output


def test_the_manifold_covers_the_prior_evenly():
    """Each cell holds the same share of N(0, 1); the second number grows upwards."""
    seen = []

    class Plain(VAE):
        def decode(self, z):
            seen.append(z)
            return np.zeros((len(z), 784), np.float32)

    base = PLANE.build(np.random.default_rng(0))
    images, z = results.manifold(Plain(base.encoder, base.mu, base.log_var, base.decoder, loss=base.loss), 10)
    draws = np.random.default_rng(0).standard_normal(100_000)
    np.testing.assert_allclose((draws[:, None] < z).mean(axis=0), (np.arange(10) + 0.5) / 10, atol=0.01)
    assert images.shape == (10, 10, 28, 28)
    grid = np.concatenate(seen).reshape(10, 10, 2)
    np.testing.assert_array_equal(grid[0, :, 0], z)
    np.testing.assert_array_equal(grid[:, 0, 1], z[::-1])


def test_interpolations_go_from_original_to_original_by_their_reconstructions():
    model = PLANE.build(np.random.default_rng(0))
    shown = PLANE.examples().test[:6]
    rows = results.interpolations(model, shown, [0, 1, 2, 3, 4, 5], steps=5)
    assert list(rows) == ["0 to 3", "1 to 4", "2 to 5"]
    ends = results.pictures(model.reconstruct(shown))
    np.testing.assert_array_equal(rows["1 to 4"][[0, -1]], results.pictures(shown)[[1, 4]])
    np.testing.assert_allclose(rows["1 to 4"][[1, -2]], ends[[1, 4]], atol=1e-6)
    assert len(rows["0 to 3"]) == 7


def test_counts_have_no_mean_over_the_features():
    line = table({"vae": {"units_in_use": 19}}, 784).splitlines()[1]
    assert line.split() == ["vae", "numbers", "of", "the", "code", "in", "use", "19.0000"]


def test_a_long_name_stands_apart_from_its_figure():
    lines = table({"gan": {"frechet": 5.0}, "denoising-salt-and-pepper": {"frechet": 0.4}}, 784).splitlines()
    assert "denoising-salt-and-pepper Fréchet" in lines[2] and lines[1].index("Fréchet") == lines[2].index("Fréchet")
    assert lines[0].index("per example") == lines[1].index("5.0000") - 5
