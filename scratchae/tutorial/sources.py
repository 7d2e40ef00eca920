"""The library's own code as chapters print it: without machinery, and with the functions that hold the formulas."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
FORMULAS = ("layers", "losses", "penalties", "optimizers", "models", "presets", "uses")  # where formulas are written
CHECKS = ("require_", "refuse", "check_")  # how functions begin that only look at what they are given
LONGEST = 16  # lines of a function that is printed because another one calls it

SHOWN: dict[Any, tuple] = {}  # what the chapter has shown, and with what: a cell that runs again shows the same again


def codes_of(objects: tuple) -> list[tuple[str, str]]:
    """The sources of objects and their places, then those of their helpers that were not shown before."""
    for each in map(inspect.unwrap, objects):
        SHOWN.setdefault(each, objects)
    called = dict.fromkeys(helper for each in objects for helper in helpers(each))
    new = [each for each in called if inspect.unwrap(each) not in map(inspect.unwrap, objects)]
    new = [each for each in new if SHOWN.setdefault(inspect.unwrap(each), objects) == objects]
    return [code_of(each) for each in objects] + [
        (code, f"{place}, called above") for code, place in map(code_of, new)
    ]


def code_of(each: Any) -> tuple[str, str]:
    """The source of an object, unindented and folded, and the place of its definition."""
    lines, start = inspect.getsourcelines(each)
    path = Path(inspect.getsourcefile(inspect.unwrap(each)))
    place = path.relative_to(PACKAGE.parent).as_posix() if PACKAGE in path.parents else path.name
    return folded(textwrap.dedent("".join(lines))), f"{Path(place).as_posix()}, line {start}"


def folded(code: str) -> str:
    """The code with `# …` in place of what is no formula: checks of arguments, and the settings of a class."""
    lines = dict(enumerate(code.rstrip().split("\n"), 1))
    for node in ast.walk(ast.parse(code)):
        for statement in node.body if isinstance(node, ast.FunctionDef | ast.ClassDef) else ():
            if is_check(statement) or (isinstance(node, ast.ClassDef) and isinstance(statement, ast.Assign)):
                dots = " " * statement.col_offset + "# …"
                for i in range(statement.lineno, statement.end_lineno + 1):
                    lines.pop(i)
                if lines.get(statement.lineno - 1) == dots:
                    lines.pop(statement.lineno - 1)
                lines[statement.end_lineno] = dots
    return "\n".join(lines[i] for i in sorted(lines)) + "\n"


def is_check(statement: ast.stmt) -> bool:
    """Whether it does nothing but refuse arguments."""
    if isinstance(statement, ast.If):
        return all(isinstance(each, ast.Raise) or is_check(each) for each in statement.body) and not statement.orelse
    called = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(called, ast.Call) and ast.unparse(called.func).split(".")[-1].startswith(CHECKS)


def helpers(each: Any) -> list[Any]:
    """The short functions, and methods of the same class, whose results the code of an object uses."""
    plain = inspect.unwrap(each)
    module = vars(sys.modules[plain.__module__])
    owner = plain if inspect.isclass(plain) else module.get(plain.__qualname__.partition(".")[0])
    tree = list(ast.walk(ast.parse(code_of(each)[0])))
    unused = [node.value for node in tree if isinstance(node, ast.Expr)]
    found = {}
    for name in (ast.unparse(node.func) for node in tree if isinstance(node, ast.Call) and node not in unused):
        called = inspect.getattr_static(owner, name[5:], None) if name.startswith("self.") else module.get(name)
        place = getattr(called, "__module__", "").partition(".")[2]
        if inspect.isfunction(called) and place.startswith(FORMULAS) and place != "layers.layer":
            code = code_of(called)[0]
            checking = called.__name__.startswith(CHECKS) or "raise " in code or ".refuse(" in code
            if not checking and "return " in code and code.count("\n") <= LONGEST:
                found[called] = None
    return list(found)
