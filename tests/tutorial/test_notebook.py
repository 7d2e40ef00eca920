"""`sae.check`: answers from a notebook's cell are graded as files are."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import scratchae as sae
from scratchae.errors import OptionError
from scratchae.tutorial import grade
from scratchae.tutorial.chapters import exercises, folder
from scratchae.tutorial.notebook import asked_in, name_asked

SOLUTIONS = folder() / "exercises" / "solutions"


def written(path):
    """The answer in a file, as a notebook's cell has it."""
    namespace = {"__name__": "a_notebook"}
    module = sys.modules["a_notebook"] = type(sys)("a_notebook")
    namespace = vars(module)
    exec(compile(path.read_text(encoding="utf-8"), "<cell 7>", "exec"), namespace)
    return namespace[name_asked(path)]


@pytest.mark.parametrize("name", exercises())
def test_every_exercise_is_checked_as_its_file_is(name, capsys):
    right = sae.check(written(SOLUTIONS / f"{name}.py"), exercise=name)
    assert right and repr(right) == "right" and f", the answer to {name}: right\n" in right.text
    facts = grade.grade(SOLUTIONS / f"{name}.py")[1].split("\n")[1:]
    assert right.text.split("\n")[1:] == facts
    assert capsys.readouterr().out == f"{right.text}\n"
    wrong = sae.check(written(folder() / "exercises" / f"{name}.py"), exercise=name)
    assert not wrong and repr(wrong) == "not right yet"


@pytest.mark.parametrize(
    ("name", "exercise"),
    [("Dense", "02_dense"), ("mse", "02_mse"), ("kl", "11_kl"), ("backward", "11_reparameterise")],
)
def test_an_exercise_is_known_by_what_it_asks_for(name, exercise):
    assert asked_in(name) == exercise
    assert f", the answer to {exercise}: right" in sae.check(written(SOLUTIONS / f"{exercise}.py")).text


def test_what_is_called_otherwise_belongs_to_no_exercise():
    assert asked_in("MyDense") is None and asked_in("sigmoid") is None
    assert asked_in("Dropout") is None and asked_in("AdamW") is None


class Double:
    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        return self.factor() * dy

    def factor(self):
        return 2


class Wrong(Double):
    def factor(self):
        return -2


class Wide(Double):
    def forward(self, x):
        assert x.shape == (3, 7)
        return 2 * x


def squares(prediction, target):
    return ((prediction - target) ** 2).sum(), 2 * (prediction - target)


@pytest.mark.parametrize("answer", [Double, Double(), squares, sae.MSE(), sae.Dense(3, 2)])
def test_layers_and_losses_of_ones_own(answer):
    verdict = sae.check(answer)
    assert verdict and ": right; " in verdict.text


def test_a_wrong_layer_is_told_what_is_wrong(capsys):
    assert not sae.check(Wrong)
    assert "Wrong: wrong\n" in (out := capsys.readouterr().out) and "the sign is flipped" in out


def test_with_inputs_of_ones_own():
    assert not (verdict := sae.check(Wide))
    assert "in Python call check(layer, x)" in verdict.text
    verdict = sae.check(Wide, np.ones((3, 7)))
    assert verdict and "on (3, 7)\n" in verdict.text
    assert "on (2, 3) and (2, 3)" in sae.check(squares, np.ones((2, 3)), np.zeros((2, 3))).text


def test_an_exercise_by_name_is_its_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "02_dense.py").write_text((SOLUTIONS / "02_dense.py").read_text("utf-8"), encoding="utf-8")
    assert sae.check("02_dense").text.startswith("02_dense.py: right\n")
    assert "still to be written" in sae.check("02_mse").text


def test_what_is_no_loss_is_said():
    assert "lambda>: there is nothing to compare" in sae.check(lambda a, b, c: None).text


@pytest.mark.parametrize(
    ("answer", "said"), [(3, "expected a class"), (np, "expected a class"), ("99_x", "there is no")]
)
def test_what_cannot_be_checked_is_refused(answer, said):
    with pytest.raises(OptionError, match=said):
        sae.check(answer)


def test_typed_at_a_prompt():
    code = """
    import scratchae as sae

    class Dense:
        def __init__(self, inputs, outputs):
            self.b = 0

        def forward(self, x):
            return x.size @ x
    print(bool(sae.check(Dense)))
    """
    ran = subprocess.run(
        [sys.executable, "-"], input=textwrap.dedent(code), capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("line 9, in forward:\n    ") and ran.stdout.endswith("False\n") and ran.stderr == ""
