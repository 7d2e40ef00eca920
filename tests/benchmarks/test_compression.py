"""Compression: what is measured, and that the table says what the curves say."""

import json

import compression
import numpy as np
import pytest

import scratchae.data
from scratchae.data import strokes

pytest.importorskip("constriction")


def test_bits_between_two_points():
    points = [(400.0, 1.0), (100.0, 3.0), (25.0, 5.0)]
    assert compression.bits_at(points, 3) == pytest.approx(100)
    assert compression.bits_at(points, 2) == pytest.approx(200)  # half way in the logarithm
    assert compression.bits_at(points, 0.9) is None and compression.bits_at(points, 5.1) is None


def test_curves_and_a_coding_without_loss(monkeypatch, capsys, tmp_path):
    data = strokes(400, 40)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: data)
    few = ["--epochs", "1", "--lossless-epochs", "1", "--images", "30", "--lossless", "4"]
    path = tmp_path / "c.json"
    assert compression.main(["--data", "strokes", "--code", "3", "--hidden", "20", *few, "--json", str(path)]) == 0
    record = json.loads(path.read_text())
    curves = record["curves_of_bits_and_squared_error_per_image"]["strokes"]
    assert [*curves] == ["deep-linear-code, code 3", "PCA-3", "JPEG", "WebP", "PNG, lossless"]
    for points in curves.values():
        _, errors = np.array(sorted(points)).T
        assert errors[-1] <= errors[0]  # more bits, less error
    assert record["bytes_of_model_and_codec"]["strokes"]["PCA-3"] > 4 * 4 * 784
    lossless, out = record["lossless"], capsys.readouterr().out
    assert lossless["bits_back"] == pytest.approx(lossless["negative_elbo"], rel=0.2)
    assert "4 images, all as they were" in out and "| JPEG |" in out
    assert (tmp_path / "c-strokes.png").is_file()


def test_what_does_not_come_back_is_an_error(monkeypatch, tmp_path):
    data = strokes(400, 40)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: data)
    monkeypatch.setattr(compression, "with_loss", lambda name, options: ({}, {}))
    monkeypatch.setattr(compression, "table", lambda *_: "")
    forth = compression.bits_forth
    monkeypatch.setattr(compression, "bits_forth", lambda *given: 1 - forth(*given))
    few = ["--lossless-epochs", "1", "--lossless", "2", "--json", str(tmp_path / "c.json")]
    with pytest.raises(AssertionError, match="did not give back"):
        compression.main(["--data", "strokes", *few])
