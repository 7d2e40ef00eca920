"""Anomaly scores: AUC, and who is trained on what."""

import dataclasses
import json

import anomaly
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchae.data import strokes
from scratchae.errors import DataError


@given(
    values=st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=20).filter(
        lambda values: len({abnormal for _, abnormal in values}) == 2
    )
)
def test_auc_counts_the_pairs(values):
    """Few different scores, so that many are equal: half a pair each."""
    scores, abnormal = np.array([s for s, _ in values], np.float32), np.array([a for _, a in values])
    pairs = [(a > n) + (a == n) / 2 for a in scores[abnormal] for n in scores[~abnormal]]
    assert anomaly.auc(scores, abnormal) == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)


def test_auc_by_hand():
    abnormal = np.array([False, False, True, True])
    assert anomaly.auc(np.array([1.0, 2.0, 3.0, 4.0]), abnormal) == 1
    assert anomaly.auc(np.array([4.0, 3.0, 2.0, 1.0]), abnormal) == 0
    assert anomaly.auc(np.array([1.0, 3.0, 2.0, 4.0]), abnormal) == 0.75
    assert anomaly.auc(np.zeros(4), abnormal) == 0.5
    with pytest.raises(DataError, match="0 of 4 examples are unusual"):
        anomaly.auc(np.zeros(4), abnormal & False)


def test_a_model_learns_one_digit_and_is_judged_by_all(monkeypatch, capsys, tmp_path):
    data = strokes(600, 60)  # more of each digit than PCA has directions
    monkeypatch.setattr(anomaly, "load_data", lambda name, directory: data)
    trained = []
    fit = anomaly.fit
    monkeypatch.setattr(anomaly, "fit", lambda model, x, **o: trained.append((x, o["seed"])) or fit(model, x, **o))
    options = ["--presets", "deep", "no-such", "overcomplete", "--epochs", "1", "--seeds", "2"]
    assert anomaly.main([*options, "--json", str(tmp_path / "a.json")]) == 0
    assert [seed for _, seed in trained] == [0, 1] * 10
    for digit in range(10):
        x = trained[2 * digit][0]
        assert np.array_equal(np.rint(x * 255), data.train_images[data.train_labels == digit].reshape(-1, 784))
    output = capsys.readouterr().out
    assert "skipped no-such: there is no such preset" in output
    assert "skipped overcomplete: it is no model of images alone" in output
    assert "DCAE" in output and "0.897" in output and "Deep SVDD" in output and "0.948" in output
    record = json.loads((tmp_path / "a.json").read_text())
    assert (tmp_path / "a.png").is_file()
    hardest = min(record["auc_of_pairs"], key=record["auc_of_pairs"].get)
    assert f"{hardest}: {record['auc_of_pairs'][hardest]:.3f}; " in output and len(record["auc_of_pairs"]) == 90
    assert [[len(seeds) for seeds in values] for values in record["auc"].values()] == [[2] * 10, [1] * 10]
    assert list(record["auc"]) == ["deep", "PCA-32"]
    x, others = (data.test_images / np.float32(255)).reshape(60, 784), data.test_labels != 3
    rows = (data.train_images[data.train_labels == 3] / np.float32(255)).reshape(-1, 784).astype(np.float64)
    _, _, directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    rest = x - rows.mean(axis=0)
    error = ((rest - rest @ directions[:32].T @ directions[:32]) ** 2).sum(axis=1)
    won = np.mean([a > n for a in error[others] for n in error[~others]])
    assert record["auc"]["PCA-32"][3] == pytest.approx([won], abs=1e-3)
    for name, values in record["auc"].items():
        assert record["mean_auc"][name] == pytest.approx(np.mean([np.mean(seeds) for seeds in values]))
        assert f"{record['mean_auc'][name]:.3f}" in output


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_digit_without_images_is_told_before_anything_is_trained(monkeypatch, capsys, part):
    whole = strokes(300, 60)
    kept = getattr(whole, f"{part}_labels") != 7
    fewer = {f"{part}_{what}": getattr(whole, f"{part}_{what}")[kept] for what in ("images", "labels")}
    monkeypatch.setattr(anomaly, "load_data", lambda name, directory: dataclasses.replace(whole, **fewer))
    monkeypatch.setattr(anomaly, "fit", None)
    assert anomaly.main(["--presets", "deep"]) == 1
    what = "training" if part == "train" else "test"
    assert f"7 as the normal class: the data have no {what} images of 7" in capsys.readouterr().err


def test_without_any_preset_there_is_nothing_to_do(capsys):
    assert anomaly.main(["--presets", "no-such"]) == 1
    assert "--presets no-such: no-such: there is no such preset" in capsys.readouterr().err
