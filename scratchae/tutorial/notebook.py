"""An answer written in a notebook or typed at a prompt, checked as `scratchae check` checks a file."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..arguments import refuse
from ..errors import OptionError
from .chapters import exercises, folder, hand_out


@dataclass(frozen=True, repr=False)
class Verdict:
    """The result of a check: `text` describes it, and it is true if the answer is right."""

    right: bool
    text: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return "right" if self.right else "not right yet"


def check(answer: Any, *inputs: np.ndarray, exercise: str | None = None) -> Verdict:
    """Check a layer, loss, penalty or the answer to an exercise. Prints the result, and returns whether the answer is right.

    answer: a class or a function. If an exercise asks for one of its name, it counts as the answer to that exercise. Otherwise,
    and for any instance, its gradients are compared with central differences. Or the name of an exercise, "02_dense", whose
    file is graded. exercise: the exercise, if the name does not say which. inputs: the inputs for a layer, loss or penalty,
    instead of random numbers: x, or prediction and target.

    Names that the answer uses, such as the `forward` that belongs to a `backward`, are looked up where it was written.
    Raises OptionError if there is no such exercise, or if the answer cannot be checked.
    """
    from . import grade  # this module also runs as a separate program

    if exercise is not None and not isinstance(exercise, str):
        refuse("check", "exercise", exercise, 'the name of an exercise, such as "02_dense"')
    if isinstance(answer, str | Path):
        path = file_of(str(answer))
        return told(path, path.name, lambda: grade.grade(path))
    if isinstance(answer, ModuleType) or not (callable(answer) or hasattr(answer, "backward")):
        raise OptionError(
            f"check({answer!r}): expected a class or an object with forward and backward, a loss or penalty, a function that an "
            'exercise asks for, or the name of an exercise such as "02_dense"'
        )
    kind = answer if inspect.isclass(answer) or inspect.isfunction(answer) else type(answer)
    path = written_in(kind)
    if exercise is None and kind is answer and not inputs:
        exercise = asked_in(kind.__name__)
    if exercise is None:
        return told(path, kind.__name__, lambda: checked(answer, inputs, path))
    asked, title = grade.exercise(file_of(exercise)), f"{kind.__name__}, the answer to {file_of(exercise).stem}"
    module = ModuleType(kind.__module__)
    vars(module).update(vars(sys.modules[kind.__module__]), **{name_asked(file_of(exercise)): kind})
    return told(path, title, lambda: (grade.RIGHT, grade.praised(title, asked(module))))


def checked(answer: Any, inputs: tuple[np.ndarray, ...], path: Path) -> tuple[int, str]:
    """The exit code and the words for a layer, loss or penalty."""
    from .grade import verdict
    from .learner import subject

    name = getattr(answer, "__name__", type(answer).__name__)
    return verdict(subject(name, answer, tuple(np.asarray(array) for array in inputs)), path)


def told(path: Path, title: str, graded: Callable[[], tuple[int, str]]) -> Verdict:
    """Print the result of the grading, or of an error in it."""
    from . import grade

    try:
        code, text = graded()
    except (Exception, SystemExit) as error:
        code, text = grade.explained(path, error, title)
    print(text)
    return Verdict(code == grade.RIGHT, text)


def file_of(name: str) -> Path:
    """The learner's file of an exercise, or a file. Raises OptionError if there is none."""
    path = Path(name)
    if path.is_file():
        return path
    if path.stem in exercises():
        return hand_out(path.stem)
    raise OptionError(f"check: there is no exercise or file {name!r}; the exercises are {', '.join(exercises())}")


def asked_in(name: str) -> str | None:
    """The first exercise that asks for a class or function of that name."""
    given = ((exercise, folder() / "exercises" / f"{exercise}.py") for exercise in exercises())
    return next((exercise for exercise, path in given if name_asked(path) == name), None)


def name_asked(path: Path) -> str:
    """The class or function that an exercise asks for: the last one in the exercise's file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)][-1]


def written_in(kind: Any) -> Path:
    """The file of a class or function, or a notebook's name for a cell."""
    functions = [
        kind,
        *(getattr(kind, name, None) for name in ("backward", "forward", "__call__", "__init__", "update")),
    ]
    codes = (getattr(function, "__code__", None) for function in functions)
    return Path(next((code.co_filename for code in codes if code is not None), kind.__name__))
