"""Codes, probed: who is trained on what, and what is compared."""

import json

import numpy as np
import probe
import pytest

import scratchae.data
from scratchae.data import strokes


def test_presets_beside_pixels_and_pca(monkeypatch, capsys, tmp_path):
    data, calls = strokes(700, 60), []
    monkeypatch.setattr(scratchae.data, "strokes", lambda: data)
    monkeypatch.setattr(probe, "COUNTS", (10, 100))
    tune = probe.fine_tuned
    monkeypatch.setattr(
        probe,
        "fine_tuned",
        lambda model, *given, **o: (
            calls.append((model.parameters.copy(), given[1], o)) or tune(model, *given, steps=30, **o)
        ),
    )
    options = [
        "--presets",
        "deep",
        "rbm",
        "--data",
        "strokes",
        "--transfer",
        "strokes",
        "--epochs",
        "1",
        "--seeds",
        "2",
        "--json",
    ]
    assert probe.main([*options, str(tmp_path / "p.json")]) == 0
    found = json.loads((tmp_path / "p.json").read_text())["test_accuracy_by_labels"]["strokes"]
    names = [f"{name}, {kind}" for name in ("deep", "rbm", "PCA-32", "pixels") for kind in ("linear", "neighbours")]
    assert set(found) == {
        *names,
        *(f"{name}, {how}" for name in ("deep", "rbm") for how in ("pretrained", "from scratch")),
    }
    most = str(len(data.train_labels) - len(data.train_labels) // 60)
    for name, row in found.items():
        assert list(row) == ["10", "100", *([most] if name in names else [])]
        assert {len(each) for each in row.values()} == {2}
    assert found["pixels, linear"][most][0] > found["pixels, linear"]["10"][0]
    assert found["pixels, linear"]["10"][0] != found["pixels, linear"]["10"][1]  # other labels with each seed
    trained, fresh = calls[:2]
    assert trained[0].shape == fresh[0].shape and (trained[0] != fresh[0]).any()
    assert np.array_equal(trained[1], fresh[1]) and trained[2] == fresh[2]  # the same labels, the same order
    mean = np.mean(found["deep, linear"]["100"])
    assert f"{mean:.1%} ± {np.std(found['deep, linear']['100']):.1%}" in capsys.readouterr().out


def test_a_preset_that_is_not_there(capsys):
    with pytest.raises(SystemExit):
        probe.main(["--seeds", "0"])
    assert probe.main(["--presets", "no-such"]) == 1
