"""Small changes of what stands in brackets and in comparisons, and of the names in a statement."""

from __future__ import annotations

import ast
import contextlib
import itertools
import re
from collections.abc import Callable, Iterator, Sequence

from .changes import Rewriting, instead, setter

BIASED = ("[1:]", "[:, 1:]")  # all but a bias
TURNED = {(None, "-1"): ("1", None), ("1", None): (None, "-1")}
STRIDE = re.compile(r"^(?:self\.)?_?(?:s|st|stride\w*|step|hop)$")
MOST = 60  # how many other names are tried in a function


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def of_entries(node: ast.AST) -> Iterator[Rewriting]:
    """The first in place of the last, one for each row in place of all, the neighbour of one, the sum of all in place of one; and all but
    the first, on both sides of +=."""
    if isinstance(node, ast.Subscript):
        yield from neighbours(node)
        yield from all_added(node)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        for i, part in enumerate(parts):
            if not isinstance(part, ast.Slice) or part.step:
                continue
            ends = ends_of(part)
            if ends in TURNED:
                yield instead(node, with_slice(node, parts, i, other_end(part)))
            if ends == (None, None) and any(isinstance(one, ast.Name | ast.Attribute) for one in parts):
                yield instead(
                    node, with_slice(node, parts, i, expression(f"range({ast.unparse(node.value)}.shape[{i}])"))
                )
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        for one in ast.walk(node.value):
            for index in BIASED if isinstance(one, ast.Name) else ():
                target = ast.Subscript(
                    ast.Name(node.target.id, ast.Load()), expression(f"_{index}").slice, ast.Store()
                )
                value = expression(ast.unparse(node.value))
                value = Indexed(one.id, index).visit(value)
                yield instead(node, setter(node, target=target, value=value))


def ends_of(part: ast.Slice) -> tuple[str | None, ...]:
    return tuple(one and ast.unparse(one) for one in (part.lower, part.upper))


def other_end(part: ast.Slice) -> ast.Slice:
    """All but the first in place of all but the last, and the other way round."""
    return ast.Slice(*(one and expression(one) for one in TURNED[ends_of(part)]))


def turned_round(target: ast.Subscript) -> Iterator[ast.Subscript]:
    """What is assigned to, at the other end: g[:-1] for g[1:]."""
    parts = target.slice.elts if isinstance(target.slice, ast.Tuple) else [target.slice]
    for i, part in enumerate(parts):
        if isinstance(part, ast.Slice) and not part.step and ends_of(part) in TURNED:
            new = [*parts[:i], other_end(part), *parts[i + 1 :]]
            index = ast.Tuple(new, ast.Load()) if len(new) > 1 else new[0]
            yield ast.copy_location(ast.Subscript(target.value, index, ast.Store()), target)


def neighbours(node: ast.Subscript) -> Iterator[Rewriting]:
    """kept[i + 1] and kept[i - 1] in place of kept[i]."""
    index = ast.unparse(node.slice)
    base = re.fullmatch(r"([a-z]\w*)(?: [+-] 1)?", index)
    for new in (base[1], f"{base[1]} + 1", f"{base[1]} - 1") if base and isinstance(node.ctx, ast.Load) else ():
        if new != index:
            yield instead(node, setter(node, slice=expression(new)))


def all_added(node: ast.Subscript) -> Iterator[Rewriting]:
    """x.sum(axis=(1, 3)) in place of x[:, 0, :, 0]."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    axes = tuple(i for i, part in enumerate(parts) if isinstance(part, ast.Constant) and isinstance(part.value, int))
    rest = [part for i, part in enumerate(parts) if i not in axes]
    if axes and rest and all(ast.unparse(part) == ":" for part in rest) and isinstance(node.ctx, ast.Load):
        total = expression(f"({ast.unparse(node.value)}).sum(axis={axes}, keepdims=True)")
        new = ast.Tuple([expression("0") if i in axes else one for i, one in enumerate(parts)], ast.Load())
        text = f"{ast.unparse(node.value)}.sum(axis={axes if len(axes) > 1 else axes[0]})"
        make = setter(node, value=total, slice=new)
        yield Rewriting("line_instead", node.lineno, ast.unparse(node), text, make)


def of_blocks(node: ast.AST, nodes: Sequence[ast.AST]) -> Iterator[Rewriting]:
    """Sums over the other ones of neighbouring axes, x.reshape(n, h, k).sum(axis=2) in place of x.reshape(n, k, h).sum(axis=1); what is
    reshaped may have a name."""
    axes = next((one for one in getattr(node, "keywords", ()) if one.arg == "axis"), None)
    if getattr(getattr(node, "func", None), "attr", "") not in ("sum", "mean") or axes is None:
        return
    inner, line = node.func.value, None
    if isinstance(inner, ast.Name):
        lines = [one for one in nodes if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == inner.id]
        inner, line = (lines[0].value, lines[0]) if len(lines) == 1 else (None, None)
    if getattr(getattr(inner, "func", None), "attr", "") != "reshape":
        return
    places = [getattr(one, "value", None) for one in getattr(axes.value, "elts", [axes.value])]
    for by in (1, -1):
        args = list(inner.args)
        if not all(isinstance(i, int) and 0 <= i < len(args) and 0 <= i + by < len(args) for i in places):
            continue
        for i in places:
            args[i], args[i + by] = args[i + by], args[i]
        moved = expression(str(tuple(i + by for i in places) if len(places) > 1 else places[0] + by))
        change = both(setter(inner, args=args), setter(axes, value=moved))
        yield together(line, node, change) if line else instead(node, change)


def both(first: Callable, second: Callable) -> Callable:
    """Two changes as one."""

    def make() -> Callable[[], None]:
        backs = first(), second()
        return lambda: [back() for back in backs]

    return make


def together(line: ast.stmt, node: ast.expr, make: Callable) -> Rewriting:
    """A change of a line and of what comes after it."""
    now = f"{ast.unparse(line)}; {ast.unparse(node)}"
    back = make()
    new = f"{ast.unparse(ast.fix_missing_locations(line))}; {ast.unparse(ast.fix_missing_locations(node))}"
    back()
    return Rewriting("line_instead", line.lineno, now, new, make)


def of_powers(node: ast.AST) -> Iterator[Rewriting]:
    """Another exponent."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        with contextlib.suppress(ValueError):  # it is no number
            now = float(ast.unparse(node.right))
            for new in dict.fromkeys((now - 1, now + 1, -now, 2 * now, now / 2)):
                yield instead(node, setter(node, right=expression(f"{new:g}")))


def of_windows(function: ast.AST) -> Iterator[Rewriting]:
    """Windows that begin at each place in place of each stride-th: x[i * s : i * s + k] for x[i : i + k]."""
    read = [one for one in ast.walk(function) if isinstance(one, ast.Name | ast.Attribute)]
    read += [one for one in ast.walk(function) if isinstance(one, ast.arg)]
    strides = dict.fromkeys(text for text in map(ast.unparse, read) if STRIDE.search(text))
    for node in ast.walk(function):
        parts = node.slice.elts if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple) else []
        begun = {part.lower.id for part in parts if isinstance(getattr(part, "lower", None), ast.Name)}
        for stride in strides if begun else ():
            moved = [Moved(begun, stride).visit(expression(f"_[{ast.unparse(part)}]")).slice for part in parts]
            yield instead(node, setter(node, slice=ast.Tuple(moved, ast.Load())))


class Moved(ast.NodeTransformer):
    """Puts a stride behind names of places."""

    def __init__(self, names: set[str], stride: str):
        self.names, self.stride = names, stride

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return expression(f"{node.id} * {self.stride}") if node.id in self.names else node


def with_slice(node: ast.Subscript, parts: Sequence[ast.expr], i: int, part: ast.expr) -> Callable:
    new = [*parts[:i], part, *parts[i + 1 :]]
    return setter(node, slice=ast.Tuple(new, ast.Load()) if len(new) > 1 else part)


class Indexed(ast.NodeTransformer):
    """Puts brackets behind a name."""

    def __init__(self, name: str, index: str):
        self.name, self.index = name, index

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return expression(f"{node.id}{self.index}") if node.id == self.name else node


def names_of(function: ast.AST) -> list[ast.Name]:
    """The names of values that are read."""
    nodes = list(ast.walk(function))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    called |= {
        id(node.value) for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np"
    }
    return [
        one for one in nodes if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load) and id(one) not in called
    ]


def of_comparisons(function: ast.AST) -> Iterator[Rewriting]:
    """Another name in a comparison; windows without their stride."""
    yield from with_other_names(function, ast.Compare)
    yield from of_windows(function)


def of_names(function: ast.AST) -> Iterator[Rewriting]:
    """Another name in brackets; two names of a statement that changed places."""
    yield from with_other_names(function, ast.Subscript)
    yield from itertools.islice(with_other_attributes(function), MOST)
    names = names_of(function)
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.Return | ast.Expr) and node.value:
            own = [one for one in ast.walk(node) if one in names]
            for first, second in itertools.islice(itertools.combinations(sorted({one.id for one in own}), 2), 10):
                yield instead(node, exchange(own, first, second))


def with_other_attributes(function: ast.AST) -> Iterator[Rewriting]:
    """Another attribute of the object in brackets: h[self.src] for h[self.dst]."""
    read = [one for one in ast.walk(function) if isinstance(one, ast.Attribute) and ast.unparse(one.value) == "self"]
    for outer in [one.slice for one in ast.walk(function) if isinstance(one, ast.Subscript)]:
        for one in ast.walk(outer):
            for name in sorted({other.attr for other in read} - {one.attr}) if one in read else ():
                yield instead(outer, setter(one, attr=name))


def with_other_names(function: ast.AST, kind: type[ast.AST]) -> Iterator[Rewriting]:
    names, tried = names_of(function), 0
    texts = sorted({one.id for one in names})
    for outer in [getattr(one, "slice", one) for one in ast.walk(function) if isinstance(one, kind)]:
        for one in ast.walk(outer):
            for text in texts if one in names else ():
                tried += 1
                if text != one.id and tried < MOST:
                    yield instead(outer, setter(one, id=text))


def exchange(names: Sequence[ast.Name], first: str, second: str) -> Callable[[], Callable[[], None]]:
    def make() -> Callable:
        for one in names:
            one.id = {first: second, second: first}.get(one.id, one.id)
        return make

    return make
