"""A loop over batches of examples in a new order: their targets have to be in the same order."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ..diagnosis.finding import finding
from ..styles.losses import is_target
from ..styles.text.names import plain
from ..styles.text.written import tree_of
from .result import WRONG, Result

DRAWS = re.compile(r"permut|shuffle")
EXAMPLES = re.compile(r"x|xs|data|inputs?|features?|images?|samples|x_?train|train_?x|examples")


@dataclass(frozen=True)
class Rows:
    """Rows of an array: its name, where they are cut out, x[start : start + n], and whether they are in a new order."""

    root: str
    cuts: frozenset[str]
    drawn: bool


@dataclass
class Orders(ast.NodeVisitor):
    """What the rows of each name are, line by line, and what each loop cuts out; the first two that do not belong together."""

    known: dict[str, Rows | None] = field(default_factory=dict)
    used: list[tuple[str, Rows]] = field(default_factory=list)
    amiss: tuple[str, str] | None = None

    def rows(self, node: ast.expr) -> Rows | None:
        if isinstance(node, ast.Name | ast.Attribute):
            name = ast.unparse(node)
            return self.known.get(name, Rows(name, frozenset(), False))
        if isinstance(node, ast.Call) and DRAWS.search(ast.unparse(node.func)):
            return Rows(ast.unparse(node), frozenset(), True)
        if not isinstance(node, ast.Subscript) or (base := self.rows(node.value)) is None:
            return None
        index = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
        if isinstance(index, ast.Slice):
            return Rows(base.root, base.cuts | {ast.unparse(index)}, base.drawn)
        order = self.rows(index)
        if order is None:
            return None
        return Rows(base.root, base.cuts | order.cuts, base.drawn or order.drawn)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        targets = [one for target in node.targets for one in getattr(target, "elts", [target])]
        values = getattr(node.value, "elts", [node.value] * len(targets))
        found = [self.rows(value) for value in values]
        for target, rows in zip(targets, found, strict=False):
            name = ast.unparse(target)
            other = None if self.is_drawn(node.value) else Rows(name, frozenset(), False)
            self.known[name] = rows or other

    def visit_Expr(self, node: ast.Expr) -> None:
        self.generic_visit(node)
        if isinstance(node.value, ast.Call) and DRAWS.search(ast.unparse(node.value.func)):  # in place
            self.known |= {name: Rows(name, frozenset(), True) for name in map(ast.unparse, node.value.args)}

    def is_drawn(self, node: ast.expr) -> bool:
        """Whether a new order is among what is calculated with."""
        names = {ast.unparse(one) for one in ast.walk(node) if isinstance(one, ast.Name | ast.Attribute)}
        return any(name in self.known and (self.known[name] is None or self.known[name].drawn) for name in names)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.generic_visit(node)
        rows = self.rows(node)
        if isinstance(node.ctx, ast.Load) and rows is not None and rows.cuts:
            self.used.append((ast.unparse(node), rows))

    def visit_For(self, node: ast.For) -> None:
        before, self.used = self.used, []
        drawn = self.is_drawn(node.iter) or bool(DRAWS.search(ast.unparse(node.iter)))
        for one in ast.walk(node.target):
            if isinstance(one, ast.Name):
                self.known[one.id] = Rows(one.id, frozenset(), drawn)
        for line in node.body:
            self.visit(line)
        new = {rows.root for _, rows in self.used if rows.drawn}
        for text, rows in self.used:
            for other, beside in self.used:
                data, target = name_of(rows.root), name_of(beside.root)
                alike = rows.drawn and beside.root not in new and rows.cuts & beside.cuts
                if alike and EXAMPLES.fullmatch(data) and is_target(target):
                    self.amiss = self.amiss or (text, other)
        self.used = before


def name_of(root: str) -> str:
    return plain(root.rpartition(".")[2])


def examine(function: Callable) -> Result | None:
    """Wrong if a loop cuts batches out of examples in a new order, and those of their targets out of the old."""
    orders = Orders()
    for line in (line for node in tree_of(function).body for line in getattr(node, "body", ())):
        orders.visit(line)
    if orders.amiss is None:
        return None
    data, targets = orders.amiss
    which = f"`{data}` are examples in a new order, and `{targets}` are targets in the old one, so that each example is learned with the target of another"
    return Result(WRONG, "", findings=(finding("optimizer", (), "", which=which),))
