"""Which arguments an exception is about: those of which the operation makes use that raised it.

X @ params["A"] cannot be calculated: the shapes of X and of params[A] do not fit, whatever those of b are. So no other shapes of b are tried.
"""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import linecache
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from types import CodeType, TracebackType

Needs = dict[str, set[str]]


def blamed(error: BaseException, names: Sequence[str], functions: Sequence[Callable]) -> frozenset[str]:
    """The names of the arguments, `params[A]` of entries, that are needed in what raised in a file; all where this cannot be told."""
    files = files_of(tuple(functions))
    frames = [(one.tb_frame.f_code, one.tb_lasti) for one in frames_of(error.__traceback__)]
    wanted = needed_in(tuple((code, place) for code, place in frames if code.co_filename in files))
    wanted = {one.removeprefix("self.") for one in wanted}
    known = {bare(one) for one in wanted} <= {bare(name) for name in names}  # and no cache, nor what was kept in self
    found = frozenset(name for name in names if name in wanted or bare(name) in wanted) if known else frozenset()
    return found or frozenset(names)


def bare(name: str) -> str:
    """params of params[A]."""
    return name.partition("[")[0]


@functools.lru_cache(100)
def files_of(functions: tuple[Callable, ...]) -> set[str]:
    """The files in which functions are written."""
    return {one.__code__.co_filename for one in map(inspect.unwrap, functions) if inspect.isfunction(one)}


@functools.lru_cache(1000)
def needed_in(frames: tuple[tuple[CodeType, int], ...]) -> set[str]:
    """The arguments of the first of these functions that are needed at these places of theirs, and what is kept in self; none if that is
    not known."""
    wanted: set[str] = set()
    for code, place in reversed(frames):
        function = function_at(code.co_filename, code.co_firstlineno)
        if function is None:
            return set()
        node = node_at(function, next(itertools.islice(code.co_positions(), place // 2, None)))
        read = reads(node) or reads(statement_at(function, node.lineno))
        if wanted and {bare(one) for one in wanted} <= {bare(one) for one in read}:
            read = wanted  # handed on under the same names
        wanted = closed(read, needs(function, node.lineno), {*parameters(function), *code.co_freevars})
    return wanted


def ran_in(functions: Sequence[Callable], error: BaseException) -> bool:
    """Whether an exception was raised while one of these ran."""
    codes = {getattr(inspect.unwrap(one), "__code__", None) for one in functions}
    return any(one.tb_frame.f_code in codes for one in frames_of(error.__traceback__))


def frames_of(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


@functools.lru_cache(64)
def tree_of_file(path: str, text: str) -> ast.Module:
    return ast.parse(text)


def function_at(path: str, line: int) -> ast.FunctionDef | None:
    """The function of a file whose first line, or whose first decorator's, this is."""
    try:
        tree = tree_of_file(path, "".join(linecache.getlines(path)))
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and line in (node.lineno, *(one.lineno for one in node.decorator_list)):
            return node
    return None


def parameters(function: ast.FunctionDef) -> set[str]:
    """What a function is always handed."""
    given = function.args
    first = [*given.posonlyargs, *given.args]
    words = [one for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default is None]
    return {one.arg for one in (*first[: len(first) - len(given.defaults)], *words)}


def node_at(function: ast.FunctionDef, place: tuple[int | None, ...]) -> ast.AST:
    """What stands at a place of a function's text, from (line, column) to (line, column); the statement of this line if nothing does."""
    for node in (node for node in ast.walk(function) if isinstance(node, ast.expr)):
        if (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset) == place:
            return node
    return statement_at(function, place[0] or function.lineno)


def statement_at(function: ast.FunctionDef, line: int) -> ast.AST:
    """The smallest statement that a line belongs to; of a loop or a condition its head."""
    statements = (node for node in ast.walk(function) if isinstance(node, ast.stmt))
    found = max((node for node in statements if node.lineno <= line <= node.end_lineno), key=lambda node: node.lineno)
    return next((getattr(found, head) for head in ("iter", "test") if hasattr(found, head)), found)


def reads(node: ast.AST) -> set[str]:
    """The names that something reads, those of entries with their keys."""
    found, waiting = set(), [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Subscript) and isinstance(key := getattr(one.slice, "value", None), str):
            found |= {f"{name}[{key}]" for name in reads(one.value)}
        elif isinstance(one, ast.Attribute) and getattr(one.value, "id", "") == "self":
            found.add(f"self.{one.attr}")
        elif isinstance(one, ast.Call) and ast.unparse(one.func).startswith("self."):
            waiting += [*one.args, *one.keywords]
        elif isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
            found.add(one.id)
        else:
            waiting += ast.iter_child_nodes(one)
    return found


def needs(function: ast.FunctionDef, line: int) -> Needs:
    """What each name of a function is calculated of, in the lines before one, and in loops in all."""
    found: Needs = {}
    loops = [node for node in ast.walk(function) if isinstance(node, ast.For | ast.While)]
    last = max([line, *(node.end_lineno for node in loops if node.lineno <= line <= node.end_lineno)])
    for node in ast.walk(function):
        pairs: Iterable[tuple[ast.expr, ast.expr]] = ()
        if isinstance(node, ast.Assign):
            pairs = paired(node.targets, node.value)
        elif isinstance(node, ast.AugAssign | ast.AnnAssign) and node.value is not None:
            pairs = [(node.target, node.value)]
        elif isinstance(node, ast.For | ast.comprehension):
            pairs = [(node.target, node.iter)]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):  # hs.append(h), np.add.at(dx, i, dy)
            pairs = [(node.value, node.value)]
        for target, value in pairs:
            for name in (one.id for one in ast.walk(target) if isinstance(one, ast.Name) and target.lineno <= last):
                found.setdefault(name, set()).update(reads(value) - {name})
    return found


def paired(targets: Sequence[ast.expr], value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What is assigned to what: of `W, b = p["W"], p["b"]` each to its own."""
    for target in targets:
        ours, theirs = getattr(target, "elts", None), getattr(value, "elts", None)
        if ours and theirs and len(ours) == len(theirs):
            yield from zip(ours, theirs, strict=True)
        else:
            yield target, value


def closed(read: Collection[str], needed: Needs, own: Collection[str]) -> set[str]:
    """The parameters of which names are calculated, and what is kept in self."""
    found, waiting = set(), [*read]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += needed.get(bare(one), ())
    return {one for one in found if bare(one) in own or one.startswith("self.")} - {"self"}
