"""The branches of functions: what of one may not run when it does, such as what follows an `else`, and what no trial ran."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

# of conditions that ask for what is handed over, for an output alone, without a target or a ∂L/∂y, or whether something is to be printed
ASIDE = re.compile(
    r"verbose|debug|print|isinstance|hasattr|callable|dtype|logg|__name__|"
    r"(?<![.\w])(?:y\w{0,2}|t|y_\w+|targets?|labels?|g|d\w{1,5}|grad\w*|upstream|seed) is (?:not )?None",
    re.I,
)


@dataclass(frozen=True)
class Branch:
    """A list of statements and where in it the branch begins, or an expression and the name of its alternative. condition: as written."""

    owner: Any
    at: int | str
    condition: str

    @property
    def begins(self) -> ast.stmt | ast.expr:
        return self.owner[self.at] if isinstance(self.at, int) else getattr(self.owner, self.at)

    @property
    def place(self) -> tuple[int, int]:
        return self.begins.lineno, self.begins.col_offset

    @property
    def idle(self) -> bool:
        """Whether nothing that is calculated depends on it."""
        if ASIDE.search(self.condition):
            return True
        if isinstance(self.at, str):
            return isinstance(self.begins, ast.Name | ast.Constant | ast.Attribute)
        return all(map(is_idle, self.owner[self.at :]))


def is_idle(line: ast.stmt) -> bool:
    """Whether a line calculates nothing: it refuses, prints, ends, or holds some elements at a number."""
    if isinstance(line, ast.Assign):
        return isinstance(line.value, ast.Constant) and all(isinstance(one, ast.Subscript) for one in line.targets)
    if isinstance(line, ast.Expr):
        called = ast.unparse(getattr(line.value, "func", line.value))
        return isinstance(line.value, ast.Constant) or bool(re.search("print|warn|log", called))
    if isinstance(line, ast.Return):
        return line.value is None or isinstance(line.value, ast.Constant)
    return isinstance(line, ast.Pass | ast.Raise | ast.Assert | ast.Continue | ast.Break)


def branches(function: ast.FunctionDef) -> Iterator[Branch]:
    """The branches of a function, without those of functions in it, in their order."""
    yield from of_statements(function.body)


def of_statements(body: list[ast.stmt]) -> Iterator[Branch]:
    for k, line in enumerate(body):
        if isinstance(line, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        condition = ast.unparse(line.test) if isinstance(line, ast.If | ast.While) else ""
        lists = [getattr(line, name, []) for name in ("body", "orelse", "finalbody")]
        lists += [one.body for one in (*getattr(line, "handlers", ()), *getattr(line, "cases", ()))]
        for inner in filter(None, lists):
            yield Branch(inner, 0, condition)
            yield from of_statements(inner)
        if not any(lists):
            for node in ast.walk(line):
                if isinstance(node, ast.IfExp):
                    condition = ast.unparse(node.test)
                    yield from (Branch(node, name, condition) for name in ("body", "orelse"))
        elif k + 1 < len(body) and any(isinstance(node, ast.Return) for node in ast.walk(line)):
            yield Branch(body, k + 1, condition)


def not_run(function: ast.FunctionDef, ran: set[Any]) -> Iterator[ast.stmt | ast.expr]:
    """Where the branches begin that did not run, each only where it begins to branch off, without those that calculate nothing."""
    inside: set[int] = set()
    for branch in branches(function):
        if branch.place in ran or id(branch.begins) in inside:
            continue
        lines = branch.owner[branch.at :] if isinstance(branch.at, int) else [branch.begins]
        inside |= {id(node) for line in lines for node in ast.walk(line)}
        if not branch.idle:
            yield branch.begins


def functions_in(module: ModuleType) -> dict[int, ast.FunctionDef]:
    """The functions of a file as they are written, by their first lines."""
    tree = ast.parse(Path(module.__file__).read_bytes())
    return {first_line(node): node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def first_line(function: ast.FunctionDef) -> int:
    return min([function.lineno, *(one.lineno for one in function.decorator_list)])


def noted_in(branch: Branch) -> None:
    """Make a branch note its place in `__ran__` when it runs."""
    begins, noted = branch.begins, note(branch.place, branch.begins)
    if isinstance(branch.at, int):
        branch.owner.insert(branch.at, noted)
    else:
        setattr(branch.owner, branch.at, ast.copy_location(ast.BoolOp(ast.Or(), [noted.value, begins]), begins))


def note(place: Any, beside: ast.AST) -> ast.Expr:
    """`__ran__.add(place)`, as if it stood where something else stands."""
    found = ast.parse(f"__ran__.add({place})").body[0]
    for one in ast.walk(found):
        ast.copy_location(one, beside)
    return found
