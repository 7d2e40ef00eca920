"""What training measured, and its file."""

import csv
import math

import numpy as np
import pytest

from scratchae import History

ROWS = [
    {"epoch": 1, "loss": 0.1 + 0.2, "lr": 1e-3},
    {"epoch": 2, "loss": float(np.float32(0.7)), "lr": 5e-324},
    {"epoch": 3, "loss": 1e300, "lr": 0.0},
]


@pytest.fixture
def history():
    filled = History()
    for row in ROWS:
        filled.append(row)
    return filled


def test_columns(history):
    assert len(history) == 3
    assert history["epoch"] == [1, 2, 3]
    assert history["loss"] == [row["loss"] for row in ROWS]
    assert "lr" in history
    assert "validation_loss" not in history
    assert repr(history) == "History(3 epochs: epoch, loss, lr)"
    with pytest.raises(KeyError):
        history["validation_loss"]


def test_empty():
    history = History()
    assert len(history) == 0
    assert (history.interrupted, history.stopped_early) == (False, False)


def test_goes_on_from_columns(history):
    later = History(history.columns)
    later.append({"epoch": 4, "loss": 1.0, "lr": 0.0})
    assert later["epoch"] == [1, 2, 3, 4]


def test_csv_keeps_every_bit(history, tmp_path):
    history.to_csv(tmp_path / "new" / "history.csv")  # the folder is made
    with open(tmp_path / "new" / "history.csv", newline="") as file:
        names, *lines = csv.reader(file)
    assert names == ["epoch", "loss", "lr"]
    assert [[int(epoch), float(loss), float(lr)] for epoch, loss, lr in lines] == [[*row.values()] for row in ROWS]


def test_csv_takes_the_place_of_an_older_one(history, tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("older\n" * 100)
    history.to_csv(str(path))
    assert path.read_text().splitlines()[0] == "epoch,loss,lr"
    assert len(path.read_text().splitlines()) == 4
    assert [*tmp_path.iterdir()] == [path]


def test_a_csv_that_fails_leaves_the_older_one(history, tmp_path):
    path = tmp_path / "history.csv"
    history.to_csv(path)
    before = path.read_bytes()
    history.columns["loss"].append(math.pi)  # one column longer than the others
    with pytest.raises(ValueError, match=r"shorter|longer"):
        history.to_csv(path)
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]
