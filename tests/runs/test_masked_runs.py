"""Runs of a masked autoencoder: figures as computed anew from the model's file, and their pictures."""

import numpy as np
import pytest

import scratchae.data
from scratchae import PCA, Dense, Flatten, MaskedAutoencoder, Reshape, Sequential, load
from scratchae.data import strokes
from scratchae.losses import BCEWithLogits
from scratchae.presets import Preset
from scratchae.runs import autoencoder, results, train
from scratchae.runs.masked import Linear


def build(rng, form=None):
    encoder = Sequential(Flatten(), Dense(784, 8, rng=rng))
    decoder = Sequential(Dense(8, 784, rng=rng), Reshape((28, 28, 1)))
    return MaskedAutoencoder(encoder, decoder, loss=BCEWithLogits(), patch=7, rate=0.5)


def test_a_run_leaves_figures_and_pictures(tmp_path, monkeypatch):
    data = strokes(300, 60)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: data)
    monkeypatch.setattr(autoencoder, "SHOWN", 0)
    monkeypatch.setattr(autoencoder, "STRUCTURE", -1)
    preset = Preset("small", "784-8", build, 3, 1, 50, shape=(28, 28, 1))
    record = train(preset, out=tmp_path / "run")
    pictures = sorted(path.stem for path in (tmp_path / "run").glob("*.png"))
    assert pictures == ["filled_in", "filters", "latent", "loss"]
    model, examples = load(tmp_path / "run" / "model.safetensors"), preset.examples()
    x = examples.test
    hidden = model.hide(x, np.random.default_rng(0))
    errors = ((model.fill_in(x, hidden) - x) ** 2).sum() / len(x)
    assert record["figures"]["small"]["squared_error"] == pytest.approx(errors, 1e-4)
    assert list(record["figures"]) == ["small", "PCA-3", "the mean image"]
    mean = record["figures"]["the mean image"]["squared_error"]
    assert mean == pytest.approx((((x - examples.train.mean(axis=0)) * hidden) ** 2).sum() / len(x), 1e-4)
    assert results.mean_image_error(model, examples) == pytest.approx(mean)


def test_pca_fills_in_with_the_conditional_mean():
    """Of the normal distribution that PCA describes: μ_h + Σ_hs Σ_ss⁻¹ (x_s - μ_s), Σ = Cᵀ diag(λ) C + s²."""
    rng = np.random.default_rng(0)
    some = (rng.standard_normal((500, 3)) @ rng.standard_normal((3, 6)) + 0.3 * rng.standard_normal((500, 6))).astype(
        "f"
    )
    pca = PCA(2).fit(some)
    x, hidden = some[:7], (rng.random((7, 6)) < 0.5).astype(np.float32)
    z = pca.encode(some).astype(np.float64)
    noise = ((some - pca.reconstruct(some)) ** 2).mean()
    C = pca.directions.astype(np.float64)
    covariance = C.T @ np.diag(z.var(axis=0)) @ C + noise * np.eye(6)
    made = Linear(pca, some).fill_in(x, hidden)
    for one, h, found in zip(x.astype(np.float64), hidden == 1, made, strict=True):
        if h.any():
            off = np.linalg.solve(covariance[np.ix_(~h, ~h)], (one - pca.mean)[~h])
            one[h] = pca.mean[h] + covariance[np.ix_(h, ~h)] @ off
        np.testing.assert_allclose(found, one, rtol=1e-3, atol=1e-4)
