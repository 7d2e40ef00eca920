"""`scratchae check FILE.py`: right, wrong, and every way in which a file can be unusable, in a process of its own."""

import contextlib
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from scratchae.cli import main
from scratchae.tutorial import grade, objects
from scratchae.tutorial.chapters import folder

RIGHT = """
import numpy as np

class Sigmoid:
    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, dy):
        return dy * self.y * (1 - self.y)
"""


@pytest.fixture
def file(tmp_path):
    def write(text, name="my_layer.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    return write


@pytest.fixture
def graded(file, capsys):
    """The exit code and what is said of a file, here in this process."""

    def run(text, seconds=60):
        path = file(text)
        code = grade.main([str(path), str(seconds)])
        return code, capsys.readouterr().out.replace(str(path), path.name)

    return run


# The command


def test_an_exercise_by_its_name(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for name in ("00_neuron", "00_neuron.py", "exercises/00_neuron.py", "elsewhere/00_neuron"):
        assert main(["check", name]) == 1
        assert "in neuron:\n    still to be written: " in capfd.readouterr().out
    Path("00_neuron.py").write_text((folder() / "exercises" / "solutions" / "00_neuron.py").read_text("utf-8"))
    assert main(["check", "00_neuron"]) == 0
    assert capfd.readouterr().out.startswith("00_neuron.py: right\n")


@pytest.mark.parametrize("name", ["00_nothing", "nothing.py"])
def test_where_there_is_no_such_exercise_the_others_are_named(name, capsys):
    assert main(["check", name]) == 2
    error = capsys.readouterr().err
    assert f"there is no file or exercise {name}; the exercises are 00_neuron, " in error and "hands one out" in error


def test_a_right_file(file, capfd):
    assert main(["check", str(file(RIGHT))]) == 0
    out, err = capfd.readouterr()
    assert out.startswith("Sigmoid: right; ∂L/∂x equal central differences to ") and "1 of 1 right" in out
    assert err == ""


def test_a_wrong_file(file, capfd):
    assert main(["check", str(file(RIGHT.replace("(1 - self.y)", "(self.y - 1)")))]) == 1
    out = capfd.readouterr().out
    assert "Sigmoid: wrong" in out and "∂L/∂x: the sign is flipped" in out and "0 of 1 right" in out


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert main(["check", str(tmp_path / "nothing.py")]) == 2
    error = capsys.readouterr().err
    assert "there is no file" in error and "the exercises are 00_neuron, " in error


# A file does not wait until its time is over: it has the alarm ring when it gets to that place
RINGS = """
import threading

def ring():
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.function()
"""


def test_a_file_that_never_ends(file, capfd):
    path = file(
        RINGS
        + """
class Slow:
    def forward(self, x):
        ring()
        while True:
            x = x + 1

    def backward(self, dy):
        return dy
"""
    )
    assert main(["check", str(path), "--limit", "3600"]) == 2
    out = capfd.readouterr().out
    assert out.startswith(f"{path}:") and "not done after 3600 seconds" in out
    assert int(out.removeprefix(f"{path}:").partition(",")[0]) in range(3, 13)


def for_ever():
    while True:
        pass


def test_the_alarm_rings_in_time_and_not_after_the_block():
    with pytest.raises(KeyboardInterrupt), grade.alarm(0.01):
        for_ever()
    with grade.alarm(3600) as rung:
        (timer,) = [thread for thread in threading.enumerate() if getattr(thread, "interval", None) == 3600]
    timer.join()  # it is called off
    assert not rung.is_set()


def test_a_file_that_cannot_even_be_interrupted(file, capfd, monkeypatch):
    monkeypatch.setattr(
        "scratchae.tutorial.homework.GRACE", 2 - 3600
    )  # it is ended after 2 seconds, wherever it is then
    path = file(
        RINGS
        + """
while True:
    try:
        ring()
        while True:
            pass
    except BaseException:
        pass
"""
    )
    assert main(["check", str(path), "--limit", "3600"]) == 2
    assert "not done after 3600 seconds and could not be interrupted" in capfd.readouterr().out


def test_a_file_that_ends_python(file, capfd):
    assert main(["check", str(file("import os\nos._exit(7)\n"))]) == 2
    assert "the file itself ended Python, with exit code 7" in capfd.readouterr().out


def test_a_file_that_asks_for_input_does_not_wait(file, capfd):
    path = file("name = input()\n")
    assert main(["check", str(path)]) == 2
    assert f"{path}:1: name = input()\n    EOFError" in capfd.readouterr().out


def test_the_limit_is_a_positive_number(capsys):
    with pytest.raises(SystemExit):
        main(["check", "a.py", "--limit", "0"])
    assert "expected a number above 0" in capsys.readouterr().err


def test_as_a_person_calls_it(file):
    command = [sys.executable, "-m", "scratchae", "check", str(file("print('hello')\n" + RIGHT))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "hello" and "1 of 1 right" in done.stdout


# What a file may hold


def test_everything_in_a_file_is_checked(graded):
    code, out = graded(
        """
        import numpy as np
        from scratchae import Layer

        class Dense:
            def __init__(self, inputs, outputs):
                self.W = np.ones((inputs, outputs))
                self.b = np.zeros(outputs)

            def forward(self, x):
                self.x = x
                return x @ self.W + self.b

            def backward(self, dy):
                self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
                return dy @ self.W.T

        class Twice(Layer):
            def forward(self, x, rng=None):
                return 2 * x

            def backward(self, dy):
                return 2 * dy

        class Noise:
            def __init__(self, rate):
                self.rate = rate

            def forward(self, x, rng=None):
                self.mask = np.ones_like(x) if rng is None else rng.random(x.shape) > self.rate
                return x * self.mask

            def backward(self, dy):
                return dy * self.mask

        def loss(prediction, target):
            difference = prediction - target
            return (difference ** 2).sum(), 2 * difference

        def penalty(z):
            return (z ** 2).sum(), 2 * z

        class Cost:
            def __call__(self, prediction, target):
                return loss(prediction, target)

        def helper(x):
            return x + 1

        def _private(prediction, target):
            raise ValueError
        """
    )
    assert code == 0, out
    assert [line.partition(":")[0] for line in out.splitlines()[:-1] if line[0] != " "] == [
        "Dense",
        "Twice",
        "Noise",
        "Cost",
        "loss",
        "penalty",
    ]
    assert "∂L/∂x, ∂L/∂W, ∂L/∂b" in out and "6 of 6 right" in out


def test_instances_and_inputs_of_the_file_are_used(graded):
    code, out = graded(
        """
        import numpy as np

        class Scale:
            def __init__(self, what):
                self.factor = what["factor"]

            def forward(self, x):
                assert x.shape == (2, 7)
                return x * self.factor

            def backward(self, dy):
                return dy * self.factor

        x = np.arange(14).reshape(2, 7)
        twice, thrice = Scale({"factor": 2.0}), Scale({"factor": 3.0})
        """
    )
    assert code == 0, out
    assert "Scale (twice): right" in out and "Scale (thrice): right" in out and "on (2, 7)" in out


def test_images_are_tried_where_rows_are_not_taken(graded):
    code, out = graded(
        """
        class Flatten:
            def forward(self, x):
                N, H, W, C = self.shape = x.shape
                return x.reshape(N, H * W * C)

            def backward(self, dy):
                return dy.reshape(self.shape)
        """
    )
    assert code == 0 and "on (4, 5, 6, 3)" in out


def test_a_base_class_is_not_checked(graded):
    code, out = graded(
        "class Base:\n    def forward(self, x):\n        raise NotImplementedError\n    backward = forward\n"
        + RIGHT.replace("class Sigmoid:", "class Sigmoid(Base):")
    )
    assert code == 0 and "1 of 1 right" in out


def test_what_lies_beside_the_file_can_be_imported(graded, file):
    file("HALF = 0.5\n", "constants_beside.py")
    code, out = graded("from constants_beside import HALF\n" + RIGHT)
    assert code == 0, out


def test_nothing_but_the_file_is_run(graded, file, tmp_path, monkeypatch):
    """And the tutorials' own checks: who may write into the folder may be anybody."""
    (tmp_path / "sub").mkdir(), (tmp_path / "checks").mkdir()
    for name in ("checks.py", "checks/__init__.py", "checks/chapter_02.py", "_exercise_checks.py"):
        file("from pathlib import Path\nPath('ran').touch()\nCHECKS = {}", name)
    monkeypatch.chdir(tmp_path)
    assert grade.grade(file(RIGHT, "sub/my_layer.py"))[0] == 0
    assert not Path("ran").exists()
    for name in ("my_layer.py", "02_dense.py"):
        with contextlib.suppress(Exception):  # it is no answer to that exercise
            assert grade.grade(file(RIGHT, name))[0] == 0
        assert not Path("ran").exists()


def test_the_help_says_that_the_file_is_run(capsys):
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    assert "Given files of your own, run them" in " ".join(capsys.readouterr().out.split())


def test_a_remark_is_no_fault(graded):
    code, out = graded(RIGHT.replace("1 / (1 +", "np.float64(1) / (1 +"))
    assert code == 0 and "Sigmoid: right, with a remark" in out and "y comes out as float64" in out


def test_prints_are_shown_and_not_too_many(graded):
    code, out = graded(RIGHT.replace("self.y = 1", "print('forward'); self.y = 1"))
    lines = out.splitlines()
    assert code == 0 and lines.count("forward") == grade.SHOWN
    assert any(line.startswith("(your file printed ") and line.endswith(" more lines)") for line in lines)


# What can be wrong with a file: each message points into it

SIGMOID = textwrap.dedent(RIGHT).lstrip("\n")
UNUSABLE = {
    "no such module": ("import nump\n", "my_layer.py:1: import nump\n    ModuleNotFoundError: No module named 'nump'"),
    "no Python": ("def f(:\n", "my_layer.py:1: def f(:\n    SyntaxError: invalid syntax"),
    "nothing in it": ("x = 3\n", "my_layer.py: nothing to check: write a class with `forward(self, x)`"),
    "ends itself": ("import sys\nsys.exit(0)\n", "my_layer.py:2: sys.exit(0)\n    Python ends here"),
    "raises in forward": (
        SIGMOID.replace("return self.y\n", "return self.z\n", 1),
        "my_layer.py:6, in forward: return self.z\n    AttributeError: 'Sigmoid' object has no attribute 'z'",
    ),
    "raises in backward": (
        SIGMOID.replace("return dy * self.y", "return dy * slef.y"),
        "my_layer.py:9, in backward: return dy * slef.y * (1 - self.y)\n    NameError: name 'slef' is not defined",
    ),
    "forward returns nothing": (
        SIGMOID.replace("        return self.y\n", ""),
        "my_layer.py:4, in forward:\n    Sigmoid(): forward returned None: does it end with `return`",
    ),
    "backward returns nothing": (
        SIGMOID.replace("return dy", "dx = dy"),
        "my_layer.py:7, in backward:\n    Sigmoid(): backward returned None: does it end with `return`",
    ),
    "backward takes nothing": (
        SIGMOID.replace("(self, dy)", "(self)"),
        "my_layer.py:8, in backward:\n    TypeError: Sigmoid.backward() takes 1 positional argument but 2 were given",
    ),
    "no input fits": (
        SIGMOID.replace("np.exp(-x)", "np.exp(-x @ np.ones((9, 9)))"),
        "Sigmoid was called with shape (5, 3); if it needs another shape, write an input `x = …` into the file, or in Python call check(layer, x)",
    ),
    "no arguments fit": (
        SIGMOID.replace("class Sigmoid:", "class Sigmoid:\n    def __init__(self, what):\n        what['a']\n"),
        "Make an instance for the check to use: in the file `layer = Sigmoid(…)` and an input",
    ),
    "a loss that raises": (
        "def loss(prediction, target):\n    return prediction - tarket\n",
        "my_layer.py:2, in loss: return prediction - tarket\n    NameError",
    ),
    "a loss without a gradient": (
        "def loss(prediction, target):\n    return (prediction - target).sum()\n",
        "my_layer.py:1, in loss:\n    loss returned float64, expected (value, gradient)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_file(graded, name):
    text, expected = UNUSABLE[name]
    code, out = graded(text)
    assert code == grade.UNUSABLE
    if name in ("backward returns nothing", "backward takes nothing"):  # the line of its def
        expected = expected.replace(":7,", ":8,")
    assert expected in out, out


def test_a_backward_whose_arrays_do_not_fit_is_wrong(graded):
    code, out = graded(SIGMOID.replace("return dy * self.y", "return dy @ self.y"))
    assert code == grade.WRONG
    assert (
        "my_layer.py:9, in backward: return dy @ self.y * (1 - self.y)\n    dy is (5, 3) and self.y is (5, 3)" in out
    )


def test_a_gradient_of_the_wrong_shape(graded):
    code, out = graded(
        RIGHT.replace("return dy * self.y", "return (dy * self.y).sum() + 0 * dy[0] * self.y[0]").replace(
            "(1 - self.y)", "(1 - self.y[0])"
        )
    )
    assert code == grade.WRONG and "the gradient of x has shape (3,), x itself (5, 3)" in out


def test_one_that_is_still_to_be_written(graded):
    code, out = graded(
        RIGHT.replace("return dy * self.y * (1 - self.y)", 'raise NotImplementedError("dy · y (1 - y)")')
    )
    assert code == grade.WRONG
    assert out == "Sigmoid: my_layer.py:9, in backward:\n    still to be written: dy · y (1 - y)\n0 of 1 right\n"


def test_the_worst_counts(graded):
    wrong = RIGHT.replace("class Sigmoid", "class Wrong").replace("(1 - self.y)", "(self.y - 1)")
    code, out = graded(RIGHT + wrong)
    assert code == grade.WRONG and "1 of 2 right" in out


def test_sizes_for_a_constructor():
    class Layer:
        def __init__(self, inputs, outputs, rate, extra=1):
            self.given = inputs, outputs, rate, extra

    assert objects.construct(Layer).given == (3, 4, 0.4, 1)


def test_a_file_that_was_mended_in_the_same_second_is_read_anew(file, monkeypatch):
    """A .pyc counts as that of a file of the same size and second: nothing is left beside the file, and none is believed."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = file(RIGHT)
    wrong = path.read_text(encoding="utf-8").replace("1 - ", "1 + ")
    stamp = 1_700_000_000
    for text, code in ((path.read_text(encoding="utf-8"), 0), (wrong, 1)):
        path.write_text(text, encoding="utf-8")
        os.utime(path, (stamp, stamp))
        assert grade.grade(path)[0] == code
    assert [each.name for each in path.parent.iterdir()] == [path.name]
