"""A loop that trains, in a script: what one pass of it calculates from the arrays that it changes, and what it takes off them.

for epoch in range(1000):
    out = sigmoid(X @ W)
    loss = np.mean((out - y) ** 2)                          the value: a name, or what a list gets; or a usual loss of out and y
    dW = X.T @ (2 * (out - y) * out * (1 - out)) / len(y)   the gradient, by its name
    W -= 0.1 * dW                                           the step: what is taken off is a multiple of the gradient
"""

from __future__ import annotations

import ast
import contextlib
import copy
import functools
import inspect
import io
import operator
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from ..classes.descending import LOSSES, usual_loss
from ..objects.copies import duplicate, repeatable
from ..objects.paths import Path, get, keys_of_gradient, keys_of_parameter, put, walk, written
from ..text.names import RATES, plain, stem, stems_of_gradient
from ..text.written import passed_on

Names = dict[str, Any]
LOSS = re.compile(r"(?:\w+_)?(?:loss|cost|objective|nll|mse|bce|sse|xent|energy)(?:_\w+)?|[JL]", re.I)
MEASURE = re.compile(r"abs|acc|argmax|epoch", re.I)  # what is shown beside a loss
LARGEST = 300_000  # numbers that the names of a script may hold together: each pass begins with copies of them


@dataclass(eq=False)
class Loop:
    """The statements of one pass of a loop, its lines, the names of its file, and what they are before the pass.

    changed: the arrays of floats that a pass changes, by what they are called.
    """

    body: list[ast.stmt]
    lines: range
    file: Names
    before: Names

    @functools.cached_property
    def stored(self) -> set[str]:
        """What a pass assigns itself, W of W, net.W, and params['W']."""
        return {name for name, _ in assignments(self.body)}

    @functools.cached_property
    def changed(self) -> dict[str, Path]:
        found, seen = {}, set()
        for path, array in walk(self.once({})):
            with contextlib.suppress(Exception):
                old, now = get(self.before, path), np.asarray(array)
                number = isinstance(old, int) and not isinstance(old, bool)  # such as b = 0
                if np.shape(old) != now.shape or not (number or np.asarray(old).dtype.kind == "f") or id(old) in seen:
                    continue
                if np.any(now != old):
                    found[title(path)] = path
                    seen |= set() if number else {id(old)}
        return found

    def once(self, arrays: Mapping[str, np.ndarray], still: bool = False) -> Names:
        """The names after a pass with other arrays for these of those that change. still: without the lines that change them."""
        names = duplicate(self.before)
        for name, array in arrays.items():
            old = get(names, self.changed[name])
            put(names, self.changed[name], np.array(array) if isinstance(old, np.ndarray) else float(array))
        ends = frozenset(end(self.changed[name]) for name in arrays) if still else frozenset()
        return self.file | ran(code_of(self.body, self.file, ends).replace(co_name=self.key[0]), self.file, names)

    @property
    def key(self) -> tuple[str, int]:
        return key_at(self.lines.start)

    def put(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """Puts other statements in the place of those of the pass, and gives those."""
        before, self.body = self.body, body
        compiled.cache_clear()
        return before

    def arrays(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Those that change, as they are before the pass."""
        return {name: np.array(get(self.before, self.changed[name]), float) for name in names}

    def gradients(self, after: Names, names: Collection[str]) -> dict[str, np.ndarray]:
        """The arrays after a pass that are the gradients of these, by their places and names: net.dW of net.W, and grads['W'] of W."""
        keys = {name: keys_of_parameter(self.changed[name]) for name in names}
        found = {}
        for path, array in walk(data_of(after)):
            if title(path) not in names and not isinstance(path[-1][1], int):
                found |= {
                    name: np.asarray(array)
                    for name in names
                    if name not in found and keys[name] & keys_of_gradient(path)
                }
        return found


def values(body: list[ast.stmt]) -> Iterator[tuple[str, str, Callable[[Loop, Names], Any]]]:
    """What a pass may descend: what it is called; whether its name is that of a loss, it is kept in a list or comes with gradients, or
    a usual one; how it is had."""
    told = False
    for node in ast.walk(ast.Module(body, [])):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            name = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            if LOSS.fullmatch(name) and not MEASURE.search(ast.unparse(node)):
                yield name, "named", functools.partial(grown if isinstance(node, ast.AugAssign) else named, name)
                told = True
            elif name[0] == "(" and isinstance(node.value, ast.Call):  # value, gradient = loss(x @ w, y)
                name = ast.unparse(node.targets[0].elts[0])
                yield name, "kept", functools.partial(named, name)
        elif getattr(getattr(node, "func", None), "attr", "") == "append" and not MEASURE.search(ast.unparse(node)):
            place = ast.unparse(node.func.value)
            if place not in passed_on(body):
                yield ast.unparse(node.args[0]), "kept", functools.partial(last, place)
                told = True
    for a, y in () if told else differences(body):
        for name in LOSSES:
            yield f"{name} with a = {a}, y = {y}", "usual", functools.partial(usual, name, a, y)


def differences(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """What a pass takes the difference of, each way round: one may be an output, the other its target."""
    for node in ast.walk(ast.Module(body, [])):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            sides = ast.unparse(node.left), ast.unparse(node.right)
            if not any(isinstance(one, ast.Constant | ast.BinOp) for one in (node.left, node.right)):
                yield from (sides, sides[::-1])
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Sub) and ast.unparse(node.value) in "1.0":
            yield from ((out, y) for out, y in chosen(node.target, body))


def chosen(target: ast.expr, body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """p and y of d = p.copy(); d[np.arange(n), y] -= 1."""
    index = getattr(getattr(target, "slice", None), "elts", [])
    for name, value in assignments(body) if len(index) == 2 else ():
        if name == end_of(target):
            of_copy = isinstance(value, ast.Call) and getattr(value.func, "attr", "") == "copy"
            out = (value.args[0] if value.args else value.func.value) if of_copy else value
            yield ast.unparse(out), ast.unparse(index[1])


def named(told: str, loop: Loop, after: Names) -> Any:
    return eval(told, after)


def grown(told: str, loop: Loop, after: Names) -> Any:
    """What was added to a sum over several passes."""
    return eval(told, after) - eval(told, loop.file | loop.before)


def last(told: str, loop: Loop, after: Names) -> Any:
    return eval(told, after)[-1]


def usual(loss: str, a: str, y: str, loop: Loop, after: Names) -> Any:
    """A usual loss of an output and its target, which have one shape; or classes, one for each row."""
    return usual_loss(loss, *(np.asarray(eval(side, after)) for side in (a, y)))


def key_at(line: int) -> tuple[str, int]:
    """What the code of a pass of the loop in a line is called, and its first line."""
    return f"the loop in line {line}", 1


def trains(body: list[ast.stmt]) -> bool:
    """Whether statements plainly calculate gradients themselves: they assign W, and dW = x.T @ dy; or take a product off, W -= x.T @ dy."""
    slopes = {name for name, value in assignments(body) if calculates(value)}
    taken_off = [node.value for node in ast.walk(ast.Module(body, [])) if isinstance(node, ast.AugAssign)]
    return any(stem(name) in stems_of_gradient(slope) for name, _ in assignments(body) for slope in slopes) or any(
        isinstance(getattr(one, "op", None), ast.MatMult) or getattr(one, "attr", "") == "dot"
        for value in taken_off
        for one in ast.walk(value)
    )


def steps(body: list[ast.stmt]) -> bool:
    """Whether statements plainly take a step: they change something by a calculation with a learning rate."""
    return any(
        calculates(value) and any(plain(end_of(one)) in RATES for one in ast.walk(value) if isinstance(one, ast.expr))
        for _, value in assignments(body)
    )


def assignments(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    """What is assigned, W of W, net.W and params['W'], and what to it."""
    for node in ast.walk(ast.Module(body, [])):
        if isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for one in (one for target in targets for one in getattr(target, "elts", [target])):
                yield end_of(one), node.value


def calculates(value: ast.expr) -> bool:
    return any(
        isinstance(one, ast.BinOp) or ast.unparse(one) in ("np.dot", "np.sum", "np.mean") for one in ast.walk(value)
    )


def title(path: Path) -> str:
    """W of the names of a script, and net.W and params['W'] of what they hold."""
    inner = written(path[1:])
    return f"{path[0][1]}{'' if inner[:1] in ('', '[') else '.'}{inner}"


def end(path: Path) -> str:
    return [key for _, key in path if isinstance(key, str)][-1]


def data_of(file: Names) -> Names:
    """Arrays, numbers, and objects of a file's own classes, without functions, classes and modules."""
    return {
        name: value
        for name, value in file.items()
        if not (name.startswith("__") or isinstance(value, ModuleType | type) or inspect.isroutine(value))
    }


def loops_of(file: Names, text: bytes) -> Iterator[Loop]:
    """The loops of a script, those inside of others first: at the level of its file, where they have run and their names are there, and
    where it is run as a program, where the lines before them run first."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.For | ast.While):
            yield from inside(node, file, data_of(file))
        elif isinstance(node, ast.If) and "__main__" in ast.unparse(node.test):
            yield from loops_among(node.body, file, data_of(file))


def loops_among(body: list[ast.stmt], file: Names, before: Names) -> Iterator[Loop]:
    """The loops among statements, each after what stands before it."""
    for place, line in enumerate(body):
        if isinstance(line, ast.For | ast.While):
            with contextlib.suppress(Exception):
                yield from inside(line, file, ran(code_of(body[:place], file), file, duplicate(before)))


@functools.lru_cache(64)
def first_of(node: ast.For) -> ast.stmt:
    return ast.Assign([node.target], ast.parse(f"next(iter({ast.unparse(node.iter)}))", mode="eval").body)


def inside(node: ast.For | ast.While, file: Names, before: Names) -> Iterator[Loop]:
    """A loop at its first pass, after the loops in it."""
    if sum(np.size(array) for _, array in walk(before)) > LARGEST:
        return
    if isinstance(node, ast.For):
        before = ran(code_of([first_of(node)], file), file, duplicate(before))
    yield from loops_among(node.body, file, before)
    yield Loop(node.body, range(node.lineno, node.end_lineno + 1), file, before)


class Ending(ast.NodeTransformer):
    """What ends a function, ends a pass."""

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        return ast.copy_location(ast.Break(), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        return node


@dataclass(frozen=True, eq=False)
class Statements:
    """Statements that are the same while they are the same objects."""

    body: tuple[ast.stmt, ...]

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.body)))

    def __eq__(self, other: Any) -> bool:
        return len(self.body) == len(other.body) and all(map(operator.is_, self.body, other.body))


def code_of(body: Iterable[ast.stmt], file: Names, ends: frozenset[str] = frozenset()) -> CodeType:
    """Statements that run once, and may break and continue, without those that change what these names end."""
    return compiled(Statements(tuple(body)), file.get("__file__", ""), ends)


@functools.lru_cache(64)
def compiled(statements: Statements, file: str, ends: frozenset[str]) -> CodeType:
    body = without(list(statements.body), ends)
    once = ast.For(ast.Name("_", ast.Store()), ast.Constant("1"), body or [ast.Pass()], [])
    tree = ast.fix_missing_locations(Ending().visit(ast.Module([once], [])))
    return compile(tree, file, "exec")


def ran(code: CodeType, file: Names, names: Names) -> Names:
    """Those names, and others that are new, after code that runs quietly with these names in place of those of a file."""
    kept = dict(file)
    file.update(names)
    try:
        with contextlib.redirect_stdout(io.StringIO()), repeatable(0, names):
            exec(code, file)
        return {name: value for name, value in file.items() if name in names or kept.get(name) is not value}
    finally:
        file.clear()
        file.update(kept)


def without(body: list[ast.stmt], ends: Collection[str]) -> list[ast.stmt]:
    """The statements without those that change what these names end."""

    class Leaving(ast.NodeTransformer):
        def visit_Assign(self, node: ast.Assign) -> ast.stmt:
            targets = [one for target in node.targets for one in getattr(target, "elts", [target])]
            return ast.copy_location(ast.Pass(), node) if any(end_of(one) in ends for one in targets) else node

        def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
            return ast.copy_location(ast.Pass(), node) if end_of(node.target) in ends else node

    return Leaving().visit(ast.Module(copy.deepcopy(body), [])).body


def end_of(node: ast.expr) -> str:
    """W of W, net.W, params["W"], W[0] and W[:]."""
    if isinstance(node, ast.Subscript):
        key = node.slice
        return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else end_of(node.value)
    return getattr(node, "attr", getattr(node, "id", ""))
