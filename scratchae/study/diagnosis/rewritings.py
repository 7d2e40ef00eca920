"""Small changes of a person's code: what people write by mistake in place of one another, statement by statement."""

from __future__ import annotations

import ast
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .changes import Rewriting, bodies, changed, instead, put, setter
from .entries import of_blocks, of_comparisons, of_entries, of_names, of_powers, turned_round
from .hooks import NUMPY
from .moves import deferred, moved_along, returned

COMPARED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
AT = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply"}
TURNED = {ast.Add: ast.Sub, ast.Sub: ast.Add}
SUMS = ("sum", "mean")
AXES = ("0", "1", "-1", "-2", "(0, 1)")
OPPOSITE = {"maximum": "minimum", "max": "min", "argmax": "argmin", "sin": "cos", "sinh": "cosh", "floor": "ceil"}
OPPOSITE |= {other: one for one, other in OPPOSITE.items()}


def rewritings(function: ast.AST, first: bool) -> Iterator[Rewriting]:
    """The small changes of a function: of its statements first, then of what is in them."""
    nodes = list(ast.walk(function))
    sums = functools.partial(of_sums, axes=[*dict.fromkeys([*axes_in(nodes), *AXES]), None])
    late = (of_entries, of_powers, of_squares, sums, opposite, exchanged, compared, moved_along, of_letters)
    early = (added, returned, deferred, mirrored, of_rows, of_parentheses, functools.partial(of_blocks, nodes=nodes))
    for kind in early if first else late:
        for node in nodes:
            yield from kind(node)
    yield from of_comparisons(function) if first else of_names(function)


def added(node: ast.AST) -> Iterator[Rewriting]:
    """= in place of +=, += in place of =, and += at indices that repeat."""
    for body in bodies(node):
        for i, one in enumerate(body):
            new: ast.stmt | None = None
            if isinstance(one, ast.AugAssign) and type(one.op) in TURNED:
                new = ast.copy_location(ast.AugAssign(one.target, TURNED[type(one.op)](), one.value), one)
                yield Rewriting("line_sign", one.lineno, ast.unparse(one), written(new), put(body, i, new))
            if isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Subscript):
                if new := at_once(one.target, type(one.op), one):
                    yield Rewriting("line_overwrites", one.lineno, ast.unparse(one), written(new), put(body, i, new))
                new = ast.copy_location(ast.Assign([one.target], one.value), one)
                yield Rewriting("line_adds", one.lineno, ast.unparse(one), written(new), put(body, i, new))
            elif (
                isinstance(one, ast.Assign)
                and len(one.targets) == 1
                and (
                    isinstance(one.targets[0], ast.Subscript)
                    or (
                        isinstance(one.targets[0], ast.Name | ast.Attribute) and isinstance(node, ast.For | ast.While)
                    )
                )
            ):
                new = ast.copy_location(ast.AugAssign(one.targets[0], ast.Add(), one.value), one)
                yield Rewriting("line_overwrites", one.lineno, ast.unparse(one), written(new), put(body, i, new))
                if isinstance(one.targets[0], ast.Subscript) and (new := at_once(one.targets[0], ast.Add, one)):
                    yield Rewriting("line_overwrites", one.lineno, ast.unparse(one), written(new), put(body, i, new))


def mirrored(node: ast.AST) -> Iterator[Rewriting]:
    """The same once more at the other end, such as g[:-1] -= d after g[1:] += d."""
    for body in bodies(node):
        for i, one in enumerate(body):
            if isinstance(one, ast.AugAssign) and type(one.op) in TURNED and isinstance(one.target, ast.Subscript):
                for target, op in itertools.product(turned_round(one.target), (TURNED[type(one.op)](), one.op)):
                    new = ast.copy_location(ast.AugAssign(target, op, one.value), one)
                    text = f"{ast.unparse(one)}; {written(new)}"
                    yield Rewriting("line_lacks_term", one.lineno, ast.unparse(one), text, put(body, i, one, new))


def of_rows(node: ast.AST) -> Iterator[Rewriting]:
    """The sum of each row, turned round, in place of a number: a[rows, y] = -a.sum(axis=1)."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        place, number = node.targets[0], isinstance(getattr(node.value, "operand", node.value), ast.Constant)
        if (
            number
            and isinstance(place.slice, ast.Tuple)
            and len(place.slice.elts) == 2
            and not has_slice(place.slice)
        ):
            value = ast.parse(f"-{ast.unparse(place.value)}.sum(axis=1)", mode="eval").body
            yield instead(node, setter(node, value=ast.copy_location(value, node)))


def of_parentheses(node: ast.AST) -> Iterator[Rewriting]:
    """a * (b - c) in place of a * b - c, (a + b) / c in place of a + b / c, and a / (b * c) in place of a / b * c."""
    if not isinstance(node, ast.BinOp):
        return
    sums, low, high = isinstance(node.op, ast.Add | ast.Sub), node.left, node.right
    if isinstance(low, ast.BinOp) and (isinstance(low.op, ast.Mult | ast.Div) if sums else divides_first(node)):
        inner = ast.copy_location(ast.BinOp(low.right, node.op, high), node)
        yield instead(node, setter(node, left=low.left, op=low.op, right=inner))
    if sums and isinstance(high, ast.BinOp) and isinstance(high.op, ast.Mult | ast.Div):
        inner = ast.copy_location(ast.BinOp(low, node.op, high.left), node)
        yield instead(node, setter(node, left=inner, op=high.op, right=high.right))


def divides_first(node: ast.BinOp) -> bool:
    return isinstance(node.op, ast.Mult) and isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Div)


def at_once(target: ast.Subscript, op: type[ast.operator], one: ast.Assign | ast.AugAssign) -> ast.stmt | None:
    """np.add.at(target, indices, value)."""
    if op not in AT or has_slice(target.slice):
        return None
    call = ast.parse(f"{NUMPY}.{AT[op]}.at", mode="eval").body
    read = ast.parse(ast.unparse(target.value), mode="eval").body
    return ast.copy_location(ast.Expr(ast.Call(call, [read, target.slice, one.value], [])), one)


def written(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(node)).replace(NUMPY, "np")


def has_slice(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Slice) for one in ast.walk(node))


def of_squares(node: ast.AST) -> Iterator[Rewriting]:
    """The sum of squares in place of the square of a sum."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and isinstance(node.left, ast.Call)):
        return
    call = node.left
    if not (isinstance(call.func, ast.Attribute) and call.func.attr in SUMS):
        return
    of_np = isinstance(call.func.value, ast.Name) and call.func.value.id in ("np", "numpy")
    inner = call.args[0] if of_np and call.args else call.func.value
    power = ast.copy_location(ast.BinOp(inner, node.op, node.right), node)
    func = ast.copy_location(ast.Attribute(call.func.value if of_np else power, call.func.attr, ast.Load()), node)
    args = [power, *call.args[1:]] if of_np else call.args
    total = ast.copy_location(ast.Call(func, args, call.keywords), node)
    one = ast.copy_location(ast.Constant(1), node)
    values = {"left": total, "right": one, "op": ast.Mult()}
    yield Rewriting("line_squares", node.lineno, ast.unparse(node), ast.unparse(total), setter(node, **values))


def axes_in(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """The axes over which the sums of a function run, as they are written: (0, 2, 3), and self.axes."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SUMS:
            of_np = getattr(node.func.value, "id", "") in ("np", "numpy")
            yield from map(ast.unparse, node.args[int(of_np) : int(of_np) + 1])
            yield from (ast.unparse(one.value) for one in node.keywords if one.arg == "axis")


def opposite(node: ast.AST) -> Iterator[Rewriting]:
    """The function that is taken for another: np.minimum(x, 0) in place of np.maximum(x, 0)."""
    if isinstance(node, ast.Attribute) and node.attr in OPPOSITE:
        yield instead(node, setter(node, attr=OPPOSITE[node.attr]))


def of_sums(node: ast.AST, axes: Sequence[str | None]) -> Iterator[Rewriting]:
    """A sum in place of a mean, or over other axes."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SUMS):
        return
    told = any(one.arg == "axis" for one in node.keywords)
    rest = [one for one in node.keywords if one.arg != "axis"]
    of_np = isinstance(node.func.value, ast.Name) and node.func.value.id in ("np", "numpy")
    args = node.args[: int(of_np)]
    if len(node.args) > len(args) + 1:
        return
    now = ast.unparse(node)
    for name, axis, kept in itertools.product(SUMS, axes, (False, True)):
        value = [] if axis is None else [ast.keyword("axis", ast.parse(axis, mode="eval").body)]
        more = [one for one in rest if one.arg != "keepdims"]
        if kept:
            more = [*more, ast.keyword("keepdims", ast.Constant(True))]
        func = ast.copy_location(ast.Attribute(node.func.value, name, ast.Load()), node.func)
        values = {"func": func, "args": args, "keywords": [*value, *more]}
        text = changed(node, **values)
        if text != now and not (kept and axis is None and not told):
            yield Rewriting("line_instead", node.lineno, now, text, setter(node, **values))


def exchanged(node: ast.AST) -> Iterator[Rewriting]:
    """Two neighbours that changed places: factors of a product, parts of a list, values of a dict, slices of two arrays, arguments."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult | ast.Sub | ast.Div):
        values = {"left": node.right, "right": node.left}
        yield Rewriting(
            "line_instead", node.lineno, ast.unparse(node), changed(node, **values), setter(node, **values)
        )
    lists = [
        (name, getattr(node, name))
        for name in ("elts", "args", "values")
        if isinstance(getattr(node, name, None), list)
    ]
    if isinstance(node, ast.List | ast.Tuple | ast.Call | ast.Dict) and not isinstance(
        getattr(node, "ctx", None), ast.Store
    ):
        for name, found in lists:
            for i, j in itertools.islice(itertools.combinations(range(len(found)), 2), 10):
                other = found[:]
                other[i], other[j] = other[j], other[i]
                text = changed(node, **{name: other})
                yield Rewriting("line_instead", node.lineno, ast.unparse(node), text, setter(node, **{name: other}))
    if isinstance(node, ast.Assign | ast.AugAssign):
        sliced = [one for one in ast.walk(node) if isinstance(one, ast.Subscript) and has_slice(one.slice)]
        if len(sliced) == 2 and ast.dump(sliced[0].slice) != ast.dump(sliced[1].slice):
            make, now = swap_slices(*sliced), ast.unparse(node)
            back = make()
            text = ast.unparse(node)
            back()
            yield Rewriting("line_instead", node.lineno, now, text, make)


def swap_slices(first: ast.Subscript, second: ast.Subscript) -> Callable[[], Callable[[], None]]:
    def make() -> Callable[[], Any]:
        first.slice, second.slice = second.slice, first.slice
        return make

    return make


def compared(node: ast.AST) -> Iterator[Rewriting]:
    """A comparison that is turned round."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARED:
        values = {"ops": [COMPARED[type(node.ops[0])]()]}
        yield Rewriting(
            "line_instead", node.lineno, ast.unparse(node), changed(node, **values), setter(node, **values)
        )


def of_letters(node: ast.AST) -> Iterator[Rewriting]:
    """Two letters of one operand in an einsum."""
    if not (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("einsum") and node.args):
        return
    text = node.args[0]
    if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
        return
    operands, arrow, result = text.value.partition("->")
    terms = operands.split(",")
    for t, term in enumerate(terms):
        for i, j in itertools.combinations([k for k, letter in enumerate(term) if letter.isalpha()], 2):
            letters = list(term)
            letters[i], letters[j] = letters[j], letters[i]
            new = ",".join([*terms[:t], "".join(letters), *terms[t + 1 :]]) + arrow + result
            yield Rewriting("line_instead", node.lineno, repr(text.value), repr(new), setter(text, value=new))
