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
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from ..classes.descending import LOSSES
from ..objects.copies import duplicate, repeatable
from ..objects.paths import Path, get, keys_of_gradient, keys_of_parameter, put, walk, written
from ..text.names import stem, stems_of_gradient

Names = dict[str, Any]
LOSS = re.compile(r"(?:\w+_)?(?:loss|cost|objective|nll|mse|bce|sse|xent|energy)(?:_\w+)?|[JL]", re.I)
MEASURE = re.compile(r"abs|acc|argmax|epoch", re.I)  # what is shown beside a loss
LARGEST = 300_000  # numbers that the names of a script may hold together: each pass begins with copies of them
Value = Callable[[Names], Any]  # of the names after a pass


@dataclass(eq=False)
class Loop:
    """The statements of one pass of a loop, its lines, the names of its file, and what they are before the pass.

    changed: the arrays of floats that a pass changes, by what they are called.
    """

    body: list[ast.stmt]
    lines: range
    file: Names
    before: Names

    @property
    def name(self) -> str:
        return f"the loop in line {self.lines.start}"

    @property
    def source(self) -> Callable:
        """A function without content in the place of the loop, for what is said of it."""
        found: Names = {}
        text = "\n" * (self.lines.start - 1) + "def loop(): ..."
        exec(compile(text, self.file.get("__file__", ""), "exec"), found)
        return found["loop"]

    @functools.cached_property
    def stored(self) -> set[str]:
        """What a pass assigns itself, W of W, net.W, and params['W']."""
        nodes = ast.walk(ast.Module(self.body, []))
        return {end_of(node) for node in nodes if isinstance(getattr(node, "ctx", None), ast.Store)}

    @property
    def trains(self) -> bool:
        """Whether a pass plainly calculates gradients itself: it assigns W and dW."""
        return any(stem(name) in stems_of_gradient(other) for name in self.stored for other in self.stored)

    @functools.cached_property
    def changed(self) -> dict[str, Path]:
        after, found, seen = self.once({}), {}, set()
        for path, array in walk(self.before):
            with contextlib.suppress(Exception):
                now, old = np.asarray(get(after, path)), np.asarray(array)
                if now.shape == old.shape and old.dtype.kind == "f" and id(array) not in seen and np.any(now != old):
                    found[title(path)] = path
                    seen.add(id(array))
        return found

    def once(self, arrays: Mapping[str, np.ndarray], still: bool = False) -> Names:
        """The names after a pass with other arrays for these of those that change. still: without the lines that change them."""
        names = duplicate(self.before)
        for name, array in arrays.items():
            old = get(names, self.changed[name])
            put(names, self.changed[name], np.array(array) if isinstance(old, np.ndarray) else float(array))
        return ran(
            self.code(frozenset(end(self.changed[name]) for name in arrays) if still else frozenset()),
            self.file,
            names,
        )

    @functools.lru_cache(8)  # noqa: B019
    def code(self, ends: frozenset[str]) -> CodeType:
        return code_of(without(self.body, ends), self.file)

    def arrays(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Those that change, as they are before the pass."""
        return {name: np.array(get(self.before, self.changed[name])) for name in names}

    def values(self) -> Iterator[tuple[str, bool, Value]]:
        """What may be descended: what it is called, whether the script says that it is a loss, and how it is had of the names after a pass."""
        told = False
        for node in ast.walk(ast.Module(self.body, [])):
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
                name = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
                if LOSS.fullmatch(name) and not MEASURE.search(ast.unparse(node)):
                    begun = self.before.get(name, 0.0) if isinstance(node, ast.AugAssign) else 0.0
                    yield name, True, lambda after, n=name, begun=begun: after[n] - begun
                    told = True
            elif getattr(getattr(node, "func", None), "attr", "") == "append" and not MEASURE.search(
                ast.unparse(node)
            ):
                yield ast.unparse(node.args[0]), False, functools.partial(last, ast.unparse(node.func.value))
                told = True
        for a, y in () if told else self.differences():
            for name, (loss, _) in LOSSES.items():
                yield f"{name} with a = {a}, y = {y}", False, functools.partial(usual, loss, a, y)

    def differences(self) -> Iterator[tuple[str, str]]:
        """What a pass takes the difference of, each way round: one may be an output, the other its target."""
        for node in ast.walk(ast.Module(self.body, [])):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
                sides = ast.unparse(node.left), ast.unparse(node.right)
                if not any(isinstance(one, ast.Constant | ast.BinOp) for one in (node.left, node.right)):
                    yield from (sides, sides[::-1])

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


def last(told: str, after: Names) -> Any:
    return eval(told, after)[-1]


def usual(loss: Callable, a: str, y: str, after: Names) -> Any:
    """A usual loss of an output and its target, which have one shape."""
    outputs = [np.asarray(eval(side, after), float) for side in (a, y)]
    return loss(*outputs) if outputs[0].shape == outputs[1].shape and outputs[0].ndim else None


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
            yield from among(node.body, file, data_of(file))


def among(body: list[ast.stmt], file: Names, before: Names) -> Iterator[Loop]:
    """The loops among statements, each after what stands before it."""
    for place, line in enumerate(body):
        if isinstance(line, ast.For | ast.While):
            with contextlib.suppress(Exception):
                yield from inside(line, file, data_of(ran(code_of(body[:place], file), file, duplicate(before))))


def inside(node: ast.For | ast.While, file: Names, before: Names) -> Iterator[Loop]:
    """A loop at its first pass, after the loops in it."""
    if sum(np.size(array) for _, array in walk(before)) > LARGEST:
        return
    if isinstance(node, ast.For):
        begin = [ast.Assign([node.target], ast.parse(f"next(iter({ast.unparse(node.iter)}))", mode="eval").body)]
        before = data_of(ran(code_of(begin, file), file, duplicate(before)))
    yield from among(node.body, file, before)
    yield Loop(node.body, range(node.lineno, node.end_lineno + 1), file, before)


def code_of(body: list[ast.stmt], file: Names) -> CodeType:
    """Statements that run once, and may break and continue."""
    once = ast.For(ast.Name("_", ast.Store()), ast.Constant("1"), body or [ast.Pass()], [])
    return compile(ast.fix_missing_locations(ast.Module([once], [])), file.get("__file__", ""), "exec")


def ran(code: CodeType, file: Names, names: Names) -> Names:
    """The names of a file after code, which runs quietly with these names in place of the file's."""
    kept = dict(file)
    file.update(names)
    try:
        with contextlib.redirect_stdout(io.StringIO()), repeatable(0, names):
            exec(code, file)
        return dict(file)
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
