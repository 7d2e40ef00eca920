"""A loop that trains: gradients that backward adds up have to be set to 0 as often as a step is made with them."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator

from ..diagnosis.finding import finding
from ..styles.text.names import BACKWARD, UPDATE, ZEROING
from ..styles.text.written import called_rate, factors, taken_off_in, text_of, tree_of
from . import directions, orders
from .result import WRONG, Result

LOOPS = ast.For | ast.While
SETS_ZERO = re.compile(r"zero|fill\(0|= ?0\.?(?:0*)?$|\[\.\.\.\] = 0", re.M)


def examine(function: Callable) -> Result | None:
    """Wrong if each round of a loop makes a step, and the gradients are set to 0 only outside of it, while backward adds to them."""
    tree = tree_of(function)
    for loop in (node for node in ast.walk(tree) if isinstance(node, LOOPS)):
        targets = {node.id for node in ast.walk(getattr(loop, "target", loop.body[0])) if isinstance(node, ast.Name)}
        backwards = [node for node in calls(loop, BACKWARD, nested=False) if not names_in(node) & targets]
        steps = [*map(ast.unparse, calls(loop, UPDATE)), *(ast.unparse(one) for one in taken_off(loop))]
        if not (backwards and steps) or [*calls(loop, ZEROING)] or not [*calls(tree, ZEROING)]:
            continue
        if adds_up(function) and not sets_zero(function, [node.func.attr for node in calls(loop, UPDATE)]):
            evidence = f"`{ast.unparse(backwards[0])}` and the step run in each round of `{ast.unparse(loop).splitlines()[0]}`, and what sets the gradients to 0 does not"
            return Result(WRONG, "", findings=(finding("zeroed_too_seldom", (), evidence),))
    lines = [line for node in tree.body for line in getattr(node, "body", ())]
    others = directions.examine(lines, text_of(sys.modules.get(function.__module__)))
    return never(function) or orders.examine(function) or others


def never(function: Callable) -> Result | None:
    """Wrong if a loop makes steps with gradients that backward adds up, and the file has what sets them to 0, and never calls it."""
    loops = [node for node in ast.walk(tree_of(function)) if isinstance(node, LOOPS)]
    loop = next((one for one in loops if [*calls(one, BACKWARD)] and [*calls(one, UPDATE)]), None)
    if loop is None or not adds_up(function):
        return None
    rest = ast.parse(text_of(sys.modules[function.__module__]))
    unused = set()
    for cls in (node for node in ast.walk(rest) if isinstance(node, ast.ClassDef)):
        parts = [one for one in cls.body if isinstance(one, ast.FunctionDef)]
        unused |= {one.name for one in parts if one.name in ZEROING}
        cls.body = [one for one in cls.body if getattr(one, "name", "") not in (*ZEROING, "__init__")]
    if not unused or [*calls(rest, ZEROING)] or SETS_ZERO.search(ast.unparse(rest)):
        return None
    evidence = f"`{ast.unparse(next(calls(loop, UPDATE)))}` runs in each round of `{ast.unparse(loop).splitlines()[0]}`, and nothing calls {' or '.join(sorted(unused))}"
    return Result(WRONG, "", findings=(finding("zeroed_too_seldom", (), evidence),))


def calls(tree: ast.AST, names: tuple[str, ...], nested: bool = True) -> Iterator[ast.Call]:
    """The calls of methods of these names; nested: those in loops within too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
            yield node
        if nested or not isinstance(node, LOOPS):
            yield from calls(node, names, nested)


def names_in(call: ast.Call) -> set[str]:
    """The names in what has the method that is called."""
    return {node.id for node in ast.walk(call.func) if isinstance(node, ast.Name)}


def taken_off(loop: ast.AST) -> Iterator[ast.expr]:
    """What is taken off in a loop and multiplied by a learning rate."""
    return (value for value in taken_off_in(loop) if any(map(called_rate, factors(value))))


def classes_of(function: Callable) -> list[type]:
    file = vars(sys.modules[function.__module__])
    return [value for value in file.values() if inspect.isclass(value) and value.__module__ == function.__module__]


def adds_up(function: Callable) -> bool:
    """Whether a backward of the file adds to what an object holds, and does not set it to 0 itself."""
    texts = [text_of(vars(cls)[name]) for cls in classes_of(function) for name in BACKWARD if name in vars(cls)]
    return any(re.search(r"self\.[^=\n]*\+=", text) for text in texts) and not any(map(SETS_ZERO.search, texts))


def sets_zero(function: Callable, names: list[str]) -> bool:
    """Whether a step of one of these names sets the gradients to 0 itself."""
    return any(
        SETS_ZERO.search(text_of(vars(cls)[name]))
        for cls in classes_of(function)
        for name in names
        if name in vars(cls)
    )
