"""The command makes settings that are read when NumPy is loaded, before it is."""

import os
import subprocess
import sys
import textwrap

import pytest

from scratchae import __main__ as command
from scratchae import environment


@pytest.fixture
def unset(monkeypatch):
    """None of the settings is made; what a test makes is undone."""
    for name in (*environment.SETTINGS, "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_the_settings_are_made(unset):
    environment.prepare()
    assert os.environ.items() >= environment.SETTINGS.items()


def test_what_the_user_has_set_stays(monkeypatch):
    for name in environment.SETTINGS:
        monkeypatch.setenv(name, "4")
    environment.prepare()
    assert {os.environ[name] for name in environment.SETTINGS} == {"4"}


@pytest.mark.parametrize(
    ("base", "given", "expected"),
    [("elsewhere", None, "var"), ("elsewhere", "of the user", "of the user"), ("", None, None)],
    ids=["in a virtual environment", "set by the user", "in none"],
)
def test_matplotlib_writes_nothing_into_the_home_folder(unset, monkeypatch, tmp_path, base, given, expected):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / base) if base else str(tmp_path))
    if given is not None:
        monkeypatch.setenv("MPLCONFIGDIR", given)
    environment.prepare()
    expected = str(tmp_path / "var" / "matplotlib") if expected == "var" else expected
    assert os.environ.get("MPLCONFIGDIR") == expected


def test_numpy_is_loaded_once_and_finds_them():
    """In one process: to start it again would double the time of every command."""
    script = """
        import os, sys

        class Watching:
            def find_spec(self, name, *_):
                if name == "numpy":
                    print("settings:", os.environ.get("OPENBLAS_THREAD_TIMEOUT"))

        sys.meta_path.insert(0, Watching())
        os.execv = None
        sys.argv = ["scratchae", "check", "no such layer"]
        from scratchae.__main__ import run
        run()
    """
    environment_of_it = {key: value for key, value in os.environ.items() if key not in environment.SETTINGS}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=environment_of_it,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["settings:", environment.SETTINGS["OPENBLAS_THREAD_TIMEOUT"]]
    assert done.returncode == 2 and "no such layer" in done.stderr


def test_arguments_and_exit_code_come_through(monkeypatch):
    done = subprocess.run(
        [sys.executable, "-m", "scratchae", "train", "no such preset"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "unknown preset 'no such preset'" in done.stderr
    monkeypatch.setattr("scratchae.cli.main", lambda: 3)
    with pytest.raises(SystemExit) as exit:
        command.run()
    assert exit.value.code == 3
