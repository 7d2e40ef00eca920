"""One small change of a person's code, which can be made and taken back."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Rewriting:
    """One change: the kind of its finding, its line, what is written there now and what would be; `make` changes the tree, and gives
    what changes it back."""

    kind: str
    line: int
    old: str
    new: str
    make: Callable[[], Callable[[], None]]


def setter(node: ast.AST, **values: object) -> Callable[[], Callable[[], None]]:
    """Sets attributes of a node."""

    def make() -> Callable[[], None]:
        before = {name: getattr(node, name) for name in values}
        vars(node).update(values)
        return lambda: vars(node).update(before)

    return make


def changed(node: ast.AST, **values: object) -> str:
    """What would be written with other attributes of a node."""
    return shown(node, setter(node, **values))


def shown(node: ast.AST, make: Callable[[], Callable[[], None]]) -> str:
    """What would be written with a change."""
    back = make()
    text = ast.unparse(ast.fix_missing_locations(node))
    back()
    return text


def instead(node: ast.AST, make: Callable[[], Callable[[], None]]) -> Rewriting:
    """A change of what is in an expression or a statement."""
    return Rewriting("line_instead", node.lineno, ast.unparse(node), shown(node, make), make)


def bodies(node: ast.AST) -> list[list[ast.stmt]]:
    return [body for name in ("body", "orelse") if isinstance(body := getattr(node, name, None), list)]


def put(body: list, i: int, *new: ast.AST) -> Callable[[], Callable[[], None]]:
    """Puts nodes in the place of the i-th."""

    def make() -> Callable[[], None]:
        before = body[:]
        body[i : i + 1] = new
        return lambda: body.__setitem__(slice(None), before)

    return make
