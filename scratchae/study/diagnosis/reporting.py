"""Arrays that report every operation of a person's code, so that it can be held, or changed, in a later run."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...losses import Loss
from ...penalties import Penalty
from ..styles.layers.adapted import Adapted

Site = tuple[tuple[int, int], ...]  # the lines and places in the code, from the outside in


@dataclass
class Step:
    """One operation in a run: where it stands, what it is called, its operands and its result."""

    site: Site
    line: int
    name: str
    operands: tuple[Any, ...]
    result: np.ndarray


@dataclass
class Watcher:
    """Notes the operations of a run, or changes the results of some: `change(k, step, recompute)` gives the new result of the k-th."""

    file: str
    change: Callable[[int, Step, Callable], Any] | None = None
    steps: list[Step] = field(default_factory=list)
    count: int = 0

    def visit(self, name: str, operands: tuple[Any, ...], result: Any, recompute: Callable) -> Any:
        site, line = self.site()
        if not site or not isinstance(result, np.ndarray | np.floating):
            return result
        step = Step(site, line, name, operands, np.asarray(result))
        k, self.count = self.count, self.count + 1
        if self.change is None:
            step.operands = tuple(np.array(o) if isinstance(o, np.ndarray) else o for o in operands)
            step.result = np.array(result)
            self.steps.append(step)
            return result
        return np.asarray(self.change(k, step, recompute))[()]

    def site(self) -> tuple[Site, int]:
        frame, found, line = sys._getframe(2), [], 0
        while frame is not None:
            if frame.f_code.co_filename == self.file:
                line = line or frame.f_lineno
                found.append((frame.f_lineno, frame.f_lasti))
            frame = frame.f_back
        return tuple(reversed(found)), line


WATCHERS: list[Watcher] = []


def bare(thing: Any) -> Any:
    if isinstance(thing, Noted):
        return thing.view(np.ndarray)
    if isinstance(thing, list | tuple) and type(thing) in (list, tuple):
        return type(thing)(bare(item) for item in thing)
    return thing


def noted(thing: Any) -> Any:
    return thing.view(Noted) if type(thing) is np.ndarray and thing.dtype.kind == "f" else thing


class Noted(np.ndarray):
    """An array that reports what is done with it."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        inputs = tuple(bare(value) for value in inputs)
        if out is not None:
            return getattr(ufunc, method)(*inputs, out=tuple(bare(value) for value in out), **options)

        def compute(*values):
            return getattr(ufunc, method)(*values, **options)

        result = compute(*inputs)
        return noted(WATCHERS[-1].visit(ufunc.__name__, inputs, result, compute)) if WATCHERS else result

    def __array_function__(self, function, types, arguments, options):
        arguments, options = bare(arguments), {name: bare(value) for name, value in options.items()}

        def compute(*values):
            return function(*values, **options)

        result = compute(*arguments)
        return noted(WATCHERS[-1].visit(function.__name__, arguments, result, compute)) if WATCHERS else result


@contextlib.contextmanager
def reporting() -> Iterator[None]:
    """In the block, the values of the library's losses and penalties are operations too."""
    kinds = {kind for base in (Loss, Penalty) for kind in base.__subclasses__() if "__call__" in vars(kind)}
    calls = {kind: vars(kind)["__call__"] for kind in kinds}

    def watched(name: str, call: Callable) -> Callable:
        def reported(self, *arguments):
            value, *gradients = call(self, *arguments)
            return WATCHERS[-1].visit(name, arguments, np.float64(value), lambda *_: value), *gradients

        return reported

    for kind, call in calls.items():
        kind.__call__ = watched(kind.__name__, call)
    try:
        yield
    finally:
        for kind, call in calls.items():
            kind.__call__ = call


def file_of(subject: Any) -> str:
    """The file of a person's code."""
    thing = subject.theirs if isinstance(subject, Adapted) else subject
    for source in (
        getattr(thing, "_value", None),
        getattr(thing, "source", None),
        getattr(thing, "_factory", None),  # of functions
        thing if inspect.isroutine(thing) else type(thing),
    ):
        source = getattr(source, "func", source)  # with an option
        source = getattr(source, "source", source)  # of a table
        code = getattr(inspect.unwrap(source), "__code__", None) if callable(source) else None
        if code is None and inspect.isclass(source):
            methods = (getattr(value, "__code__", None) for value in vars(source).values())
            code = next((code for code in methods if code is not None), None)
        if code is not None:
            return code.co_filename
    return ""
