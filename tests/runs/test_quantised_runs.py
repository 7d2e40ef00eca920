"""Runs of a vector-quantised autoencoder: figures as computed anew from the model's file, and their pictures."""

import numpy as np
import pytest

import scratchae.data
from scratchae import VQVAE, Codebook, CodePrior, Dense, Flatten, Reshape, Sequential, Sigmoid, load
from scratchae.data import strokes
from scratchae.losses import MSE
from scratchae.presets import Preset
from scratchae.runs import quantised, train


def build(rng, form=None):
    encoder = Sequential(Dense(784, 8, rng=rng), Reshape((4, 2)))
    decoder = Sequential(Flatten(), Dense(8, 784, rng=rng), Sigmoid())
    return VQVAE(encoder, Codebook(6, 2, rng=rng), decoder, loss=MSE())


def test_a_run_leaves_figures_and_pictures(tmp_path, monkeypatch, capsys):
    data = strokes(300, 60)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: data)
    preset = Preset("small", "four of six vectors", build, 3, 2, 50)
    record = train(preset, out=tmp_path / "run")
    pictures = sorted(path.stem for path in (tmp_path / "run").glob("*.png"))
    assert pictures == ["codebook", "loss", "reconstructions", "samples"]
    model, examples = load(tmp_path / "run" / "model.safetensors"), preset.examples()
    found, x = record["figures"]["small"], examples.test
    assert found["squared_error"] == pytest.approx(((model.reconstruct(x) - x) ** 2).sum() / len(x), 1e-4)
    assert found["bits"] == pytest.approx(4 * np.log2(6))
    bits = CodePrior(6).fit(model.codes(examples.train)).bits(model.codes(x)).mean()
    assert found["prior_bits"] == pytest.approx(bits)
    shares = quantised.use(model, model.codes(x))
    assert shares.sum() == pytest.approx(1) and shares.shape == (6,)
    assert 1 <= found["perplexity"] <= 6
    assert "PCA-3" in record["figures"]
    assert "bits, by the prior" in capsys.readouterr().out
