"""What every command prints, and where: --quiet, --json, the Tab key, colours."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import scratchae
from scratchae.cli import COMMANDS, main
from scratchae.cli.types import as_json
from scratchae.data import strokes
from scratchae.tutorial import chapters

ROOT = Path(scratchae.__file__).parents[1]
LAYER = "class A:\n    forward = lambda self, x: x\n    backward = lambda self, dy: dy\n"


def small(patch):
    """A few strokes as data, and no pictures."""
    data = strokes(360, 60)
    patch.setattr(scratchae.data, "strokes", lambda: data)
    patch.setattr(scratchae.runs.autoencoder, "draw", lambda *_: None)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with two runs, a layer and a table."""
    folder = tmp_path_factory.mktemp("output")
    (folder / "layer.py").write_text(LAYER, encoding="utf-8")
    (folder / "rows.csv").write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(40)), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        small(patch)
        patch.chdir(folder)
        for run in ("run", "other"):
            assert main(["train", "simple", "--epochs", "1", "--out", run, "--data", "strokes", "--quiet"]) == 0
    return folder


# each command, and something that its figures say
FIGURES = {
    "train simple --epochs 1 --out fresh-RUN": lambda found: (
        found["status"] == "done" and "simple" in found["figures"]
    ),
    "search simple --over lr=1e-3,1e-2 --epochs 1 --out search-RUN": lambda found: len(found) == 2,
    "use reconstruct run": lambda found: 0 < found["least"] <= found["squared_error"] <= found["largest"],
    "use score run": lambda found: found["limit"] > 0 and found["above"] >= 0,
    "use probe run": lambda found: 0 < found["accuracy"]["PCA-256, linear"]["10"] < 1,
    "compare run other": lambda found: found["run"]["figures"] == found["other"]["figures"],
    "export run --torch weights": lambda found: found["shape"] == [784],
    "study tiny": lambda found: found["passed"] and found["gradients"]["∂L/∂W₁"]["largest_relative_error"] < 1e-7,
    "check Dense": lambda found: found["Dense"]["passed"] and set(found["Dense"]["tensors"]) == {"x", "W", "b"},
    "check layer.py": lambda found: [one["verdict"] for one in found] == ["right"],
    "check layer.py none.py": lambda found: [one["code"] for one in found] == [0, 2],
    "check none.py": lambda found: [one["verdict"] for one in found] == ["not checked"],
    "data show rows.csv": lambda found: found["examples"] == {"train": 32, "validation": 4, "test": 4},
    "tutorial": lambda found: [one["number"] for one in found] == list(range(len(chapters.chapters()))),
}


@pytest.mark.parametrize(
    ("command", "option"),
    [*((command, "--json") for command in FIGURES), *((command, "--quiet") for command in list(FIGURES)[::3])],
)
def test_nothing_is_printed_but_figures_or_nothing_at_all(place, monkeypatch, capfd, option, command):
    if "probe" in command:
        monkeypatch.setattr("scratchae.runs.probes.COUNTS", (10,))
        monkeypatch.setattr("scratchae.runs.probes.fine_tuned", lambda *_, **__: 0.5)
    small(monkeypatch)
    monkeypatch.chdir(place)
    code = main([*command.replace("RUN", option[2:]).split(), option])
    said = capfd.readouterr()
    assert code == (2 if "none.py" in command else 0)
    if option == "--json":
        assert said.err == "" and said.out.isascii() and FIGURES[command](json.loads(said.out))
    else:
        assert said.out == said.err == ""


def test_every_command_is_among_them():
    names = {command.__name__.rpartition(".")[2] for command in COMMANDS}
    assert names - {command.split()[0] for command in FIGURES} == {"bench"}  # whose figures tests/bench has


@pytest.mark.slow
def test_the_figures_of_a_benchmark_are_its_record(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "simple", "--device", "cpu", "--quick", "--batch-sizes", "32", "--json"]) == 0
    assert "simple" in json.loads(capfd.readouterr().out)["presets"]
    assert main(["bench", "simple", "--device", "cpu", "--quick", "--batch-sizes", "32", "--quiet"]) == 0
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("option", ["--json", "--quiet"])
def test_what_a_command_starts_is_silent_too(tmp_path, monkeypatch, capfd, option):
    """A chapter runs in a process of its own, which has the same stdout."""
    (tmp_path / "03_short.py").write_text(
        "# %% [markdown]\n# # 03 · Short\n#\n# *Why?*\n#\n# **Time** none.\n\n# %%\nprint('heard', flush=True)\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(chapters, "folder", lambda: tmp_path)
    assert main(["tutorial", "3"]) == 0 and "heard" in capfd.readouterr().out
    assert main(["tutorial", "3", option]) == 0
    said = capfd.readouterr().out
    assert said == "" if option == "--quiet" else json.loads(said) == {"chapter": 3, "exit_code": 0}
    assert main(["tutorial"]) == 0 and "Short" in capfd.readouterr().out  # and stdout is open again


@pytest.mark.parametrize("option", ["--json", "--quiet"])
def test_errors_are_heard(capfd, option):
    assert main(["train", "nonsense", option]) == 2
    said = capfd.readouterr()
    assert said.out == "" and "unknown preset 'nonsense'" in said.err


def test_no_progress_bar_where_nothing_is_to_be_heard(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert scratchae.environment.on_terminal()
    with scratchae.environment.silent():
        assert not scratchae.environment.on_terminal()
    assert scratchae.environment.on_terminal()


def test_json_has_no_numbers_that_are_none():
    found = {"a": np.float32(0.5), "b": float("nan"), 3: np.arange(2), "d": Path("x"), "e": (True, None, -np.inf)}
    assert json.loads(as_json(found)) == {"a": 0.5, "b": None, "3": [0, 1], "d": "x", "e": [True, None, None]}


@pytest.mark.parametrize(
    ("typed", "offered"), [("tr", {"train "}), ("train dee", {"deep", "deep-linear-code"}), ("study ti", {"tiny "})]
)
def test_the_tab_key(tmp_path, typed, offered):
    pytest.importorskip("argcomplete", reason="argcomplete is not installed")
    line = f"scratchae {typed}"
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "COMP_LINE": line, "COMP_POINT": str(len(line))}
    asked |= {"_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "offered"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "scratchae"]
    done = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set((tmp_path / "offered").read_text(encoding="utf-8").split("\n")) == offered


@pytest.mark.parametrize("command", ["--help", "study tiny"])
def test_no_colours_on_a_terminal_that_wants_none(tmp_path, command):
    pty = pytest.importorskip("pty", reason="no terminals here")
    reader, terminal = pty.openpty()
    wanted = os.environ | {"NO_COLOR": "1", "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "scratchae", *command.split()],
        cwd=tmp_path,
        env=wanted,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    said = b""
    while True:
        try:
            said += (chunk := os.read(reader, 65536))
        except OSError:  # all of it is closed
            break
        if not chunk:
            break
    os.close(reader)
    assert process.wait() == 0 and len(said) > 500
    assert re.findall(rb"\x1b\[[0-9;]*m", said) == []
