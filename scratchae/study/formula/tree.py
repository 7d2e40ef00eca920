"""A formula as a tree, read from a small Python-like expression such as "x @ W + b".

What a layer declares under `formulas` is parsed by Python's own parser, so its grammar is Python's: + - * / ** @, .T,
comparisons (1 where true, 0 where not), slices, and the functions of values.py. A text in quotes is a name too:
"'encoder.0.W'.T". A comment behind it says why, in a sentence for the reader: "x.T @ dy  # Each weight …". Whatever else is said of a formula, values, cells, text, is derived from this tree.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ...errors import FormulaError

OPERATORS = {
    **{ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow", ast.MatMult: "matmul"},
    **{ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"},
}


@dataclass(frozen=True, eq=False)  # equal only to itself: what is found out about a node is kept by the node
class Node:
    """A number (op "num"), a name ("name"), or an operation on other nodes; `options` are its numbers, such as axis."""

    op: str
    args: tuple[Node, ...] = ()
    value: Any = None  # of a number, of a name; of a slice its bounds, of a call its options
    because: str = ""  # of a whole formula the reason for it: its comment

    def walk(self) -> Iterator[Node]:
        """The node and all below it."""
        yield self
        for arg in self.args:
            yield from arg.walk()

    def names(self) -> list[str]:
        """The names in it, each once, in the order they are written."""
        return list(dict.fromkeys(node.value for node in self.walk() if node.op == "name"))

    def replaced(self, old: Node, new: Node) -> Node:
        """The tree with one of its nodes replaced; what does not hold it stays as it is."""
        if self is old:
            return new
        args = tuple(arg.replaced(old, new) for arg in self.args)
        return self if all(a is b for a, b in zip(args, self.args, strict=True)) else replace(self, args=args)


def opaque(function: str, *arguments: str) -> Node:
    """What is computed by a function of which no more is known than its name: a layer without formulas."""
    return Node("opaque", tuple(Node("name", value=argument) for argument in arguments), function)


@functools.cache
def parse(text: str) -> Node:
    """The tree of an expression, with its comment. Raises FormulaError, with the expression, for what is no formula."""
    try:
        tree = build(ast.parse(text, mode="eval").body, text)
        return replace(tree, because=text.partition("#")[2].strip())
    except SyntaxError as error:
        raise FormulaError(f"formula {text!r}: {error.msg}") from None


def build(node: ast.expr, text: str) -> Node:
    match node:
        case ast.Constant(value=str(name)) | ast.Name(id=name):
            return Node("name", value=name)
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return Node("num", value=number)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return Node(OPERATORS[type(op)], (build(left, text), build(right, text)))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
            return Node(OPERATORS[type(op)], (build(left, text), build(right, text)))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return Node("neg", (build(operand, text),))
        case ast.Attribute(value=value, attr="T"):
            return Node("T", (build(value, text),))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            options = tuple((keyword.arg, ast.literal_eval(keyword.value)) for keyword in keywords)
            return Node(name, tuple(build(arg, text) for arg in args), options or None)
        case ast.Subscript(value=value, slice=where):
            axes = where.elts if isinstance(where, ast.Tuple) else [where]
            if all(isinstance(axis, ast.Slice) and axis.step is None for axis in axes):
                absent = Node("none")
                bounds = [build(b, text) if b else absent for axis in axes for b in (axis.lower, axis.upper)]
                return Node("slice", (build(value, text), *bounds))
        case ast.Tuple(elts=elements):
            return Node("tuple", tuple(build(element, text) for element in elements))
    raise FormulaError(f"formula {text!r}: {ast.unparse(node)!r} is no part of the language of formulas")
