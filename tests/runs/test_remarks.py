"""A run that has learned nothing says so; one that has learned something does not."""

import json

import numpy as np
import pytest

import scratchae as s
import scratchae.data
from scratchae.cli import main
from scratchae.data import strokes
from scratchae.models import PCA
from scratchae.presets import PRESETS, Examples
from scratchae.runs import autoencoder
from scratchae.runs.results import family, mean_image_error, remarks

NAMES = ("deep", "denoising", "vae", "vae-binary", "cvae", "rbm")


@pytest.fixture(scope="module")
def images():
    return strokes(400, 60)


@pytest.fixture
def small(images, monkeypatch, tmp_path):
    monkeypatch.setattr(scratchae.data, "strokes", lambda: images)
    monkeypatch.setattr(autoencoder, "draw", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def measured(name):
    """A model as it is drawn, all weights made small so that the input does not count; its examples and figures."""
    preset = PRESETS[name]
    examples = preset.examples(None, None)
    model = preset.build(np.random.default_rng(0))
    model.parameters *= 1e-3
    if name == "rbm":
        return (
            model,
            examples,
            {"squared_error": autoencoder.mean_squared_error(examples.test, model.reconstruct(examples.test))},
        )
    model.log_likelihood = lambda *_: np.zeros(1)  # takes long, and is not what this is about
    return model, examples, family(model).measure(model, preset, PCA(2).fit(examples.train), examples)[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_ignores_its_input_is_told(name, small):
    said = remarks(*(measured(name)[i] for i in (0, 2, 1)))
    assert said[0].startswith(
        "The model has collapsed: it gives nearly the same output for every example. Its squared error is "
    )
    assert "learning rate" in said[0] and "--watch" in said[0]
    assert (len(said) == 2) == ("vae" in name)
    assert "vae" not in name or said[1].startswith("The code tells the decoder nothing: ")


@pytest.mark.parametrize("name", NAMES)
def test_the_error_of_the_mean_is_that_of_an_answer_which_is_the_mean(name, small):
    model, examples, found = measured(name)
    mean = mean_image_error(model, examples)
    assert remarks(model, found | {"squared_error": 0.9 * mean, "units_in_use": 1}, examples) == []
    assert len(remarks(model, found | {"squared_error": 0.96 * mean, "units_in_use": 1}, examples)) == 1


def test_the_mean_of_plain_examples():
    x = np.array([[0, 0], [2, 4]], np.float32)
    model = s.Autoencoder(s.Dense(2, 1), s.Dense(1, 2), loss=s.MSE())
    assert mean_image_error(model, Examples(x, x, x, None)) == 1 + 4


def test_what_varies_but_fits_no_better_has_not_collapsed():
    x = np.random.default_rng(0).random((50, 4), dtype=np.float32)
    model = s.Autoencoder(s.Dense(4, 4, rng=0), s.Dense(4, 4, rng=1), loss=s.MSE())
    (said,) = remarks(model, {"squared_error": 100.0}, Examples(x, x, x, None))
    assert said.startswith("The model has hardly learned anything. ")


def test_the_command_says_it_and_keeps_it(small, capsys):
    assert main(["train", "deep", "--lr", "10", "--epochs", "2", "--out", "run"]) == 0
    assert "\nThe model has collapsed: " in capsys.readouterr().out
    (remark,) = json.loads((small / "run" / "run.json").read_text())["remarks"]
    assert remark.startswith("The model has collapsed: ")
    assert main(["train", "simple", "--epochs", "6", "--batch-size", "20", "--out", "good"]) == 0
    assert json.loads((small / "good" / "run.json").read_text())["remarks"] == []
