"""The table of samples: what each of its figures says of images that are known, and what is kept."""

import json

import numpy as np
import pytest
import samples
from numpy.testing import assert_allclose

from scratchae import Classifier, Dense, Sequential
from scratchae.data import strokes
from scratchae.presets import find_preset
from scratchae.runs.adversarial import frechet


@pytest.fixture
def few(monkeypatch):
    """Strokes in the place of MNIST, and few of everything."""
    preset = find_preset("gan")
    data = strokes(900, 120)
    monkeypatch.setattr("scratchae.data.load_data", lambda name, directory=None: data)
    monkeypatch.setattr(samples, "HELD_OUT", 200)
    monkeypatch.setattr(samples, "JUDGE_EPOCHS", 2)
    monkeypatch.setattr(samples, "GIBBS", 3)
    return preset.examples("mnist")


def judge_that_reads(data):
    """A classifier whose answer is the largest of the first ten pixels, for sure."""
    model = Classifier(Sequential(Dense(784, 10, rng=0), Dense(10, 10, rng=1)), 10)
    model.net.layers[0].W[...] = np.eye(784, 10)
    model.net.layers[1].W[...] = 1000 * np.eye(10)
    return samples.Judge(model, data)


def test_shares_entropies_and_distance(few):
    judge = judge_that_reads(few)
    x = np.eye(10, 784, dtype=np.float32)
    even, all_one, torn = (judge.figures(np.repeat(some, 10, axis=0)) for some in (x, x[:1], x[:1] + x[1:2]))
    assert even["shares"] == pytest.approx([0.1] * 10) and even["class_entropy"] == pytest.approx(np.log(10))
    assert (even["from_uniform"], even["answer_entropy"]) == (pytest.approx(0), pytest.approx(0))
    assert (all_one["class_entropy"], all_one["from_uniform"]) == (0, pytest.approx(0.9))
    assert torn["answer_entropy"] == pytest.approx(np.log(2), rel=1e-5)  # sure that it is one of two
    itself = judge.figures(few.test)["frechet"]
    assert itself == pytest.approx(0, abs=1e-6) and itself < even["frechet"]


def test_the_distance_is_that_of_the_matrix_square_root():
    linalg = pytest.importorskip("scipy.linalg")
    a, b = (
        np.random.default_rng(i).standard_normal((50 + i, 6)) @ np.diag(np.arange(1, 7) ** (i + 1)) + i
        for i in (0, 1)
    )
    (m, C), (n, D) = ((x.mean(axis=0), np.cov(x, rowvar=False)) for x in (a, b))
    expected = ((m - n) ** 2).sum() + np.trace(C + D - 2 * linalg.sqrtm(C @ D).real)
    assert frechet(a, b) == pytest.approx(expected, rel=1e-9)


def test_a_window_is_a_mixture_of_gaussians(monkeypatch):
    monkeypatch.setattr(samples, "PIXELS", 2)
    rng = np.random.default_rng(0)
    centres, x = rng.standard_normal((3, 2)), rng.standard_normal((5, 2))
    found = samples.window(samples.squared_distances(centres, x), 0.7)
    squares = ((x[:, None] - centres) ** 2).sum(axis=2)
    assert_allclose(found, np.log(np.exp(-squares / (2 * 0.49)).mean(axis=1) / (2 * np.pi * 0.49)), rtol=1e-10)


def test_bad_samples_keep_what_they_say_they_keep(few):
    rng = np.random.default_rng(0)
    x = samples.pixel_by_pixel(few, 4000, rng)
    assert_allclose(x.mean(axis=0), few.train.mean(axis=0), atol=0.05)
    assert set(np.unique(x[:, 300])) <= set(np.unique(few.train[:, 300]))
    assert_allclose(samples.one_gaussian(few, 20, rng).shape, (20, 784))


def test_what_is_finished_is_kept_and_not_judged_again(few, tmp_path, monkeypatch, capsys):
    asked = []

    def made(name, data, options, record):
        asked.append(name)
        record["trained"][name] = {"cpu_seconds": 90.0, "epochs": 7}
        if name == "gan" and len(asked) < 3:
            raise samples.BenchmarkError("gan: out of memory")
        return data.train[:50]

    monkeypatch.setattr(samples, "model_samples", made)
    file = tmp_path / "samples.json"
    command = ["vqvae", "gan", "--samples", "50", "--runs", str(tmp_path), "--json", str(file)]
    assert samples.main(command) == 1 and "gan: out of memory" in capsys.readouterr().err
    kept = list(json.loads(file.read_text())["rows"])
    assert kept == ["real images", "pixels one by one", "one Gaussian", "vqvae"]
    assert samples.main(command) == 0 and asked == ["vqvae", "gan", "gan"]
    out = capsys.readouterr().out
    assert "| `gan` | 7 | 1.5 min | " in out and "of the test images for another digit" in out
    assert samples.main([*command, "--table"]) == 0 and capsys.readouterr().out == out and len(asked) == 3
    assert samples.main([*command[:2], "--samples", "60", *command[4:]]) == 1
    assert "choose another --json" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["vqvae", "rbm", "gan"])
def test_samples_are_those_of_a_trained_run(name, few, tmp_path, monkeypatch):
    """Trained by the command where there is no run, and opened where there is one."""
    from scratchae.runs import Run

    preset = find_preset(name)
    model = preset.build(np.random.default_rng(0))
    run = Run(tmp_path, {"epochs": 1, "parameters": 2, "training_seconds": 3.0, "status": "done"}, preset, model)
    trained = []
    monkeypatch.setattr(samples, "train", lambda *a: trained.append(a[0]))
    monkeypatch.setattr(samples, "open_run", lambda folder: run)
    options = samples.parser().parse_args(["--samples", "7", "--runs", str(tmp_path)])
    for there in (False, True):
        record = {"trained": {}}
        if there:
            (tmp_path / f"{name}-mnist-0").mkdir()
            (tmp_path / f"{name}-mnist-0" / "run.json").write_text('{"status": "done"}')
        x = samples.model_samples(name, few, options, record)
        assert x.reshape(7, -1).shape == (7, 784) and 0 <= x.min() <= x.max() <= 1
        assert record["trained"][name]["epochs"] == 1 and ("cpu_seconds" in record["trained"][name]) != there
    assert trained == [name]


def test_bad_input(capsys):
    assert samples.main(["gam"]) == 1
    assert "gam: expected one of gan, gan-conv" in capsys.readouterr().err
