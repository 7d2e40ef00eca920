"""Grades a learner's file: `python -m scratchae.tutorial.grade FILE SECONDS`, in a separate process (cli/check.py)."""

from __future__ import annotations

import _thread
import contextlib
import copy
import importlib.util
import io
import linecache
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, TracebackType

import numpy as np

from ..environment import open_streams
from ..errors import ScratchaeError, ShapeError
from ..study.diagnosis import GradientShapeError
from ..study.differences import GradientReport
from ..study.gradcheck import check_gradients
from .answers import AnswerError
from .chapters import folder
from .learner import NotCheckableError, Subject, load, subjects
from .operands import misfit

RIGHT, WRONG, UNUSABLE, INTERRUPTED = 0, 1, 2, 130  # exit codes
SHOWN = 40  # how many lines of the learner's own printing to show: forward is called some hundred times


class Printed(io.TextIOBase):
    """The output of the learner's file: the first lines are shown, the others are counted."""

    def __init__(self, stream: io.TextIOBase):
        self.stream, self.lines = stream, 0

    def write(self, text: str) -> int:
        if self.lines < SHOWN:
            self.stream.write(text)
            self.stream.flush()
        self.lines += text.count("\n")
        return len(text)

    def report(self) -> str:
        return f"(your file printed {self.lines - SHOWN} more lines)" if self.lines > SHOWN else ""


def main(arguments: list[str]) -> int:
    """Grade a file and print the result. The exit code is 0 if it is right, 1 if it is wrong or not yet written, 2 if it cannot
    be graded."""
    path, seconds = Path(arguments[0]), float(arguments[1])
    printed = Printed(sys.stdout)
    with contextlib.redirect_stdout(printed), alarm(seconds) as ring:
        try:
            code, text = grade(path)
        except KeyboardInterrupt as error:
            if not ring.is_set():
                return INTERRUPTED
            text = f"it was not done after {seconds:g} seconds: does a loop here never end?"
            code, text = UNUSABLE, pointed(path, error.__traceback__, text)
        except (Exception, SystemExit) as error:
            code, text = explained(path, error)
    print("\n".join(filter(None, (printed.report(), text))))
    return code


def explained(path: Path, error: BaseException, title: str = "") -> tuple[int, str]:
    """What an error means for the learner, and the exit code. title: a name for the answer, instead of its file's name."""
    trace, title = error.__traceback__, title or path.name
    if isinstance(error, AnswerError | GradientShapeError):
        return WRONG, f"{title}: not right yet\n{error}"
    if isinstance(error, NotImplementedError):
        return WRONG, pointed(path, trace, f"still to be written: {error or '…'}", quoted=False)
    if isinstance(error, SyntaxError):
        line = (error.text or "").strip()
        return UNUSABLE, f"{error.filename}:{error.lineno}: {line}\n    {type(error).__name__}: {error.msg}"
    if isinstance(error, SystemExit):
        return UNUSABLE, pointed(path, trace, "Python ends here, but a file to be checked must run to its last line")
    return UNUSABLE, pointed(path, trace, message(error, path))


def message(error: BaseException, path: Path) -> str:
    """An error as text: the library's own message as it is; for arrays that do not fit, their names and shapes."""
    if said := misfit(error, path):
        return said
    return str(error) if isinstance(error, ScratchaeError | NotCheckableError) else f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def alarm(seconds: float) -> Iterator[threading.Event]:
    """Interrupt the code in the block after some time, wherever it is."""
    rung = threading.Event()

    def ring() -> None:
        rung.set()
        _thread.interrupt_main()

    timer = threading.Timer(seconds, ring)
    timer.daemon = True
    timer.start()
    try:
        yield rung
    finally:
        timer.cancel()


def grade(path: Path) -> tuple[int, str]:
    """The exit code and the words about a file."""
    module = load(path)
    check = exercise(path)
    if check is not None:
        return RIGHT, praised(path.name, check(module))
    verdicts = [verdict(subject, path) for subject in subjects(module)]
    right = sum(code == RIGHT for code, _ in verdicts)
    lines = [text for _, text in verdicts]
    return max(code for code, _ in verdicts), "\n".join([*lines, f"{right} of {len(verdicts)} right"])


def praised(title: str, facts: list[str]) -> str:
    return "\n".join([f"{title}: right", *(f"  {fact}" for fact in facts)])


def exercise(path: Path) -> Callable[[ModuleType], list[str]] | None:
    """The check of an exercise of this name, from the tutorials' own checks.py.

    From nowhere else: what is found is run, and the folder of a learner's file may be anybody's.
    """
    spec = importlib.util.spec_from_file_location("_exercise_checks", folder() / "exercises" / "checks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CHECKS.get(path.stem)


def verdict(subject: Subject, path: Path) -> tuple[int, str]:
    """Check one layer or loss of the file."""
    first = None
    for inputs in subject.inputs:
        refused = refusal(subject.value, inputs)
        if refused is None:
            break
        first = first or refused
    else:
        shape = " and ".join(str(array.shape) for array in subject.inputs[0])
        way_out = (
            "; if it needs another shape, write an input `x = …` into the file, or in Python call check(layer, x)"
            if len(subject.inputs) > 1
            else ""
        )
        called = f"{subject.name} was called with shape {shape}{way_out}"
        return UNUSABLE, f"{located(path, subject, first)}\n    {called}"
    try:
        report = check_gradients(subject.value, *inputs)
    except NotImplementedError:
        raise
    except ShapeError as error:  # of a gradient
        return WRONG, f"{subject.name}: wrong\n{error}"
    except Exception as error:
        return UNUSABLE, located(path, subject, error)
    return (RIGHT if report.passed else WRONG), described(subject, report, inputs)


def refusal(value: object, inputs: tuple[np.ndarray, ...]) -> Exception | None:
    """The error that a layer's forward, or a loss, raises on these inputs; None if it raises none."""
    call = getattr(copy.deepcopy(value), "forward", value)
    try:
        call(*(array.copy() for array in inputs))
    except NotImplementedError:
        raise
    except Exception as error:
        return error
    return None


def described(subject: Subject, report: GradientReport, inputs: tuple[np.ndarray, ...]) -> str:
    if report.passed and not report.findings:
        names = ", ".join(f"∂L/∂{check.name}" for check in report.checks)
        shapes = " and ".join(str(array.shape) for array in inputs)
        return f"{subject.name}: right; {names} equal central differences to {report.worst:.1e}, on {shapes}"
    return f"{subject.name}: {'right, with a remark' if report.passed else 'wrong'}\n{report}"


def pointed(path: Path, trace: TracebackType | None, text: str, quoted: bool = True) -> str:
    """A message with the last place in the learner's file that led to the error."""
    mine = [frame for frame in traceback.extract_tb(trace) if Path(frame.filename).resolve() == path.resolve()]
    if not mine:
        return f"{place(path)}: {text}"
    frame = mine[-1]
    where = f", in {frame.name}" if not frame.name.startswith("<") else ""
    line = linecache.getline(frame.filename, frame.lineno or 0).strip() if quoted else ""
    return f"{place(path, frame.lineno)}{where}: {line}".rstrip() + f"\n    {text}"


def place(path: Path, line: int | None = None) -> str:
    """A line of a file, or of a notebook's cell or typed code, which are not in files."""
    if path.is_file():
        return str(path) if line is None else f"{path}:{line}"
    return "your code" if line is None else f"line {line}"


def located(path: Path, subject: Subject, error: Exception) -> str:
    """The place of an error in a layer or loss, or about it: where it was raised, or the method that it is about."""
    said = message(error, path)
    text = pointed(path, error.__traceback__, said)
    method = getattr(subject.value, "backward" if "backward" in said else "forward", subject.value)
    code = getattr(getattr(method, "__func__", method), "__code__", None)
    if code is None or not text.startswith(f"{place(path)}: "):
        return text
    return f"{place(path, code.co_firstlineno)}, in {code.co_name}:\n    {said}"


if __name__ == "__main__":
    open_streams()
    sys.exit(main(sys.argv[1:]))
