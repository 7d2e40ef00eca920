"""Steps along the gradients that one call gives: all of them go down, or all up."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ..diagnosis.finding import finding
from ..styles.text.written import called_rate, changes_in, factors
from .result import WRONG, Result

# where some parameters go up on purpose, while others go down
BOTH_WAYS = re.compile(
    r"ascen[dt]|maximi|adversar|revers|dual|lagrang|minimax|saddle|multiplier|generator|discriminat|critic", re.I
)


def examine(body: list[ast.stmt], text: str) -> Result | None:
    """Wrong if one parameter takes a step in another direction than the others, two or more, with gradients of the same call. text: of its
    file."""
    tree = ast.Module(body, [])
    given: dict[str, str] = {}  # the names of gradients, and what gives them
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            called = ast.unparse(node.value)
            given |= {getattr(one, "id", ""): called for one in getattr(node.targets[0], "elts", ())}
    found: dict[str, dict[str, list[str]]] = {}
    for target, sign, slope in steps(tree):
        if source := given.get(getattr(slope, "id", "")) or base(slope):
            ways = found.setdefault(source, {"+": [], "-": []})
            ways[sign] += [target] if target not in ways[sign] else []
    for ways in found.values():
        few, many = sorted(ways, key=lambda sign: len(ways[sign]))
        if len(ways[few]) == 1 and len(ways[many]) > 1 and not BOTH_WAYS.search(text):
            words = {"-": "is taken off", "+": "is added to"}
            which = f"a gradient {words[few]} {ways[few][0]}, and {words[many]} {', '.join(ways[many])}"
            return Result(WRONG, "", findings=(finding("optimizer", (), "", which=which),))
    return None


def steps(tree: ast.AST) -> Iterator[tuple[str, str, ast.expr]]:
    """What changes by a rate times something: what is changed, the sign, and that something."""
    for target, op, value, of in changes_in(tree):
        parts = factors(value)
        rest = [one for one in parts if not (called_rate(one) or isinstance(one, ast.Constant))]
        alike = isinstance(op, ast.Add | ast.Sub) and ast.unparse(of) == ast.unparse(target)
        if alike and len(parts) == 2 and len(rest) == 1:
            yield ast.unparse(target), "+" if isinstance(op, ast.Add) else "-", rest[0]


def base(slope: ast.expr) -> str:
    """grads of grads["W"]."""
    named = isinstance(slope, ast.Subscript) and isinstance(slope.slice, ast.Constant)
    return getattr(slope.value, "id", "") if named else ""
