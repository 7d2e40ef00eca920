"""Right code in many styles, drawn at random, and the same with one slip that a machine makes.

The files hold right layers, losses and optimizers, each written after the manner of courses and well-known repositories. `right` varies
their names, numbers and inputs. `slips` changes one place of a derivative or an update: an operator, a constant, an axis, a transpose, a
name, an index, `+=` for `=`, or a term left out. No rule of the diagnosis says which; a slip that changes no number is none.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

HEAD = "import numpy as np\n\n"
# other names for the same thing
NAMES = (
    (r"\bdy\b", ("dout", "grad_output", "delta", "dvalues", "upstream", "g_out")),
    (r"\bself\.x\b", ("self.input", "self._x", "self.X", "self.saved")),
    (r"\bself\.y\b", ("self.output_", "self.out", "self._y", "self.act")),
)
# methods and functions that hold a derivative or an update
DERIVED = re.compile(
    r"backward|gradient|prime|derivative|update|step|sgd|adam|loss|mse|mae|bce|kl|penalty|decay|sparsity|ridge|entropy|squared|logistic"
)
NOT_CHANGED = {"__init__", "forward", "__call__", "zero_grad", "pre_update_params", "post_update_params"}


def sources() -> dict[str, str]:
    """The code of each example, by the name of its file and its own."""
    found = {}
    for file in sorted(Path(__file__).parent.glob("*.txt")):
        for part in file.read_text(encoding="utf-8").split("=== ")[1:]:
            name, _, code = part.partition("\n")
            found[f"{file.stem}/{name}"] = code
    return found


def right(count: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """So many right files: the name of what was drawn, and the code."""
    every = list(sources().items())
    for case in range(count):
        rng = np.random.default_rng([seed, case])
        name, code = every[case % len(every)]
        yield name, HEAD + varied(code, rng)


def varied(code: str, rng: np.random.Generator) -> str:
    """The same code with other names, other numbers for its weights, and now and then an instance or a single-precision weight."""
    for pattern, others in NAMES:
        other = others[rng.integers(len(others))]
        bare = other.rpartition(".")[2]
        if rng.random() < 0.5 and not re.search(rf"\b{re.escape(bare)}\b", code):
            code = re.sub(pattern, other, code)
    if rng.random() < 0.2:
        code = code.replace("0.5 * np.random.randn", "0.1 * np.random.randn")
    return f"np.random.seed({rng.integers(1000)})\n{code}"


def slips(count: int, seed: int = 0) -> Iterator[tuple[str, str, str, str]]:
    """So many files with one slip: where, the right code, the wrong code, and what was changed."""
    every = [(name, code) for name, code in sources().items()]
    for case in range(count):
        rng = np.random.default_rng([seed, 1, case])
        name, code = every[case % len(every)]
        before = HEAD + varied(code, rng)
        changes = list(changed(before))
        if changes:
            after, what = changes[rng.integers(len(changes))]
            yield name, before, after, what


def changed(code: str) -> Iterator[tuple[str, str]]:
    """Every way to change one place."""
    tree = ast.parse(code)
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        if function.name in NOT_CHANGED or not DERIVED.search(function.name.lower()) or "forward" in function.name:
            continue
        settings = {
            id(n)
            for call in ast.walk(function)
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("setdefault")
            for n in ast.walk(call)
        }
        for node in ast.walk(function):
            if id(node) in settings:
                continue
            for new in others(node, function):
                twin, target = copy.deepcopy(tree), None
                for old, candidate in zip(ast.walk(tree), ast.walk(twin), strict=True):
                    if old is node:
                        target = candidate
                text = ast.unparse(node), ast.unparse(new)
                yield ast.unparse(Replace(target, new).visit(twin)), f"{text[0]} -> {text[1]}"


class Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST):
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return ast.copy_location(self.new, node) if node is self.old else self.generic_visit(node)


SWAPS = {ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,)}
COMPARED = {ast.Gt: ast.Lt, ast.Lt: ast.Gt, ast.GtE: ast.LtE, ast.LtE: ast.GtE}


def others(node: ast.AST, function: ast.FunctionDef) -> Iterator[ast.AST]:
    """What may stand in the place of a node."""
    if isinstance(node, ast.BinOp):
        for kind in SWAPS.get(type(node.op), ()):
            yield ast.BinOp(node.left, kind(), node.right)
        if not isinstance(node.op, ast.MatMult):
            yield node.left
            if isinstance(node.op, ast.Add | ast.Mult):
                yield node.right
    elif (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant)
    ):
        yield node.operand
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    elif isinstance(node, ast.Attribute) and node.attr in ("sum", "mean"):
        yield ast.Attribute(node.value, "mean" if node.attr == "sum" else "sum", ast.Load())
    elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
        yield ast.AugAssign(node.target, ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(), node.value)
        if isinstance(node.op, ast.Add):
            yield ast.Assign([node.target], node.value, lineno=node.lineno)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
        yield ast.Compare(node.left, [COMPARED[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float) and abs(node.value) > 1e-3:
        yield ast.Constant(node.value + 1)
        yield ast.Constant(node.value / 2 if isinstance(node.value, float) else node.value - 1)
    elif (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
        and isinstance(node.ctx, ast.Load)
    ):
        called = {id(c.func) for c in ast.walk(function) if isinstance(c, ast.Call)}
        names = {
            n.attr
            for n in ast.walk(function)
            if isinstance(n, ast.Attribute)
            and isinstance(n.value, ast.Name)
            and n.value.id == "self"
            and isinstance(n.ctx, ast.Load)
            and id(n) not in called
        }
        if id(node) not in called:
            yield from (ast.Attribute(node.value, name, ast.Load()) for name in sorted(names - {node.attr}))
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("sqrt", "exp", "tanh")
        and node.args
    ):
        yield node.args[0]
