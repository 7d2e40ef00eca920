"""The folder of a run: whose it is, and what a run can go on with."""

import json
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import scratchae.data
from scratchae import runs
from scratchae.backend import kernels
from scratchae.cli import main
from scratchae.data import strokes
from scratchae.errors import CheckpointError, RunError
from scratchae.runs import folder as module
from scratchae.runs.folder import CHECKPOINT, MODEL, RECORD, read_record, run_folder, write_record

RUN = {"preset": "deep", "data": "strokes", "seed": 0, "compiled": False, "status": "training"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """That of a run with a checkpoint, whose data are a few strokes."""
    few = strokes(360, 60)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: few)
    monkeypatch.chdir(tmp_path)
    write_record(tmp_path / "run", RUN)
    (tmp_path / "run" / CHECKPOINT).write_text("the state")
    return tmp_path / "run"


def resumed(folder, **now):
    record = RUN | now
    run_folder(folder, "deep-strokes", record, resume=True)
    return record


# Records that a stranger wrote

HOSTILE = {
    "nested deeply": "[" * 100_000,
    "nested in a value": '{"preset": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "a list for a word": '{"preset": ["deep"], "data": ["x"], "seed": 0}',
    "a number for a word": '{"preset": 5, "data": "strokes", "seed": 0}',
    "nothing for a word": '{"preset": "deep", "data": null, "seed": 0}',
    "no dict": "5",
    "not UTF-8": b'{"preset": "deep", "data": "\xff", "seed": 0}',
    "too long": '{"preset": "deep", "data": "strokes", "seed": 0}' + " " * 2**20,
    "cut": '{"preset": "deep", "da',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_record(folder, capsys, kind):
    text = HOSTILE[kind]
    (folder / RECORD).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RunError, match=r"run\.json is damaged or no record of a run"):
        read_record(folder)
    for command in ("study run", "train deep --resume --out run"):
        assert main(command.split()) == 2
        assert capsys.readouterr().err.startswith("scratchae: run")


@pytest.mark.parametrize("name", ["preset", "data", "seed"])
def test_what_a_record_says_does_not_steer_the_terminal(folder, capsys, name):
    write_record(folder, RUN | {name: "\x1b]0;x\x07"})
    assert main(["train", "deep", "--resume", "--out", "run"]) == 2
    printed = capsys.readouterr()
    assert f"another {name} (\\x1b]0;x\\x07, now" in printed.err and "\x1b" not in printed.out + printed.err
    assert main(["study", "run"]) == 2 or name == "seed"
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err


def test_a_pipe_for_a_record(folder):
    (folder / RECORD).unlink()
    os = pytest.importorskip("os")
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no pipes with names here")
    os.mkfifo(folder / RECORD)
    with pytest.raises(RunError, match="no record of a run"):
        read_record(folder)


def test_a_record_is_utf_8_wherever_it_is_read(folder):
    write_record(folder, RUN | {"remarks": ["η → 0"]})
    assert "η → 0" in (folder / RECORD).read_text(encoding="utf-8")
    assert read_record(folder)["remarks"] == ["η → 0"]


# Going on


def test_a_run_goes_on_with_the_kernels_that_it_began_with(folder):
    assert resumed(folder)["compiled"] is False
    with pytest.raises(RunError, match=r"began without compiled kernels.*resume it without --compile"):
        resumed(folder, compiled=True)
    write_record(folder, RUN | {"compiled": True})
    assert resumed(folder)["compiled"] is True
    assert resumed(folder, compiled=True)["compiled"] is True


def test_a_run_of_an_earlier_version_did_not_say_what_kernels_it_had(folder):
    write_record(folder, {name: value for name, value in RUN.items() if name != "compiled"})
    assert resumed(folder)["compiled"] is False


def test_a_checkpoint_that_is_gone(folder, capsys):
    (folder / CHECKPOINT).unlink()
    resumed(folder)  # of a run that was killed at once
    assert "was stopped before its first checkpoint: it begins anew" in capsys.readouterr().out
    (folder / MODEL).write_text("the model")
    with pytest.raises(RunError, match=r"checkpoint\.safetensors is missing, and without it .* choose another --out"):
        resumed(folder)


# Several processes


def test_of_several_processes_one_gets_the_folder(tmp_path):
    """And where none was asked for, each gets its own."""
    record, got = dict(RUN), []

    def claim(out):
        try:
            got.append(run_folder(out, "deep-strokes", dict(record), resume=False))
        except RunError as error:
            got.append(str(error))

    for out, right in ((tmp_path / "run", 1), (None, 8)):
        got.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            threads = [threading.Thread(target=claim, args=[out]) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        folders = [one for one in got if isinstance(one, Path)]
        assert len(folders) == len(set(folders)) == right
        assert all("already holds a run" in one for one in got if isinstance(one, str))


@pytest.mark.parametrize("links", [True, False])
def test_a_folder_that_another_process_takes_meanwhile(tmp_path, monkeypatch, links):
    write, calls = module.written_whole, []

    def taken_first(path, new=False):
        if not calls:
            calls.append(path)
            write_record(path.parent, RUN | {"seed": 5})
        return write(path, new)

    monkeypatch.setattr(module, "written_whole", taken_first)
    if not links:
        monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(PermissionError(1, "not permitted")))
    with pytest.raises(RunError, match="already holds a run"):
        run_folder(tmp_path / "run", "deep", dict(RUN), resume=False)
    assert read_record(tmp_path / "run")["seed"] == 5
    calls.clear()
    monkeypatch.chdir(tmp_path)
    assert run_folder(None, "deep", dict(RUN), resume=False) == Path("runs/deep-2")


@pytest.mark.parametrize("looks", [0, 1])
def test_a_folder_that_another_process_takes_while_this_one_looks(tmp_path, monkeypatch, looks):
    """After it was seen to be free: at the first look for its record, or between this look and the one for its files."""
    exists, seen = Path.exists, []

    def taken_meanwhile(path):
        if path.name != RECORD:
            return exists(path)
        found = exists(path)
        seen.append(path)
        if len(seen) == 1:
            write_record(path.parent, RUN | {"seed": 5})
        return found if looks else exists(path)

    monkeypatch.setattr(Path, "exists", taken_meanwhile)
    monkeypatch.chdir(tmp_path)
    assert run_folder(None, "deep", dict(RUN), resume=False) == Path("runs/deep-2")
    seen.clear()
    with pytest.raises(RunError, match="already holds a run"):
        run_folder(tmp_path / "run", "deep", dict(RUN), resume=False)
    assert read_record(tmp_path / "runs/deep")["seed"] == read_record(tmp_path / "run")["seed"] == 5


# What decides how sums are rounded, in `fit`

FIT = sys.modules["scratchae.training.fit"]  # scratchae.training.fit is the function
X = np.random.default_rng(0).random((20, 6), dtype=np.float32)


def trained(path, epochs, **options):
    model = scratchae.Autoencoder(scratchae.Dense(6, 4, rng=1), scratchae.Dense(4, 6, rng=2), loss=scratchae.MSE())
    options = {"optimizer": scratchae.SGD(0.01), "checkpoint": path, "resume": True} | options
    return scratchae.fit(model, X, epochs=epochs, batch_size=10, **options)


def test_training_goes_on_with_the_kernels_that_it_began_with(tmp_path, monkeypatch):
    trained(tmp_path / "c", 1, progress=False)
    monkeypatch.setattr(kernels, "compiled", kernels.Kernels(np, None, only=()))
    with pytest.raises(CheckpointError, match=r"another compiled \(None, now True\)"):
        trained(tmp_path / "c", 2, progress=False)
    trained(tmp_path / "d", 1, progress=False)
    monkeypatch.setattr(kernels, "compiled", None)
    with pytest.raises(CheckpointError, match=r"another compiled \(True, now None\)"):
        trained(tmp_path / "d", 2, progress=False)


def test_another_number_of_cores_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(FIT, "cores", lambda: 2)
    trained(tmp_path / "c", 1)
    trained(tmp_path / "c", 2)
    assert "began on" not in capsys.readouterr().out
    monkeypatch.setattr(FIT, "cores", lambda: 1)
    trained(tmp_path / "c", 3)
    assert "This training began on 2 cores and goes on with 1: " in capsys.readouterr().out
    trained(tmp_path / "c", 4, progress=False)
    assert capsys.readouterr().out == ""


def test_the_run_says_that_it_goes_on_with_compiled_kernels(folder, monkeypatch, capsys):
    write_record(folder, RUN | {"preset": "overcomplete", "data": "synthetic", "compiled": True})
    asked = []
    monkeypatch.setattr(runs.run, "compile_kernels", lambda: asked.append(True))
    monkeypatch.setattr(runs.run.Recipe, "fit", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    assert main(["train", "overcomplete", "--resume", "--out", "run"]) == 130
    assert asked == [True] and "the run goes on with compiled kernels" in capsys.readouterr().out
    assert json.loads((folder / RECORD).read_text(encoding="utf-8"))["compiled"] is True
