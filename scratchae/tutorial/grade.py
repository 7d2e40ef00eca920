"""Grades a learner's file: `python -m scratchae.tutorial.grade FILE SECONDS`, in a separate process (cli/check.py)."""

from __future__ import annotations

import _thread
import contextlib
import importlib
import importlib.util
import inspect
import io
import json
import linecache
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any

import numpy as np

from ..environment import open_streams
from ..errors import ScratchaeError
from ..files import written_whole
from ..study.diagnosis import GradientShapeError
from ..study.diagnosis.finding import Finding
from ..study.styles.text.names import BACKWARD, FORWARD, UPDATE
from ..study.trials.optimizers import UnknownError
from ..study.trials.result import RIGHT, UNUSABLE, WRONG, Result
from ..study.trials.room import confine, confined
from .answers import AnswerError
from .chapters import folder
from .homework import TO_WRITE, summed
from .learner import load, subjects
from .looked import noting, untried
from .objects import NotCheckableError
from .operands import misfit
from .remaining import Subject, next_unlooked

INTERRUPTED = 130  # the exit code after Ctrl-C
LETTERS = 20_000  # how much of the learner's own printing to show
SHOWN = 40  # how many lines of the learner's own printing to show: forward is called some hundred times


class Printed(io.TextIOBase):
    """The output of the learner's file: the first lines are shown, the others are counted."""

    def __init__(self, stream: io.TextIOBase):
        self.stream, self.lines, self.room = stream, 0, LETTERS

    def write(self, text: str) -> int:
        if self.lines < SHOWN and self.room > 0:
            self.stream.write(text[: self.room])
            self.stream.flush()
            self.room -= len(text)
        self.lines += text.count("\n")
        return len(text)

    def report(self) -> str:
        return f"(your file printed {self.lines - SHOWN} more lines)" if self.lines > SHOWN else ""


def main(arguments: list[str]) -> int:
    """Grade a file and print the result. The exit code is 0 if it is right, 1 if it is wrong or nothing of it is written, 2 if it
    cannot be graded, or is right as far as it is written. A third argument is a file for the result, which is then not printed."""
    path, seconds = Path(arguments[0]), float(arguments[1])
    printed, process, parts = Printed(sys.stdout), os.getpid(), []
    with contextlib.redirect_stdout(printed), alarm(seconds) as ring:
        try:
            code, text = grade(path, seconds, parts)
        except KeyboardInterrupt as error:
            if not ring.is_set():
                return INTERRUPTED
            text = f"it was not done after {seconds:g} seconds: does a loop here never end?"
            code, text = UNUSABLE, pointed(path, error.__traceback__, text)
        except (Exception, SystemExit) as error:
            code, text = explained(path, error)
    if os.getpid() != process:  # the file has forked, and this is the copy
        os._exit(0)
    text = "\n".join(filter(None, (printed.report(), text)))
    if len(arguments) > 2:
        result = {"code": code, "text": text, "parts": [{"name": n, "code": c, "text": t} for n, c, t in parts]}
        with written_whole(Path(arguments[2])) as temporary:
            temporary.write_text(json.dumps(result), encoding="utf-8")
    else:
        print(text)
    return code


def explained(path: Path, error: BaseException, title: str = "") -> tuple[int, str]:
    """What an error means for the learner, and the exit code. title: a name for the answer, instead of its file's name."""
    trace, title = error.__traceback__, title or path.name
    if isinstance(error, AnswerError | GradientShapeError):
        return WRONG, f"{title}: not right yet\n{error}"
    if isinstance(error, NotImplementedError):
        text = f"{TO_WRITE}: {str(error) or 'it raises NotImplementedError'}"
        return WRONG, pointed(path, trace, text, quoted=False)
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
    return (
        str(error)
        if isinstance(error, ScratchaeError | NotCheckableError | UnknownError)
        else f"{type(error).__name__}: {error}"
    )


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


def grade(path: Path, seconds: float = 60, parts: list[tuple[str, int, str]] | None = None) -> tuple[int, str]:
    """The exit code and the words about a file. `parts` takes the name, code and words of each thing in it."""
    module, note = loaded(path, seconds / 2)
    confine()
    check = exercise(path)
    if check is not None:
        return RIGHT, praised(path.name, check(module))
    parts, ran, passed, raised = [] if parts is None else parts, set(), set(), set()
    waiting = subjects(module)
    tried = {subject.name for subject in waiting}
    np.random.seed(0)  # as each run begins, which takes less time then
    while waiting:
        for subject in waiting:
            begun = set(subject.ran)
            with noting(vars(module), begun):
                code, text = verdict(subject, path)
            line = getattr(code_of(subject.value, ()), "co_firstlineno", 0)
            if code == UNUSABLE and not begun and line in raised:
                continue  # of which it has been said what it raised
            parts.append((subject.name, code, text))
            ran |= begun if code != UNUSABLE else set()
            raised |= begun if code == UNUSABLE else set()
            passed |= begun if code == RIGHT else set()
        waiting = next_unlooked(module, ran, tried)
    for name, text in untried(module, passed, ran):
        parts.append((name, UNUSABLE, text))
    code, total = summed(parts)
    return code, "\n".join([*(text for *_, text in parts), *note, total])


def loaded(path: Path, seconds: float) -> tuple[ModuleType, list[str]]:
    """The file as a module; if it is not at its end after some time, what it has defined until then, and a note."""
    with alarm(seconds) as ring:
        try:
            return load(path), []
        except KeyboardInterrupt as error:
            module = sys.modules.get(f"_learner_{path.stem}")
            if not ring.is_set() or module is None:
                raise
            text = f'after {seconds:g} seconds the file was not at its end; what it had defined until then was checked. Put what trains behind `if __name__ == "__main__":`'
            note = pointed(path, error.__traceback__, text)
            if not subjects(module):
                raise NotCheckableError(note) from None
            return module, [note]


def praised(title: str, facts: list[str]) -> str:
    return "\n".join([f"{title}: right", *(f"  {fact}" for fact in facts)])


def exercise(path: Path) -> Callable[[ModuleType], list[str]] | None:
    """The check of an exercise of this name, from the tutorials' own folder `exercises/checks`, which has a file for each chapter.

    From nowhere else: what is found is run, and the folder of a learner's file may be anybody's.
    """
    checks = folder() / "exercises" / "checks"
    chapter = f"chapter_{path.stem[:2]}"
    if not (checks / f"{chapter}.py").is_file():
        return None
    spec = importlib.util.spec_from_file_location("_exercise_checks", checks / "__init__.py")
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # a package, whose files import each other
    return importlib.import_module(f"{spec.name}.{chapter}").CHECKS.get(path.stem)


def verdict(subject: Subject, path: Path) -> tuple[int, str]:
    """The exit code and the words about one thing in the file. What goes wrong in one hides none of the others."""
    try:
        with np.errstate(all="ignore"):  # what overflows is told by the numbers
            result = subject.check()
    except (NotImplementedError, SystemExit) as error:
        code, text = explained(path, error)
        return code, f"{subject.name}: {text}"
    except Exception as error:
        return UNUSABLE, located(path, subject, error)
    text = said(result, subject, path)
    if result.code == RIGHT and getattr(result.layer, "untrained", ()):
        return UNUSABLE, text  # a parameter of which no gradient was found has not been checked
    return result.code, text


def said(result: Result, subject: Subject, path: Path) -> str:
    """A result in words, with the line to look at."""
    if result.code == UNUSABLE:
        called = f"\n    {subject.name} was called with shape {result.shape}" if result.shape else ""
        way_out = f"{called}; if it needs another shape, write an input `x = …` into the file, or in Python call check(layer, x)"
        return located(path, subject, result.error) + (
            way_out
            if not result.tried.trials and not isinstance(result.error, NotCheckableError | UnknownError)
            else ""
        )
    where = f", {result.where}" if result.where else ""
    if isinstance(result.error, GradientShapeError):
        return f"{subject.name}: wrong{where}\n{result.error}\n  {starts(path, subject, ())}"
    if result.code == WRONG and result.error is not None:
        return f"{subject.name}: wrong{where}\n{located(path, subject, result.error)}\n{result.tried}"
    findings = result.findings or (result.report.findings if result.report else ())
    if result.code == WRONG:
        body = str(result.report) if result.report else "\n".join(map(str, findings))
        return f"{subject.name}: wrong{where}\n{body}\n  {starts(path, subject, findings)}"
    return praise(result, subject, findings)


def praise(result: Result, subject: Subject, findings: Sequence[Finding]) -> str:
    """What is right, and what was and was not looked at."""
    remarks = "".join(f"\n{found}" for found in findings)
    if result.report is None:
        title = "right, with a remark" if findings else "right"
        return f"{subject.name}: {title}; {result.text or 'its steps are those of the definition'}\n  {result.tried}{remarks}"
    names = ", ".join(f"∂L/∂{check.name}" for check in result.report.checks)
    on = f", on {result.tried.shapes[0]}" if result.tried.shapes else ""
    fact = f"{names} equal central differences to {result.report.worst:.1e}{on}"
    others = getattr(result.layer, "unmatched", None) or {}
    unseen = getattr(result.layer, "untrained", ())
    if unseen:
        fact += f"\n  not checked: {', '.join(unseen)}, of which backward leaves no gradient (self.d{unseen[0]} = …, or self.grads[{unseen[0]!r}])"
    elif others:
        fact += f"\n  taken for constants, because backward leaves no gradient of them: {', '.join(others)}"
    only = "".join(f", {one}" for one in result.tried.only)
    title = (
        f"right only{only[1:]}"
        if only
        else "right, with a remark"
        if findings
        else "right in part"
        if unseen
        else "right"
    )
    return f"{subject.name}: {title}; {fact}\n  {result.tried}{remarks}"


def starts(path: Path, subject: Subject, findings: Sequence[Finding]) -> str:
    """Where the code that is wrong begins."""
    kinds = {found.kind for found in findings}
    names = (
        (*UPDATE, "fit", "train")
        if "optimizer" in kinds
        else FORWARD
        if kinds & {"running_average", "mask_scale"}
        else BACKWARD
    )
    code = code_of(subject.value, names)
    return f"in {place(path, code.co_firstlineno)}, {code.co_name}" if code is not None else f"in {place(path)}"


def code_of(thing: Any, methods: tuple[str, ...]) -> CodeType | None:
    """The code of the first of these methods, or of a function itself."""
    functions = [getattr(thing, name, None) for name in methods] + [thing]
    inner = (inspect.unwrap(getattr(f, "__func__", f)) for f in functions if callable(f))
    codes = (getattr(f, "__code__", None) for f in inner)
    return next((code for code in codes if code is not None), None)


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


def located(path: Path, subject: Subject, error: BaseException) -> str:
    """The place of an error in a layer or loss, or about it: where it was raised, or the method that it is about."""
    said = message(error, path)
    text = pointed(path, error.__traceback__, said)
    code = code_of(subject.value, BACKWARD if "backward" in said else FORWARD)
    if code is None or not text.startswith(f"{place(path)}: "):
        return text
    return f"{place(path, code.co_firstlineno)}, in {code.co_name}:\n    {said}"


if __name__ == "__main__":
    open_streams()
    confined()
    ended = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(ended)  # whatever threads the file has left running
