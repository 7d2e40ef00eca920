"""What the README says is so: its example prints what stands below it, its links lead somewhere, its presets exist."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from scratchae.cli import main
from scratchae.presets import PRESETS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def fenced(language, place=0):
    """A block of a language, the first one unless told."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)[place]


def numbers(text):
    return [float(number) for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?:e[-+]\d+)?", text)]


def test_the_example_prints_what_stands_below_it():
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(fenced("python"), "README.md", "exec"), {})
    shown, found = fenced("text").splitlines(), printed.getvalue().splitlines()
    assert len(shown) == len(found)
    for expected, line in zip(shown, found, strict=True):
        # other processors round otherwise: a few percent in an error, anything in the error of an error
        if "relative error" in expected or "∂" in expected:
            assert expected.split()[:2] == line.split()[:2]
        else:
            assert numbers(line) == pytest.approx(numbers(expected), rel=0.05)


def test_the_trace_is_what_the_command_prints(capsys):
    assert main(["study", "tiny"]) == 0
    assert fenced("text", 1).strip() == capsys.readouterr().out.strip()


def test_the_diagnosis_is_what_the_command_prints(capfd, monkeypatch):
    monkeypatch.chdir(ROOT)
    command, _, shown = fenced("console").partition("\n")
    main(command.removeprefix("$ scratchae ").split())
    assert shown.strip() == capfd.readouterr().out.strip()


def test_the_example_is_short():
    assert len([line for line in fenced("python").splitlines() if line.strip()]) <= 15


def test_every_preset_stands_in_the_readme():
    assert all(f"`{name}`" in README for name in PRESETS)


def test_relative_links_and_pictures_exist():
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_two_commands_are_one_line_each():
    commands = [line.strip() for line in README.splitlines() if line.strip().startswith("python3 -m venv")]
    assert [command.rpartition("&& ")[2] for command in commands] == [
        ".venv/bin/scratchae train deep",
        ".venv/bin/python -m pytest",
    ]
