"""Statements in other places: behind their neighbour, behind who reads what they change, inside of a loop or behind it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from .changes import Rewriting, bodies, put


def moved_along(node: ast.AST) -> Iterator[Rewriting]:
    """A statement that comes after its neighbour, or inside of the loop behind it, or not at all."""
    for body in bodies(node):
        if not body or not isinstance(body[0], ast.stmt):
            continue
        for i, one in enumerate(body):
            if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant):
                continue  # a docstring
            after = body[i + 1] if i + 1 < len(body) else None
            simple = isinstance(one, ast.Assign | ast.AugAssign | ast.Expr)
            if simple and isinstance(after, ast.Assign | ast.AugAssign | ast.Expr):
                yield Rewriting(
                    "line_early", one.lineno, ast.unparse(one), f"line {after.lineno}", behind_of(body, i, i + 1)
                )
            if isinstance(after, ast.For | ast.While) and isinstance(one, ast.Expr | ast.Assign):
                loop = after
                yield Rewriting(
                    "line_outside", one.lineno, ast.unparse(one), f"line {after.lineno}", inside(body, i, loop)
                )
            if isinstance(one, ast.AugAssign | ast.Expr) or (
                isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Subscript)
            ):
                gone = ast.copy_location(ast.Pass(), one)
                yield Rewriting("line_extra", one.lineno, ast.unparse(one), "", put(body, i, gone))


def deferred(node: ast.AST) -> Iterator[Rewriting]:
    """A change of what is read after it, behind the last line that reads it: W -= rate * dW before W is used."""
    for body in bodies(node):
        for i, one in enumerate(body):
            target = (
                one.target
                if isinstance(one, ast.AugAssign)
                else one.targets[0]
                if isinstance(one, ast.Assign)
                else None
            )
            name = ast.unparse(target) if target is not None else ""
            changes = isinstance(one, ast.AugAssign) or (name and reads(one.value, name))
            later = [j for j in range(i + 1, len(body)) if reads(body[j], name)] if changes else []
            if later:
                last = body[later[-1]]
                yield Rewriting(
                    "line_early", one.lineno, ast.unparse(one), f"line {last.lineno}", behind_of(body, i, later[-1])
                )


def reads(node: ast.AST, name: str) -> bool:
    """Whether a value of this name is read in a statement or expression."""
    return any(
        isinstance(one, ast.Name | ast.Attribute | ast.Subscript)
        and isinstance(one.ctx, ast.Load)
        and ast.unparse(one) == name
        for one in ast.walk(node)
    )


def behind_of(body: list, i: int, j: int) -> Callable[[], Callable[[], None]]:
    """Puts the i-th behind the j-th."""

    def make() -> Callable[[], None]:
        before = body[:]
        body.insert(j, body.pop(i))
        return lambda: body.__setitem__(slice(None), before)

    return make


def returned(node: ast.AST) -> Iterator[Rewriting]:
    """A `return` at the end of a loop, behind it."""
    for body in bodies(node):
        for i, one in enumerate(body):
            if isinstance(one, ast.For | ast.While) and isinstance(one.body[-1], ast.Return) and len(one.body) > 1:
                last = one.body[-1]
                yield Rewriting("line_returns", last.lineno, ast.unparse(last), "", behind(body, i, one))


def inside(body: list, i: int, loop: ast.For) -> Callable[[], Callable[[], None]]:
    def make() -> Callable[[], None]:
        one = body.pop(i)
        loop.body.insert(0, one)
        return lambda: (loop.body.pop(0), body.insert(i, one))

    return make


def behind(body: list, i: int, loop: ast.For) -> Callable[[], Callable[[], None]]:
    def make() -> Callable[[], None]:
        last = loop.body.pop()
        body.insert(i + 1, last)
        return lambda: (loop.body.append(last), body.pop(i + 1))

    return make
