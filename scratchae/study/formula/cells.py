"""How one number of a result comes about: which numbers of which operands, in what arithmetic.

`lower` turns a formula into a recipe for the number at index [i0, i1, …] of its result, in lists that JSON can hold, for a
page to follow in the reader's browser:

    ["num", 2]                          a number
    ["option", "lr", 0.5]               a number with a name
    ["cell", "x", [index, …]]           a number of an operand
    ["add", recipe, recipe]             any elementwise function of values.py, by its name
    ["sum", [["k0", 3], …], recipe]     the sum over k0 = 0 … 2; also "mean", "max"
    ["if", [condition, …], recipe, 0]   the recipe where all conditions hold, else the number; in a sum such a term is left out
    ["first_max", ["k0", 4], recipe, index]     1 if the recipe at k0 = index is the first of the largest, else 0
    ["largest", [["k0", 9]], recipe, recipe, k] 1 if the second recipe is at least the k-th largest of the first's, else 0

An index is a whole number, a variable, or ["+" | "-" | "*" | "//" | "%", index, index]; a condition ["in", index, size],
0 ≤ index < size, or ["even", index, s], index divisible by s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .tree import Node
from .values import ELEMENTWISE, REDUCTIONS, Evaluation

Index = Any  # int, str or [operator, Index, Index]
Recipe = list


class Lowering:
    """Recipes for the numbers of a formula whose shapes an evaluation has found."""

    def __init__(self, evaluation: Evaluation):
        self.shapes, self.plain, self.variables = evaluation.shapes, evaluation.plain, 0

    def shape(self, node: Node) -> tuple[int, ...]:
        return self.shapes[node]

    def variable(self) -> str:
        self.variables += 1
        return f"k{self.variables - 1}"

    def at(self, node: Node, index: Sequence[Index]) -> Recipe:
        """The recipe for a node's number at an index, which broadcasts as NumPy does."""
        shape = self.shape(node)
        index = [0 if size == 1 else i for size, i in zip(shape, index[len(index) - len(shape) :], strict=True)]
        if node in self.plain:
            value = self.plain[node]
            if node.op in ELEMENTWISE:
                return [node.op, *(self.at(arg, []) for arg in node.args)]
            return ["option", node.value, value] if node.op == "name" else ["num", value]
        if node.op == "name":
            return ["cell", node.value, index]
        if node.op in ELEMENTWISE:
            return [node.op, *(self.at(arg, index) for arg in node.args)]
        if node.op in REDUCTIONS:
            return self.reduction(node, index)
        return getattr(self, node.op)(node, index)

    def reduction(self, node: Node, index: Sequence[Index]) -> Recipe:
        inner, options = self.shape(node.args[0]), dict(node.value or ())
        axes = range(len(inner)) if options.get("axis") is None else [options["axis"] % len(inner)]
        over = [[self.variable(), inner[axis]] for axis in axes]
        where, rest = dict(zip(axes, (variable for variable, _ in over), strict=True)), list(index)
        if options.get("keepdims"):
            rest = [i for axis, i in enumerate(rest) if axis not in where]
        full = [where[axis] if axis in where else rest.pop(0) for axis in range(len(inner))]
        return [node.op, over, self.at(node.args[0], full)]

    def matmul(self, node: Node, index: Sequence[Index]) -> Recipe:
        left, right = node.args
        k = self.variable()
        rows = index if len(self.shape(right)) == 1 else index[:-1]
        of_left = [*rows[len(rows) + 1 - len(self.shape(left)) :], k]
        of_right = [*index[: len(self.shape(right)) - 2], k, index[-1]] if len(self.shape(right)) > 1 else [k]
        # the weight before what it weighs, as in w₁x₁ + w₂x₂, though the matrices stand the other way round in x W
        return ["sum", [[k, self.shape(left)[-1]]], ["mul", self.at(right, of_right), self.at(left, of_left)]]

    def T(self, node: Node, index: Sequence[Index]) -> Recipe:
        *examples, row, column = index  # of each example's matrix
        return self.at(node.args[0], [*examples, column, row])

    def slice(self, node: Node, index: Sequence[Index]) -> Recipe:
        inner, moved = self.shape(node.args[0]), list(index)
        for axis, bound in enumerate(node.args[1::2]):
            start, _, _ = slice(self.plain[bound], None).indices(inner[axis])
            moved[axis] = add(index[axis], start)
        return self.at(node.args[0], moved)

    def joined(self, node: Node, index: Sequence[Index]) -> Recipe:
        return self.one_of(node, index, -1)

    def stacked(self, node: Node, index: Sequence[Index]) -> Recipe:
        return self.one_of(node, index, 0)

    def one_of(self, node: Node, index: Sequence[Index], axis: int) -> Recipe:
        """The number of the first or of the second argument, which stand one behind the other along an axis."""
        left, right = node.args
        width, past = self.shape(left)[axis], list(index)
        past[axis] = add(index[axis], -width)
        first = ["if", [["in", index[axis], width]], self.at(left, index), 0]
        return ["add", first, ["if", [["in", past[axis], self.shape(right)[axis]]], self.at(right, past), 0]]

    # Of sequences

    def earlier(self, node: Node, index: Sequence[Index]) -> Recipe:
        n, t, k = index
        before = add(t, -1)
        return ["if", [["in", before, self.shape(node)[1]]], self.at(node.args[0], [n, before, k]), 0]

    def later(self, node: Node, index: Sequence[Index]) -> Recipe:
        n, t, k = index
        after = add(t, 1)
        conditions = [["in", after, self.shape(node)[1]]]
        for every in self.numbers(node):  # not the first of its stretch
            conditions.append(["in", add(remainder(after, every), -1), every - 1])
        return ["if", conditions, self.at(node.args[0], [n, after, k]), 0]

    def at_last(self, node: Node, index: Sequence[Index]) -> Recipe:
        n, t, k = index
        return ["if", [["in", add(t, 1 - self.shape(node)[1]), 1]], self.at(node.args[0], [n, k]), 0]

    def each_step(self, node: Node, index: Sequence[Index]) -> Recipe:
        n, _, k = index
        return self.at(node.args[0], [n, k])

    def reshaped(self, node: Node, index: Sequence[Index]) -> Recipe:
        new, old, index = list(self.shape(node)), list(self.shape(node.args[0])), list(index)
        first, last = [], []
        while new and old and new[0] == old[0]:
            first.append(index.pop(0))
            new.pop(0), old.pop(0)
        while new and old and new[-1] == old[-1]:
            last.insert(0, index.pop())
            new.pop(), old.pop()
        place: Index = 0
        for size, i in zip(new, index, strict=True):
            place = add(times(place, size), i)
        middle = [remainder(quotient(place, math.prod(old[axis + 1 :])), old[axis] if axis else 0) for axis in range(len(old))]  # fmt: skip
        return self.at(node.args[0], [*first, *middle, *last])

    rows = flat = reshape = per_row = reshaped

    def expand(self, node: Node, index: Sequence[Index]) -> Recipe:
        axis = self.plain[node.args[1]]
        return self.at(node.args[0], [i for place, i in enumerate(index) if place != axis])

    def repeat(self, node: Node, index: Sequence[Index]) -> Recipe:
        return self.at(node.args[0], [quotient(index[0], self.plain[node.args[1]]), *index[1:]])

    # Of images

    def numbers(self, node: Node) -> list[Any]:
        """The kernel, the stride and the like that a function is called with."""
        return [self.plain[arg] for arg in node.args[1:]]

    def im2col(self, node: Node, index: Sequence[Index]) -> Recipe:
        (KH, KW), (SH, SW), (PH, PW) = self.numbers(node)
        _, H, W, C = self.shape(node.args[0])
        n, oy, ox, place = index
        i, j, c = quotient(place, KW * C), remainder(quotient(place, C), KW), remainder(place, C)
        if KH == KW == 1:
            i = j = 0
        u, v = add(add(times(oy, SH), i), -PH), add(add(times(ox, SW), j), -PW)
        inner = self.at(node.args[0], [n, u, v, c])
        return ["if", [["in", u, H], ["in", v, W]], inner, 0] if PH or PW else inner

    def col2im(self, node: Node, index: Sequence[Index]) -> Recipe:
        _, (KH, KW), (SH, SW), (PH, PW) = self.numbers(node)
        _, OH, OW, _ = self.shape(node.args[0])
        n, u, v, c = index
        C, i, j = self.shape(node)[3], self.variable(), self.variable()
        # u = oy SH + i - PH
        y, x = add(add(u, PH), ["*", i, -1]), add(add(v, PW), ["*", j, -1])
        oy, ox = quotient(y, SH), quotient(x, SW)
        conditions = [["even", y, SH], ["even", x, SW], ["in", oy, OH], ["in", ox, OW]]
        inner = self.at(node.args[0], [n, oy, ox, add(times(add(times(i, KW), j), C), c)])
        return ["sum", [[i, KH], [j, KW]], ["if", conditions, inner, 0]]

    def windows(self, node: Node, index: Sequence[Index]) -> Recipe:
        (_, KW), (SH, SW), _ = self.numbers(node)
        _, H, W, _ = self.shape(node.args[0])
        n, oy, ox, place, c = index
        u, v = add(times(oy, SH), quotient(place, KW)), add(times(ox, SW), remainder(place, KW))
        return ["if", [["in", u, H], ["in", v, W]], self.at(node.args[0], [n, u, v, c]), "-inf"]

    def from_windows(self, node: Node, index: Sequence[Index]) -> Recipe:
        _, (KH, KW), (SH, SW) = self.numbers(node)
        _, OH, OW, _, _ = self.shape(node.args[0])
        n, u, v, c = index
        i, j = self.variable(), self.variable()
        y, x = add(u, ["*", i, -1]), add(v, ["*", j, -1])
        oy, ox = quotient(y, SH), quotient(x, SW)
        conditions = [["even", y, SH], ["even", x, SW], ["in", oy, OH], ["in", ox, OW]]
        inner = self.at(node.args[0], [n, oy, ox, add(times(i, KW), j), c])
        return ["sum", [[i, KH], [j, KW]], ["if", conditions, inner, 0]]

    def spread(self, node: Node, index: Sequence[Index]) -> Recipe:
        return self.at(node.args[0], [*index[:3], index[4]])

    def first_max(self, node: Node, index: Sequence[Index]) -> Recipe:
        k, axis = self.variable(), dict(node.value or ()).get("axis", 3)
        body = self.at(node.args[0], [*index[:axis], k, *index[axis + 1 :]])
        return ["first_max", [k, self.shape(node)[axis]], body, index[axis]]

    def sg(self, node: Node, index: Sequence[Index]) -> Recipe:
        return self.at(node.args[0], index)

    def upsample(self, node: Node, index: Sequence[Index]) -> Recipe:
        ((SH, SW),) = self.numbers(node)
        return self.at(node.args[0], [index[0], quotient(index[1], SH), quotient(index[2], SW), index[3]])

    def largest(self, node: Node, index: Sequence[Index]) -> Recipe:
        over = [[self.variable(), size] for size in self.shape(node)[1:]]
        all_of_it = self.at(node.args[0], [index[0], *(variable for variable, _ in over)])
        return ["largest", over, all_of_it, self.at(node.args[0], index), *self.numbers(node)]


# Indices


def add(a: Index, b: Index) -> Index:
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    return a if b == 0 else b if a == 0 else ["+", a, b]


def times(a: Index, b: int) -> Index:
    return a * b if isinstance(a, int) else a if b == 1 else ["*", a, b]


def quotient(a: Index, b: int) -> Index:
    return a // b if isinstance(a, int) else a if b == 1 else ["//", a, b]


def remainder(a: Index, b: int) -> Index:
    """a mod b; a itself if b is 0, where a is known to be small enough."""
    return a if b == 0 else 0 if b == 1 else a % b if isinstance(a, int) else ["%", a, b]


def lower(tree: Node, evaluation: Evaluation, shape: tuple[int, ...]) -> Recipe:
    """The recipe for the numbers of a result of this shape, to which the formula's own value broadcasts."""
    return Lowering(evaluation).at(tree, [f"i{axis}" for axis in range(len(shape))])


# What a recipe says of one number


def where(index: Index, variables: dict[str, int]) -> int:
    """An index as a number."""
    if isinstance(index, str):
        return variables[index]
    if isinstance(index, int):
        return index
    operator, a, b = index[0], where(index[1], variables), where(index[2], variables)
    return {"+": a + b, "-": a - b, "*": a * b, "//": a // b if b else 0, "%": a % b if b else 0}[operator]


def holds(condition: list, variables: dict[str, int]) -> bool:
    kind, index, number = condition
    value = where(index, variables)
    return 0 <= value < number if kind == "in" else value % number == 0


def resolve(recipe: Recipe, variables: dict[str, int]) -> list:
    """A recipe at given values of its variables: its sums written out as ["sum", [term, …]], its cells at places."""
    op = recipe[0]
    if op in ("num", "option"):
        return recipe
    if op == "cell":
        return ["cell", recipe[1], tuple(where(i, variables) for i in recipe[2])]
    if op == "if":
        if all(holds(condition, variables) for condition in recipe[1]):
            return resolve(recipe[2], variables)
        return ["absent", -math.inf if recipe[3] == "-inf" else recipe[3]]
    if op in REDUCTIONS or op in ("first_max", "largest"):
        over = [recipe[1]] if op == "first_max" else recipe[1]
        terms = []
        for place in np.ndindex(*(size for _, size in over)):
            here = variables | {variable: i for (variable, _), i in zip(over, place, strict=True)}
            terms.append(resolve(recipe[2], here))
        if op == "first_max":
            return [op, terms, where(recipe[3], variables)]
        if op == "largest":
            return [op, terms, resolve(recipe[3], variables), recipe[4]]
        return [op, terms if op == "mean" else [term for term in terms if not is_absent(term)]]
    args = [resolve(arg, variables) for arg in recipe[1:]]
    if op == "mul" and any(map(is_absent, args)):
        return ["absent", 0]
    if op == "add" and any(map(is_absent, args)):
        present = [arg for arg in args if not is_absent(arg)]
        return present[0] if present else ["absent", 0]
    return [op, *args]


def is_absent(term: list) -> bool:
    return term[0] == "absent"
