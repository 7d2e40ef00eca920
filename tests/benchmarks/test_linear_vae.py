"""The linear VAE's eigenvalues: what is predicted, and that training is compared with it."""

import json
import math

import linear_vae
import numpy as np
import pytest

from scratchae.data import pixels, strokes


def test_what_is_predicted_by_hand():
    """β s² = 2: the eigenvalue 8 costs ½ log 4, and neither 2 nor 1 is used."""
    assert linear_vae.predicted_kl(np.array([8.0, 2.0, 1.0]), 4.0) == pytest.approx([math.log(2), 0, 0])


def test_a_run_is_written_down(monkeypatch, capsys, tmp_path):
    data = strokes(400, 10)
    monkeypatch.setattr(linear_vae.s, "load_data", lambda name: data)
    options = ["--betas", "1", "8", "--code", "3", "--epochs", "300", "--json", str(tmp_path / "a.json")]
    assert linear_vae.main(options) == 0
    record = json.loads((tmp_path / "a.json").read_text())
    x = pixels(data.train_images).astype(np.float64)
    x -= x.mean(axis=0)
    eigenvalues = np.linalg.svd(x, compute_uv=False)[:3] ** 2 / 400
    assert record["eigenvalues"] == pytest.approx(eigenvalues, rel=1e-3)
    for beta in (1.0, 8.0):
        kls = record["betas"][str(beta)]
        assert kls["predicted"] == pytest.approx(0.5 * np.log(np.maximum(eigenvalues / beta * 2, 1)), abs=1e-3)
        assert kls["found"] == pytest.approx(kls["predicted"], abs=0.3)
    assert "written to" in capsys.readouterr().out


def test_a_weight_of_zero_is_refused(capsys):
    with pytest.raises(SystemExit):
        linear_vae.main(["--betas", "0"])
    assert "--betas 0: expected numbers above 0" in capsys.readouterr().err
