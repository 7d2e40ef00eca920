"""A linear probe of codes: who is trained on what, and what is compared."""

import json

import numpy as np
import probe
import pytest

import scratchae.data
from scratchae.data import strokes


def test_a_code_that_tells_the_labels_apart_has_no_error(monkeypatch):
    monkeypatch.setattr(probe, "LABELLED", (20, 60))
    monkeypatch.setattr(probe, "CHOOSING", 20)
    labels = np.arange(100) % 4
    x = np.eye(4, dtype=np.float32)[labels] + np.random.default_rng(0).normal(0, 0.1, (100, 4)).astype(np.float32)
    assert probe.probed(lambda x: x, x, labels, x[:40], labels[:40]) == [0, 0]
    assert probe.probed(lambda x: 0 * x, x, labels, x[:40], labels[:40]) == pytest.approx([0.75, 0.75])


def test_presets_beside_pixels_and_pca(monkeypatch, capsys, tmp_path):
    data = strokes(600, 60)
    monkeypatch.setattr(probe, "load_data", lambda name, directory: data)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: data)
    monkeypatch.setattr(probe, "LABELLED", (100, 300))
    monkeypatch.setattr(probe, "CHOOSING", 100)
    options = [
        "--presets",
        "masked",
        "simple",
        "--data",
        "strokes",
        "--epochs",
        "1",
        "--json",
        str(tmp_path / "p.json"),
    ]
    assert probe.main(options) == 0
    record = json.loads((tmp_path / "p.json").read_text())
    assert list(record["errors"]) == ["masked", "simple", "pixels", "PCA-64"]
    assert all(0 <= error < 0.9 for errors in record["errors"].values() for error in errors)
    assert record["errors"]["pixels"][1] <= record["errors"]["pixels"][0]
    assert f"{record['errors']['simple'][0]:.2%}" in capsys.readouterr().out
