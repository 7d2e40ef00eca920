"""Runs of sequence models on a real table of time series: an EEG that matplotlib ships."""

import json
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from scratchae.errors import OptionError, ShapeError
from scratchae.presets import PRESETS, find_preset
from scratchae.presets.form import Form
from scratchae.runs import train

EEG = Path(matplotlib.get_data_path(), "sample_data", "eeg.dat")  # four channels, 800 readings


@pytest.fixture(scope="module")
def windows():
    """Stretches of 12 readings, (N, 12, 4), each 5 after the one before."""
    if not EEG.is_file():
        pytest.skip("this matplotlib does not ship the EEG")
    readings = np.fromfile(EEG).reshape(800, 4).astype(np.float32)
    return np.lib.stride_tricks.sliding_window_view(readings, 12, axis=0).swapaxes(1, 2)[::5]


def test_a_row_of_a_table_is_a_series_of_numbers(windows, tmp_path):
    lines = [",".join(f"t{t}" for t in range(12)), *(",".join(map(str, row)) for row in windows[:, :, 0])]
    (tmp_path / "eeg.csv").write_text("\n".join(lines))
    train(
        find_preset("sequence"),
        data=str(tmp_path / "eeg.csv"),
        epochs=60,
        batch_size=16,
        code=6,
        hidden=(24,),
        out=tmp_path / "run",
    )
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    figures = run["figures"]
    assert (
        figures["sequence"]["squared_error"] < 0.7 * 12 * 1.1
    )  # all of it if nothing is learnt: scaled to variance 1
    assert {"loss.png", "curves.png"} <= {path.name for path in (tmp_path / "run").iterdir()}


@pytest.mark.parametrize("preset", ["sequence", "sequence-gru", "sequence-attention"])
def test_rows_of_a_table_are_no_sequences(preset):
    with pytest.raises(
        ShapeError, match=r"reads examples of several rows, \(T, D\), got examples of shape \(784,\): reshape each"
    ):
        PRESETS[preset].build(np.random.default_rng(0), Form((784,)))


def test_series_of_several_channels_and_what_attention_reads(windows, tmp_path):
    np.save(tmp_path / "eeg.npy", windows)
    options = {"data": str(tmp_path / "eeg.npy"), "epochs": 1, "code": 6, "hidden": (8,)}
    train(find_preset("sequence-attention"), **options, out=tmp_path / "run")
    assert {"attention.png", "reading.png", "through_time.png"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
    with pytest.raises(OptionError, match="a sequence preset has one state: choose its size, --hidden 128"):
        train(find_preset("sequence-attention"), **options | {"hidden": (8, 4)}, out=tmp_path / "other")
