"""The command starts itself again with the settings that OpenBLAS reads when NumPy is loaded, once."""

import os
import subprocess
import sys

import pytest

from scratchae import __main__ as command


@pytest.fixture
def started(monkeypatch):
    """The process that would take this one's place, instead of starting it."""
    calls = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: calls.append((program, arguments, dict(os.environ))))
    monkeypatch.setattr(command, "main", lambda: 0)
    monkeypatch.setenv("MPLCONFIGDIR", "of the user")
    return calls


def test_it_starts_the_same_command_with_the_settings(started, monkeypatch):
    for name in command.SETTINGS:
        monkeypatch.setenv(name, "")  # so that it is put back after the test
        monkeypatch.delenv(name)
    with pytest.raises(SystemExit):  # execv does not return; its substitute does
        command.run()
    ((program, arguments, environment),) = started
    assert program == arguments[0] == sys.executable
    assert arguments[1:] == sys.orig_argv[1:]
    assert environment.items() >= command.SETTINGS.items()


def test_what_the_user_has_set_stays(started, monkeypatch):
    for name in command.SETTINGS:
        monkeypatch.setenv(name, "4")
    with pytest.raises(SystemExit) as exit:
        command.run()
    assert exit.value.code == 0
    assert started == []


@pytest.mark.parametrize(
    ("base", "given", "expected"),
    [("elsewhere", None, "var"), ("elsewhere", "of the user", "of the user"), ("", None, None)],
    ids=["in a virtual environment", "set by the user", "in none"],
)
def test_matplotlib_writes_nothing_into_the_home_folder(started, monkeypatch, tmp_path, base, given, expected):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / base) if base else str(tmp_path))
    if given is None:
        monkeypatch.delenv("MPLCONFIGDIR")
    with pytest.raises(SystemExit):
        command.run()
    expected = str(tmp_path / "var" / "matplotlib") if expected == "var" else expected
    assert os.environ.get("MPLCONFIGDIR") == expected


@pytest.mark.parametrize("name", command.SETTINGS)
def test_arguments_and_exit_code_come_through(name):
    environment = {key: value for key, value in os.environ.items() if key != name}
    done = subprocess.run(
        [sys.executable, "-m", "scratchae", "train", "no such preset"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "unknown preset 'no such preset'" in done.stderr
