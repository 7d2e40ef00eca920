"""Files of a class: whatever one does, it gets a row, a sentence and an exit code, and the others are graded."""

import json
from xml.etree import ElementTree

import pytest

from scratchae.cli import main
from scratchae.tutorial import homework

RIGHT = """
import numpy as np


class Sigmoid:
    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, dy):
        return dy * self.y * (1 - self.y)
"""
WRONG = RIGHT.replace("(1 - self.y)", "(self.y - 1)")


@pytest.fixture
def file(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_many_files_make_a_table(file, capsys):
    names = [file("right.py", RIGHT), file("wrong.py", WRONG), file("none.py", "x = 3\n"), "missing.py"]
    assert main(["check", *map(str, names)]) == homework.WRONG
    *rows, summary = capsys.readouterr().out.splitlines()
    assert [row.split()[1] for row in rows] == ["right", "wrong", "not", "not"]
    assert "1 of 1 right" in rows[0] and "the sign is flipped" in rows[1]
    assert "nothing to check" in rows[2] and "there is no such file" in rows[3]
    assert summary == "4 files: 1 right, 1 wrong, 2 not checked"


def test_what_cannot_be_checked_is_not_wrong(file, capsys):
    assert main(["check", str(file("right.py", RIGHT)), str(file("none.py", "x = 3\n"))]) == homework.UNUSABLE
    assert main(["check", str(file("a.py", RIGHT)), str(file("b.py", RIGHT))]) == homework.RIGHT


def test_json_and_junit(file, tmp_path, capsys):
    report = tmp_path / "report.xml"
    names = [str(file("wrong.py", WRONG)), str(file("none.py", "x = 3\n"))]
    assert main(["check", *names, "--json", "--junit", str(report)]) == homework.WRONG
    wrong, none = json.loads(capsys.readouterr().out)
    assert (wrong["verdict"], none["verdict"]) == ("wrong", "not checked")
    assert wrong["parts"][0]["name"] == "Sigmoid" and "the sign is flipped" in wrong["parts"][0]["text"]
    suites = ElementTree.parse(report).getroot()
    assert [(s.get("failures"), s.get("errors")) for s in suites] == [("1", "0"), ("0", "1")]
    assert "the sign is flipped" in suites.find("testsuite/testcase/failure").text


def test_junit_wants_files(capsys):
    assert main(["check", "--junit", "report.xml"]) == 2
    assert "--junit wants files" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "it is no text in UTF-8"),
        (b"x = 1\n\x00\n", "it is a binary file"),
        ("# café\n".encode("latin-1"), "name its encoding in the first line"),
        (RIGHT + "#" * 1_100_000, "has at most 1 MB"),
        ("import os\nos._exit(3)\n", "ended Python, with exit code 3"),
        ("import ctypes\nctypes.string_at(0)\n", "ended by the signal SIGSEGV"),
        ("a = [0] * 10**13\n", "MemoryError"),
        ("def f(:\n", "SyntaxError"),
    ],
)
def test_a_file_that_cannot_be_checked(content, said, file):
    one = homework.graded(file("bad.py", content), 20)
    assert one.code == homework.UNUSABLE and said in one.text


@pytest.mark.parametrize(
    "more",
    [
        "import os\nif os.fork() == 0:\n    import time\n    time.sleep(600)\n",
        "import os\nos.fork()\n",
        "import os\nfor _ in range(50):\n    os.write(1, b'x' * 100_000)\nprint('y' * 1_000_000)\n",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n",
        "x, y, layer = 'text', [1, [2]], 3\n",
    ],
    ids=["forks", "is two", "prints megabytes", "leaves a thread", "has an x of its own"],
)
def test_what_a_file_does_besides(more, file):
    one = homework.graded(file("busy.py", RIGHT + more), 20)
    assert one.code == homework.RIGHT and len(one.parts) == 1


GROWS = """import numpy as np


def softmax(a):
    a = np.exp(a - a.max())
    return a / a.sum()


def energy(state, patterns):
    a = patterns.dot(state)
    return 0.5 * state.dot(state) - a.max() - np.log(np.exp(a - a.max()).sum())


def gradient(state, patterns):
    return state - patterns.T.dot(softmax(patterns.dot(state)))


def retrieve(state, patterns):
    for _ in range(10):
        state = state - 0.5 * gradient(state, patterns)
    return state
"""


def test_arrays_that_grow_for_some_shapes(file):
    one = homework.graded(file("grows.py", GROWS), 20)
    assert one.code == homework.RIGHT, one.text


def test_more_memory_than_a_trial_may_take(file):
    large = RIGHT.replace("(-x))", "(-x) + np.zeros(10**9)[0])")
    one = homework.graded(file("large.py", large), 20)
    assert one.code == homework.UNUSABLE and "MemoryError: Unable to allocate 7.45 GiB" in one.text


def test_a_file_that_trains_when_it_is_imported(file):
    one = homework.graded(file("trains.py", WRONG + "while True:\n    pass\n"), 2)
    assert one.code == homework.WRONG and "the sign is flipped" in one.text
    assert "what it had defined until then was checked" in one.text and "__main__" in one.text


def test_only_a_part_of_its_output_is_shown(file, capsys):
    assert main(["check", str(file("loud.py", RIGHT + "print('y' * 1_000_000)\n"))]) == 0
    assert len(capsys.readouterr().out) < 2 * homework.OUTPUT
