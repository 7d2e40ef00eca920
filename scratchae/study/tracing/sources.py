"""Where a tensor is computed: the lines of the code that ran, whoever wrote it.

A statement makes what it assigns to (`self.sigma = …`, `encoding.dW += …`, `xp.matmul(…, out=self.dW)`) or gives a name in what it
returns (`return {"loss": …}`). Where formulas have another name for that, a comment behind the statement says it: `# dz`, `# u, drawn`.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from .steps import Source

ROOT = Path(__file__).parents[3]
STATEMENTS = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr)


def methods(thing: Any, ran: Iterable[tuple[int, str]]) -> list[Callable]:
    """The methods of an object that ran, in this order; behind one that speaks of `super` that of the base class."""
    found = []
    for name in (name for owner, name in ran if owner == id(thing)):
        for function in (inspect.unwrap(vars(cls)[name]) for cls in type(thing).__mro__ if name in vars(cls)):
            found.append(function)
            if "super" not in function.__code__.co_names:
                break
    return found


@contextlib.contextmanager
def noting_lines() -> Iterator[set[tuple[str, int]]]:
    """While the block runs, the lines that run are noted, as (file, number); in this thread, and not in other packages."""
    ran: set[tuple[str, int]] = set()

    def line(frame: FrameType, event: str, argument: object) -> Callable:
        if event == "line":
            ran.add((frame.f_code.co_filename, frame.f_lineno))
        return line

    def call(frame: FrameType, event: str, argument: object) -> Callable | None:
        return None if "site-packages" in frame.f_code.co_filename else line

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield ran
    finally:
        sys.settrace(before)


def source(
    functions: Iterable[Callable], name: str, last: Callable | None = None, ran: Collection[tuple[str, int]] = ()
) -> Source | None:
    """The lines that make what formulas call by a name, in the first of some functions that does: a comment that says so counts
    before a name that is assigned to, u_2 before u, dz_of_adversarial before dz. Where none does, the lines that make what `last`
    returns. Of a function that ran, only lines that did.
    """
    read = [found for function in functions if (found := parsed(function))]
    for makes in (says, assigns, gives):
        for wanted in dict.fromkeys((name, re.sub(r"_\d+$|_of_\w+$", "", name))):
            for found, statements in read:
                if places := [s for s in statements if makes(s, found, wanted)]:
                    return marked(found, executed(places, found, ran))
    if last is None or not (found := parsed(last)):
        return None
    return marked(found[0], returned(executed(found[1], found[0], ran), gradient=name[:1] == "d"))


def executed(statements: list[ast.stmt], source: Source, ran: Collection[tuple[str, int]]) -> list[ast.stmt]:
    """Those of the statements that ran; all of them if nothing is known of the function, which may have run elsewhere."""
    path = source.path if Path(source.path).is_absolute() else str(ROOT / source.path)
    lines = {number - source.first + 1 for file, number in ran if file == path}
    return [s for s in statements if lines.intersection(range(s.lineno, s.end_lineno + 1))] or statements


def returned(statements: list[ast.stmt], gradient: bool) -> list[ast.stmt]:
    """The statements that assign to the names that are returned, of a gradient after a value; where there are none, the returns."""
    returns = [statement for statement in statements if isinstance(statement, ast.Return)]
    names = set()
    for statement in returns:
        given = statement.value.elts[gradient:] if isinstance(statement.value, ast.Tuple) else [statement.value]
        names.update(item.id for item in given if isinstance(item, ast.Name))
    return [s for s in statements if s not in returns and names.intersection(targets(s))] or returns


@functools.lru_cache(256)
def parsed(function: Callable) -> tuple[Source, list[ast.stmt]] | None:
    """The lines of a function, none marked, and its statements; None where there are none to be had, as in an interactive session."""
    function = inspect.unwrap(function)  # layers' methods have a wall around them
    try:
        lines, first = inspect.getsourcelines(function)
        path = Path(inspect.getsourcefile(function) or "")
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return None
    shown = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.as_posix()
    found = Source(shown, function.__qualname__, first, tuple(line.rstrip("\n") for line in lines), ())
    return found, [node for node in ast.walk(tree) if isinstance(node, STATEMENTS)]


def marked(source: Source, statements: list[ast.stmt]) -> Source:
    lines = {source.first + line - 1 for s in statements for line in range(s.lineno, s.end_lineno + 1)}
    return replace(source, highlighted=tuple(sorted(lines)))


def says(statement: ast.stmt, source: Source, name: str) -> bool:
    """Whether the comment behind it is a list of names with this one: `# u, drawn`, or `# target: (N k, …)`."""
    _, sign, comment = source.lines[statement.end_lineno - 1].rpartition("  # ")
    found = re.fullmatch(r"(\w+(?:, \w+)*)(?:: .*)?", comment)
    return bool(sign and found) and name in found[1].split(", ")


def assigns(statement: ast.stmt, source: Source, name: str) -> bool:
    """Whether it assigns to the name, or writes into it; not counted is None, which is nothing."""
    value = getattr(statement, "value", None)
    return not (isinstance(value, ast.Constant) and value.value is None) and name in targets(statement)


def targets(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement assigns to or writes into."""
    where = getattr(statement, "targets", [getattr(statement, "target", None)])
    calls = (node for node in ast.walk(statement) if isinstance(node, ast.Call))
    where = [*where, *(keyword.value for call in calls for keyword in call.keywords if keyword.arg == "out")]
    for target in where:
        for item in target.elts if isinstance(target, ast.Tuple) else [target]:
            item = item.value if isinstance(item, ast.Subscript) else item
            yield getattr(item, "attr", None) or getattr(item, "id", "")


def gives(statement: ast.stmt, source: Source, name: str) -> bool:
    """Whether it returns a dict with this key."""
    value = getattr(statement, "value", None)
    keys = value.keys if isinstance(statement, ast.Return) and isinstance(value, ast.Dict) else []
    return any(isinstance(key, ast.Constant) and key.value == name for key in keys)
