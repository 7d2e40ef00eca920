"""Windows and macOS, as far as Linux can play them: `elsewhere/sitecustomize.py` takes away what they lack, in every process."""

import json
import os
import runpy
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

import scratchae
from scratchae import cli

ROOT = Path(scratchae.__file__).parents[1]
PLAYED = Path(__file__).parent / "elsewhere"
FORBIDDEN = runpy.run_path(str(PLAYED / "sitecustomize.py"))["FORBIDDEN"]  # it plays nothing where it is not asked to
LAYER = "class A:\n    forward = lambda self, x: x\n    backward = lambda self, dy: dy\n"
ENDLESS = "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass\n"


def played(system, script, folder):
    """A script in a process of another system, on a console with few letters; what it printed."""
    paths = os.pathsep.join([str(PLAYED), str(ROOT)])
    wanted = {"SCRATCHAE_ELSEWHERE": system, "PYTHONPATH": paths, "PYTHONIOENCODING": "cp1252", "FAST": "1"}
    wanted |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # nor is UTF-8 what files are read in
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        **{"cwd": folder, "env": os.environ | wanted, "timeout": 240, "check": False},
        **{"capture_output": True, "encoding": "cp1252"},
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "layer.py").write_text(LAYER, encoding="utf-8")
    rows = "".join(f"{i % 7},{i * i % 11},{i % 3}\n" for i in range(60))
    (tmp_path / "rows.csv").write_text(f"a,b,c\n{rows}", encoding="utf-8")
    return tmp_path


# each command, and its exit code; what is written over something tells whether that is still open
COMMANDS = {
    "train simple --data rows.csv --epochs 1 --out run": 0,
    "train simple --data rows.csv --epochs 2 --out run --resume": 0,
    "use reconstruct run": 0,
    "compare run run": 0,
    "compare run run --quiet": 0,
    "export run --torch weights.safetensors": 0,
    "study tiny --html page.html": 0,
    "check *.py --junit report.xml": 0,
    "data show rows.csv": 0,
}
RUN = """
    from scratchae.__main__ import prepare, open_streams
    prepare(), open_streams()
    from scratchae.cli import main
    codes = {command: main(command.split()) for command in COMMANDS}
    print(codes)
    assert codes == COMMANDS
"""


@pytest.mark.parametrize("system", ["windows", "macos"])
def test_the_commands(system, folder):
    some = [name for name in COMMANDS if system == "windows" or name.startswith(("train", "check"))]
    commands = {name: COMMANDS[name] for name in some}
    said = played(system, f"COMMANDS = {commands!r}\n" + textwrap.dedent(RUN), folder)
    assert "1 of 1 right" in said
    assert (folder / "run" / "run.json").is_file()
    assert not list(folder.rglob(".*.part"))
    made = [path for path in folder.rglob("*") if FORBIDDEN.search(path.name)]
    assert not made


@pytest.mark.slow
@pytest.mark.parametrize("system", ["windows", "macos"])
def test_commands_that_take_long(system, folder):
    (folder / "endless.py").write_text(ENDLESS, encoding="utf-8")
    commands = {"search table --data rows.csv --over lr=1e-3,1e-2 --epochs 1 --out searched --jobs 2": 0}
    if system == "windows":
        commands |= {"check layer.py endless.py --limit 1": 2, "tutorial 0": 0}
    else:
        commands["bench simple --quick --device cpu --batch-sizes 32"] = 0
    played(system, f"COMMANDS = {commands!r}\n" + textwrap.dedent(RUN), folder)


def test_settings_of_the_process(tmp_path):
    """Cores, memory, threads: what cannot be asked or set is done without."""
    for system in ("windows", "macos"):
        found = played(
            system,
            """
            import json, multiprocessing, os
            from scratchae.backend import cpu, recycle_memory
            from scratchae.bench import harness, machine
            recycle_memory()
            cpu.on_all_cores([lambda: None] * 3)
            with cpu.threads(1):
                one = cpu.cores()
            facts = machine.facts()
            print(json.dumps({"cores": cpu.available_cores(), "all": os.cpu_count(), "one": one, "start": multiprocessing.get_start_method(),
                              "peak": harness.peak_memory(lambda: None), "processor": bool(facts["processor"])}))
            """,
            tmp_path,
        )
        found = json.loads(found)
        assert found["cores"] == found["all"] and found["one"] == 1
        assert found | {"cores": 0, "all": 0, "one": 0} == {
            **{"cores": 0, "all": 0, "one": 0, "start": "spawn", "peak": None, "processor": True}
        }


def test_what_is_played_is_felt(tmp_path):
    """Each refusal that the tests above rely on."""
    said = played(
        "windows",
        r"""
        import ctypes, os
        from pathlib import Path

        def refused(action, kind=OSError):
            try:
                action()
            except kind:
                return True
            return False

        Path("a").write_text("one\ntwo\n", encoding="utf-8"), Path("b").write_text("", encoding="utf-8")
        assert Path("a").read_bytes() == b"one\r\ntwo\r\n"
        with open("a", "rb") as reading:
            assert refused(lambda: os.fsync(reading.fileno()))
            assert refused(lambda: os.replace("b", "a")) and refused(lambda: os.unlink("a"))
        assert refused(lambda: os.rename("b", "a")) and not refused(lambda: os.replace("b", "a"))
        assert refused(lambda: Path("a:b").write_text("", encoding="utf-8"))
        assert refused(lambda: Path("aux.txt").write_text("", encoding="utf-8"))
        assert refused(lambda: Path("locale").write_text("\u2202"), UnicodeEncodeError)
        assert not hasattr(os, "fork") and not hasattr(os, "sched_getaffinity") and not hasattr(os, "killpg")
        print("felt")
        """,
        tmp_path,
    )
    assert said == "felt\n"


def test_patterns_that_a_shell_has_left(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "more.py").write_text(LAYER, encoding="utf-8")
    assert cli.main(["check", "*.py", "--json"]) == 0
    assert [one["file"] for one in json.loads(capsys.readouterr().out)] == ["layer.py", "more.py"]
    assert cli.types.spelled_out(["*.txt", "layer.py", "run?"]) == ["*.txt", "layer.py", "run?"]
    (folder / "[odd].py").write_text(LAYER, encoding="utf-8")
    assert cli.types.spelled_out(["[odd].py"]) == ["[odd].py"]


def test_our_files_can_be_checked_out_anywhere():
    """No name that Windows refuses, and no two that differ only by capitals."""
    places = [path for name in ("scratchae", "tests", "tutorials", "benchmarks") for path in (ROOT / name).rglob("*")]
    names = [path.relative_to(ROOT).as_posix() for path in places if "__pycache__" not in path.parts]
    assert len(names) > 300
    assert [name for name in names if FORBIDDEN.search(name.rpartition("/")[2])] == []
    assert [name for name, count in Counter(map(str.lower, names)).items() if count > 1] == []


def test_backslashes(folder, monkeypatch, capsys):
    r"""Paths as Windows has them: neither \n nor \1 in them means anything, and what is printed names them as they are."""
    deep = r"C:\new\1\table"  # one name on Linux
    (folder / f"{deep}.csv").write_bytes((folder / "rows.csv").read_bytes())
    (folder / f"{deep}.py").write_text(LAYER, encoding="utf-8")
    monkeypatch.chdir(folder)
    for command in (
        ["train", "simple", "--data", f"{deep}.csv", "--epochs", "1", "--out", deep],
        ["use", "reconstruct", deep],
        ["compare", deep, deep, "--out", rf"{deep}\compared"],
        ["study", "tiny", "--html", f"{deep}.html"],
        ["export", deep, "--torch", rf"{deep}\torch"],
        ["check", f"{deep}.py", "--junit", f"{deep}.xml"],
    ):
        assert cli.main(command) == 0
        said = capsys.readouterr().out
        assert (deep in said or "check" in command) and "\new" not in said, said
    assert json.loads((folder / deep / "run.json").read_text(encoding="utf-8"))["prepared"]["source"].endswith(
        f"{deep}.csv"
    )
    assert f'name="{deep}.py"' in (folder / f"{deep}.xml").read_text(encoding="utf-8")
