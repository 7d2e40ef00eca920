"""Runs of a diffusion model: figures as computed anew from the model's file, and their pictures."""

import numpy as np
import pytest

import scratchae.data
from scratchae import Dense, Diffusion, Sequential, load
from scratchae.data import strokes
from scratchae.losses import BCEWithLogits
from scratchae.presets import Preset
from scratchae.runs import diffusion, train


def build(rng, form=None):
    return Diffusion(Sequential(Dense(788, 8, rng=rng), Dense(8, 784, rng=rng)), loss=BCEWithLogits(), levels=4)


def test_a_run_leaves_figures_and_pictures(tmp_path, monkeypatch):
    data = strokes(300, 60)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: data)
    monkeypatch.setattr(diffusion, "STEPS", 10)
    preset = Preset("small", "788-8-784", build, 3, 1, 50)
    record = train(preset, out=tmp_path / "run")
    pictures = sorted(path.stem for path in (tmp_path / "run").glob("*.png"))
    assert pictures == ["loss", "reconstructions", "samples", "sampling"]
    model, x = load(tmp_path / "run" / "model.safetensors"), preset.examples().test
    noisy = x + 0.5 * np.random.default_rng(0).standard_normal(x.shape, dtype=np.float32)
    made = model.denoise(noisy, 0.5)
    assert record["figures"]["small"]["squared_error"] == pytest.approx(((made - x) ** 2).sum() / 60, rel=1e-3)
    assert record["figures"]["noisy input"]["squared_error"] == pytest.approx(196, rel=0.05)
    rows = diffusion.sampling(model, 3)
    assert len(rows) == 12 and all(images.shape == (3, 28, 28) for images in rows.values())
    assert next(iter(rows)) == "σ = 10"
