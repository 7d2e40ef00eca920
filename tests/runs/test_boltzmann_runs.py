"""Runs of RBMs, and of what is pretrained: figures, pictures, and pretraining once only."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import scratchae.data
from scratchae import DBN, RBM, SGD, evaluate, fit, load, pretrain
from scratchae import runs as results
from scratchae.data import strokes
from scratchae.presets import PRESETS, Preset, boltzmann
from scratchae.runs import run as runs_module
from scratchae.runs import train

SMALL = Preset(
    "rbm", "784-9", lambda rng, form=None: RBM(784, 9, persistent=True, chains=5, rng=rng), 9, 2, 20, 0.1,
    optimizer=lambda lr, steps: SGD(lr),
)  # fmt: skip


@pytest.fixture(autouse=True)
def small_and_apart(monkeypatch, tmp_path):
    """A few strokes as data, small nets, and an empty folder to work in."""
    data = strokes(360, 60)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: data)
    monkeypatch.setattr(boltzmann, "SIZES", [784, 20, 5])
    monkeypatch.setattr(boltzmann, "PRETRAINING_EPOCHS", 1)
    monkeypatch.setattr(results.boltzmann, "CHAIN_STEPS", 2)
    monkeypatch.chdir(tmp_path)


def test_a_run_of_an_rbm(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(results.autoencoder, "STRUCTURE", -1)
    record = train(SMALL, out=tmp_path / "run")
    found = sorted(path.name for path in (tmp_path / "run").glob("*.png"))
    assert found == ["chains.png", "filters.png", "loss.png"]
    model, x = load(tmp_path / "run" / "model.safetensors"), SMALL.examples().test
    assert record["figures"] == {
        "rbm": {
            "pseudo_log_likelihood": pytest.approx(float(model.pseudo_log_likelihood(x).mean()), rel=1e-5),
            "squared_error": pytest.approx(float(((model.reconstruct(x) - x) ** 2).sum(axis=1).mean()), rel=1e-5),
            "cross_entropy": pytest.approx(evaluate(model, x)["loss"], rel=1e-5),
        }
    }
    assert f"{record['figures']['rbm']['pseudo_log_likelihood']:.4f}" in capsys.readouterr().out


def test_resuming_an_rbm_is_as_if_never_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(results.boltzmann, "draw", lambda *_: None)
    train(SMALL, out=tmp_path / "straight", epochs=4)
    train(SMALL, out=tmp_path / "parts", epochs=2)
    train(SMALL, out=tmp_path / "parts", epochs=4, resume=True)
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("straight", "parts")]
    assert models[0] == models[1]


def test_chains_of_images_begin_with_what_they_are_given():
    x = SMALL.examples().test[:3]
    rows = results.boltzmann.gibbs_chains(RBM(784, 4), x, rows=2)
    assert list(rows) == ["start", "2 steps", "4 steps"]
    assert all(images.shape == (3, 28, 28) for images in rows.values())
    np.testing.assert_array_equal(rows["start"].reshape(3, 784), x)


def dbn():
    return dataclasses.replace(PRESETS["dbn"], batch_size=50, code=5, epochs=2)


def test_pretraining_comes_first_and_once(tmp_path, monkeypatch):
    """fit of the run begins with what a DBN of the same seed unrolls to; going on does not pretrain again."""
    monkeypatch.setattr(results.autoencoder, "draw", lambda *_: None)
    began = []

    def watching(model, x, **options):
        began.append(model.parameters.copy())
        return fit(model, x, **options)

    monkeypatch.setattr(runs_module, "fit", watching)
    record = train(dbn(), out=tmp_path / "run", epochs=1, seed=3)
    assert record["pretraining_seconds"] >= 0
    assert json.loads((tmp_path / "run" / "run.json").read_text()) == record
    network = DBN([784, 20, 5], rng=3)
    pretrain(network, dbn().examples().train, epochs=1, seed=3, progress=False)
    np.testing.assert_array_equal(began[0], network.unroll().parameters)

    monkeypatch.setattr(boltzmann, "pretrain", None)
    train(dbn(), out=tmp_path / "run", epochs=1, seed=3, resume=True)


def test_ctrl_c_while_pretraining_leaves_a_run_to_begin_again(tmp_path, monkeypatch):
    monkeypatch.setattr(results.autoencoder, "draw", lambda *_: None)

    def interrupted(model, *arguments, **options):
        histories = pretrain(model, *arguments, **options)
        histories[-1].interrupted = True
        return histories

    with monkeypatch.context() as patch:
        patch.setattr(boltzmann, "pretrain", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(dbn(), out=tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["run.json"]
    assert train(dbn(), out=tmp_path / "run", resume=True)["status"] == "done"


def test_the_benchmark_runs_without_scikit_learn(tmp_path):
    (tmp_path / "sklearn.py").write_text('raise ModuleNotFoundError("No module named \'sklearn\'", name="sklearn")\n')
    script = Path(__file__).parents[2] / "benchmarks" / "rbm_step.py"
    command = [
        sys.executable,
        script,
        "--rounds",
        "1",
        "--steps",
        "2",
        "--batch-size",
        "9",
        "--json",
        tmp_path / "r.json",
    ]
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert "skipped BernoulliRBM.partial_fit: ModuleNotFoundError: No module named 'sklearn'" in done.stdout
    record = json.loads((tmp_path / "r.json").read_text())
    assert record["peers"].keys() == {"scratchae", "scratchae-pcd"} and record["peers"]["scratchae"]["ratio"] == 1
