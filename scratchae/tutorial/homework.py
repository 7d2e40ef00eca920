"""Grades files, each in a process of its own, since it may hang, print, fork or end Python; and writes what came of it.

Whatever a file does, what comes of it is a sentence and an exit code: 0 right, 1 wrong, 2 not checkable.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TextIO
from xml.etree import ElementTree

from ..files import written_whole

RIGHT, WRONG, UNUSABLE = 0, 1, 2
WORDS = {RIGHT: "right", WRONG: "wrong", UNUSABLE: "not checked"}
TO_WRITE = "still to be written"
GRACE = 5  # seconds after its limit in which a file can still say where it hangs
LARGEST = 1_000_000  # bytes of a file
OUTPUT = 100_000  # bytes of its output that are shown


@dataclass
class Graded:
    """A file and what came of it; parts: the name, code and text of each thing in it."""

    file: Path
    code: int
    text: str
    parts: list[dict] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        return WORDS[self.code]

    def record(self) -> dict:
        parts = [{**part, "verdict": WORDS[part["code"]]} for part in self.parts]
        return {
            "file": str(self.file),
            "verdict": self.verdict,
            "code": self.code,
            "seconds": round(self.seconds, 2),
            "text": self.text,
            "parts": parts,
        }


def overall(codes: Iterable[int]) -> int:
    """The exit code of several: wrong if one is wrong, else not checkable if one is not."""
    found = set(codes)
    return WRONG if WRONG in found else UNUSABLE if UNUSABLE in found else RIGHT


def summed(parts: list[tuple[str, int, str]]) -> tuple[int, str]:
    """The exit code of the parts of a file, and how many are right: what is still to be written makes nothing wrong that is right."""
    right = sum(code == RIGHT for _, code, _ in parts)
    unwritten = [place for place, (*_, text) in enumerate(parts) if f"\n    {TO_WRITE}: " in text]
    for place in unwritten if right else ():
        name, _, text = parts[place]
        parts[place] = name, UNUSABLE, text
    more = f", {len(unwritten)} {TO_WRITE}" if right and unwritten else ""
    return overall(code for _, code, _ in parts), f"{right} of {len(parts)} right{more}"


def unreadable(file: Path) -> str:
    """Why a file is not even run; empty if it can be."""
    if not file.is_file():
        return "it is a folder" if file.is_dir() else "it is no file" if file.exists() else "there is no such file"
    try:
        size = file.stat().st_size
        if size > LARGEST:
            return (
                f"it has {size / 1e6:.1f} MB, and a file to be checked has at most {LARGEST / 1e6:g} MB: is it data?"
            )
        with tokenize.open(file) as text:
            if "\0" in text.read():
                return "it is a binary file, no Python"
    except (SyntaxError, UnicodeDecodeError):
        return "it is no text in UTF-8: save it as UTF-8, or name its encoding in the first line, # -*- coding: latin-1 -*-"
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"
    return ""


def graded(file: Path, limit: float, out: TextIO | None = None) -> Graded:
    """Grade a file in a separate process. out: where its own output goes as it comes; by default it is dropped."""
    if reason := unreadable(file):
        return Graded(file, UNUSABLE, f"{file}: {reason}")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "result.json"
        code, hung = run(file, limit, report, out)
        seconds = time.monotonic() - start
        if report.is_file():
            with contextlib.suppress(ValueError):
                found = json.loads(report.read_text(encoding="utf-8"))
                return Graded(file, found["code"], found["text"], found["parts"], seconds)
    if hung:
        text = f"it was not done after {limit:g} seconds and could not be interrupted, so its process was ended"
    elif code < 0:
        text = f"its process was ended by the signal {signal.Signals(-code).name}: out of memory, or an error in compiled code"
    else:
        text = f"the file itself ended Python, with exit code {code}"
    return Graded(file, UNUSABLE, f"{file}: {text}", [], seconds)


def run(file: Path, limit: float, report: Path, out: TextIO | None) -> tuple[int, bool]:
    """Run the grading of a file. Returns the exit code of its process, and whether it had to be ended. What it started ends with it."""
    command = [sys.executable, "-B", "-m", "scratchae.tutorial.grade", str(file), str(limit), str(report)]
    environment = os.environ | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8:replace",
        "MPLBACKEND": "Agg",
    }
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(command, env=environment, start_new_session=True, **pipes)
    reader = threading.Thread(target=pass_on, args=(process.stdout, out), daemon=True)
    reader.start()
    try:
        return process.wait(limit + GRACE), False
    except subprocess.TimeoutExpired:
        return -9, True
    finally:
        with contextlib.suppress(OSError):  # nothing of it is left
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:  # Windows: what the file itself has started goes on
                process.kill()
        process.wait()
        reader.join(1)
        if not reader.is_alive():
            process.stdout.close()


def pass_on(stream: IO[bytes], out: TextIO | None) -> None:
    """Write the output of a process as it comes, up to a limit, and read all of it, so that the process does not wait."""
    room = OUTPUT if out is not None else 0
    while chunk := stream.read1(65536):
        if room > 0:
            out.write(chunk[:room].decode("utf-8", "replace"))
            out.flush()
            room -= len(chunk)
            if room <= 0:
                out.write("\n(more of its output is not shown)\n")


def row(one: Graded, width: int) -> str:
    """A line of the table."""
    right = sum(part["code"] == RIGHT for part in one.parts)
    count = f"{right} of {len(one.parts)} right" if one.parts else ""
    return f"{one.file!s:<{width}}  {one.verdict:<11}  {count:<14}  {first_fault(one)}".rstrip()


def first_fault(one: Graded) -> str:
    """The first sentence about what is wrong in a file."""
    bad = next((part for part in one.parts if part["code"] == one.code != RIGHT), None)
    if one.code == RIGHT or (bad is None and not one.text):
        return ""
    lines = (bad["text"] if bad else one.text).splitlines()
    said = [line.strip() for line in lines if line.strip() and not line.startswith("  ∂L/") and "FAILED" not in line]
    text = said[1] if len(said) > 1 and (bad or re.match(r"\S+:\d+", said[0])) else said[0]
    name = f"{bad['name']}: " if bad else ""
    return f"{name}{text}"[:150]


def summary(found: list[Graded]) -> str:
    counts = {word: sum(one.code == code for one in found) for code, word in WORDS.items()}
    return f"{len(found)} files: {', '.join(f'{count} {word}' for word, count in counts.items() if count)}"


def write_junit(found: list[Graded], path: Path) -> None:
    """Write the results as JUnit XML: a suite for each file, a case for each thing in it."""
    suites = ElementTree.Element("testsuites")
    for one in found:
        parts = one.parts or [{"name": one.file.stem, "code": one.code, "text": one.text}]
        counts = {
            name: str(sum(part["code"] == code for part in parts))
            for name, code in (("failures", WRONG), ("errors", UNUSABLE))
        }
        suite = ElementTree.SubElement(
            suites, "testsuite", name=str(one.file), tests=str(len(parts)), time=f"{one.seconds:.2f}", **counts
        )
        for part in parts:
            case = ElementTree.SubElement(
                suite, "testcase", name=part["name"], classname=one.file.stem, file=str(one.file)
            )
            text = "".join(letter if letter in "\n\t" or letter >= " " else "?" for letter in part["text"])
            if part["code"] == RIGHT:
                ElementTree.SubElement(case, "system-out").text = text
            else:
                fault = ElementTree.SubElement(
                    case, "failure" if part["code"] == WRONG else "error", message=text.partition("\n")[0]
                )
                fault.text = text
    ElementTree.indent(suites)
    with written_whole(path) as partial:
        ElementTree.ElementTree(suites).write(partial, encoding="utf-8", xml_declaration=True)
