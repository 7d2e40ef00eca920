"""`scratchae study`."""

import argparse
import json

import numpy as np
import pytest

import scratchae
from scratchae.backend import cuda
from scratchae.cli import main, study
from scratchae.data import strokes
from scratchae.presets import PRESETS, find_preset
from scratchae.study.page.packing import BUDGET


@pytest.fixture(autouse=True)
def small_and_apart(monkeypatch, tmp_path):
    """A few strokes as data, and an empty folder to work in."""
    data = strokes(360, 60)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: data)
    monkeypatch.delenv("SCRATCHAE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def run(command):
    try:
        return main(command.split())
    except SystemExit as ended:
        return ended.code


def test_classic_in_full(capsys):
    assert run("study classic") == 0
    text = capsys.readouterr().out
    assert "a₁[0, 0] = 0.15·0.05 + 0.20·0.10 + 0.35 = 0.3775" in text
    assert "THE PARAMETERS NOW" in text and "all 16 gradients agree" in text


@pytest.mark.parametrize("name", ["simple", "deep", "conv", "vae", "denoising", "rbm"])
def test_a_preset(name, capsys, monkeypatch):
    calls = 0
    for layer in (scratchae.Dense, scratchae.Conv2d):

        def counted(self, x, rng=None, forward=layer.forward):
            nonlocal calls
            calls += 1
            return forward(self, x, rng)

        monkeypatch.setattr(layer, "forward", counted)
    assert run(f"study {name} --examples 2 --seed 1") == 0
    assert calls < 10_000  # it takes seconds, not minutes: of a large network, a sample of the numbers is checked
    text = capsys.readouterr().out
    assert (
        f"one training step on 2 examples, in float64\n{find_preset(name).build(np.random.default_rng(0))!r}" in text
    )
    assert ("no gradient of any objective" if name == "rbm" else "sampled: ") in text


def test_the_seed_decides(capsys):
    texts = []
    for seed in (0, 0, 1):
        assert run(f"study simple --seed {seed}") == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2]


def test_a_page(tmp_path, capsys):
    assert run("study classic --html tiny.html") == 0
    text = capsys.readouterr().out
    assert "tiny.html, " in text and "all 16 gradients agree" in text
    assert (tmp_path / "tiny.html").read_text().startswith("<!doctype html>")


def test_a_page_can_hold_all_numbers_of_every_preset_where_need_be_of_a_narrower_network(tmp_path, capsys):
    found = {}
    for name in PRESETS:
        for html in (None, "page.html"):
            options = argparse.Namespace(preset=name, html=html, data=None, data_dir=None, examples=None, seed=0)
            _, model, _, _, remark = study.subject(options)
            size = sum(getattr(layer, attribute).size for _, layer, attribute in model.named_parameters())
            found[name, bool(html)] = size * 16 / 3 > BUDGET, remark
    assert not any(too_large for (_, page), (too_large, _) in found.items() if page)
    assert {name for (name, page), (too_large, _) in found.items() if too_large} == set(study.NARROWER)
    assert {name for (name, _), (_, remark) in found.items() if remark} == set(study.NARROWER)
    assert run("study diffusion --html page.html") == 0
    assert study.NARROWED.strip() in capsys.readouterr().out
    assert study.NARROWED in (tmp_path / "page.html").read_text()


def trained(folder, preset="simple", **record):
    folder.mkdir()
    scratchae.save(find_preset(preset).build(np.random.default_rng(5)), folder / "model.safetensors")
    (folder / "run.json").write_text(json.dumps({"preset": preset, "data": "strokes"} | record))


def test_a_trained_model(tmp_path, capsys):
    trained(tmp_path / "run")
    assert run("study run") == 0
    of_folder = capsys.readouterr().out
    assert run("study run/model.safetensors") == 0
    assert capsys.readouterr().out == of_folder
    assert run("study simple --seed 5") == 0  # the same weights
    assert z1(capsys.readouterr().out) == z1(of_folder)
    assert run("study simple") == 0
    assert z1(capsys.readouterr().out) != z1(of_folder)


def z1(text):
    (line,) = [line for line in text.splitlines() if " a₁ = " in line]
    return line


def test_what_is_no_run(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert run("study empty") == 2
    assert "empty is not a run: expected a folder that `scratchae train` wrote" in capsys.readouterr().err
    trained(tmp_path / "odd", preset="simple")
    (tmp_path / "odd/run.json").write_text("[]")
    assert run("study odd") == 2
    assert "odd is not a run" in capsys.readouterr().err
    trained(tmp_path / "broken")
    (tmp_path / "broken/model.safetensors").write_bytes(b"nothing")
    assert run("study broken") == 2
    assert "broken/model.safetensors" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("study dep", "unknown preset 'dep': did you mean 'deep'"),
        ("study deep --examples 0", "0: expected a number above 0"),
        ("study deep --seed -1", "study(seed=-1): expected a whole number, at least 0"),
        ("study overcomplete --data mnist", "makes its own data: leave out --data mnist"),
        ("study tiny --data mnist", "tiny has its own examples: leave out --data, --data-dir and --examples"),
        ("study deep --html nowhere/page.html", "nowhere"),
    ],
)
def test_mistakes(command, message, capsys):
    assert run(command) == 2
    assert message in capsys.readouterr().err


def test_on_the_device(stand_in, capsys):
    assert run("study classic --device gpu") == 0
    on_gpu = capsys.readouterr().out
    assert run("study classic") == 0
    assert capsys.readouterr().out.split("all 16")[0].count("·") == on_gpu.split("all 16")[0].count("·")


def test_without_a_gpu(monkeypatch, capsys):
    def none():
        raise scratchae.errors.DeviceError("no GPU here")

    monkeypatch.setattr(cuda, "module", none)
    assert run("study tiny --device gpu") == 2
    assert "no GPU here" in capsys.readouterr().err


def test_help_names_every_preset(capsys):
    assert run("study --help") == 0
    text = capsys.readouterr().out
    assert all(f"  {name}" in text for name in ["tiny", "classic", *PRESETS])
