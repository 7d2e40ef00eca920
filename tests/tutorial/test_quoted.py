"""Figures that chapters quote from elsewhere are those of the tables and files that commands wrote."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from scratchae.tutorial import chapters, reading

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"

# chapter, the beginning of a table's row, what the chapter says, and the same in that row where it is written otherwise
TABLES = {
    "benchmarks/README.md": [
        (5, "| `scratchae train science2006 --data mnist`", ["2.87"]),
        (5, "| `scratchae train dbn --data mnist`", ["2.63"]),
        (7, "| `scratchae train conv-pool --data mnist`", ["0.0929", "0.0581"]),
        (7, "| `scratchae train conv-denoising --data mnist`", ["0.0835"]),
        (9, "| `scratchae train denoising --data mnist`", ["8.58", "90.60", "30.21", "24.05"]),
        (11, "| `scratchae train vae-2d --data mnist`", ["140.4"]),
        (11, "| `scratchae train vae-binary --data mnist`", ["86.3"]),
        (12, "| `scratchae train science2006 --data mnist`", ["2.87"]),
        (12, "| `scratchae train dbn --data mnist`", ["2.63"]),
        (12, "| `scratchae train rbm --data mnist`", ["−58.6"]),
        (16, "| `sequence`, mnist", ["12.19", "13.19"]),
        (16, "| `sequence-gru`, mnist", ["6.36"]),
        (16, "| `deep`, mnist", ["8.74"]),
    ],
    "README.md": [
        (13, "| `deep`, 128", ["0.98 ms", "1.52", "1.01"]),
        (13, "| `simple`, 100", ["0.67"]),
        (13, "| `conv`, 128", ["6.4 ms", "2.15", "4.05"]),
    ],
}
ROWS = [(file, *row) for file, rows in TABLES.items() for row in rows]


def prose(number):
    cells = reading.cells(chapters.find(number).path.read_text(encoding="utf-8"))
    return "\n".join(markdown for markdown, _, _ in cells)


def result(name):
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


def rounded(cell, quoted):
    """The numbers of a row, written with as many places as the quotation has."""
    places = len(re.search(r"\.(\d+)", quoted)[1])
    return [f"{float(number):.{places}f}" for number in re.findall(r"\d+\.\d+", cell)]


@pytest.mark.parametrize(("file", "chapter", "begins", "figures"), ROWS, ids=lambda value: str(value)[:40])
def test_a_chapter_quotes_what_stands_in_the_table(file, chapter, begins, figures):
    rows = [line for line in (ROOT / file).read_text(encoding="utf-8").splitlines() if line.startswith(begins)]
    text = prose(chapter)
    for figure in figures:
        assert figure in text
        assert re.search(r"\d+\.\d+", figure)[0] in rounded(rows[0], figure), f"{figure}: {rows[0]}"


def test_the_vae_of_chapter_11_and_the_classifiers_of_chapter_12_are_those_of_the_files():
    elbo = result("quality.json")["runs"]["vae-400/mnist/0"]["figures"]["vae-400"]["negative_elbo"]
    assert f"−ELBO {elbo:.1f} after 10 epochs" in prose(11)
    text = prose(12)
    for name, words in (("dbn_classifier", "pretrained"), ("dbn_classifier-unpretrained", "from random weights")):
        error = result(f"{name}-2026-11-21.json")["test_error"]
        assert re.search(rf"{100 * error:.2f} % of the test images {words}|{100 * error:.2f} % {words}", text)
    # what vae-400 reaches with PyTorch's rate is a note beside the recipe
    note = (ROOT / "scratchae" / "presets" / "variational.py").read_text(encoding="utf-8")
    assert "106.2 with a constant rate of 1e-3" in note and "ended at 106.2" in prose(11)


def test_the_clouds_of_chapter_15_are_those_of_the_file():
    text = prose(15)
    for found in result("modes-2026-11-27-2.json")["ways"].values():
        clouds, shares = np.array(found["clouds"]), 100 * np.array(found["shares"])
        assert (
            f"| {clouds.mean():.1f} ± {clouds.std(ddof=1):.1f} | {shares.mean():.1f} ± {shares.std(ddof=1):.1f} % |"
            in text
        )


def test_the_linear_vae_of_chapter_11_on_mnist_is_that_of_the_file():
    betas = result("linear_vae-2026-11-28-mnist.json")["betas"]
    for beta, words in (
        ("1.0", "KL of 10.17 nats for β = 1, and 10.16"),
        ("4.0", "1.39 and 1.36"),
        ("8.0", "0.12 nats"),
    ):
        predicted, found = (sum(betas[beta][key]) for key in ("predicted", "found"))
        assert words in prose(11).replace("\n", " ")
        assert {f"{predicted:.2f}", f"{found:.2f}"} >= set(re.findall(r"\d+\.\d+", words))


def test_the_probes_of_chapter_18_on_mnist_are_those_of_the_file():
    found = result("probe-2026-11-28-masked.json")["test_accuracy_by_labels"]["mnist"]
    rows = {
        "`masked`": "masked",
        "`denoising`": "denoising",
        "`denoising-masking`": "denoising-masking",
        "`simple`": "simple",
    }
    for said, name in (rows | {"the pixels": "pixels"}).items():
        shares = [100 * sum(each) / len(each) for count, each in found[f"{name}, linear"].items() if count != "10"]
        assert f"| {said} | {' | '.join(f'{share:.1f} %' for share in shares)} |" in prose(18)
