"""A person's code with a hook around each expression, so that the value of one can be replaced by another in a later run.

Functions, methods and closures that are there already run the new code: it is put into them, and taken out again.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import linecache
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType, FunctionType
from typing import Any

import numpy as np

from ..styles.functions.loops import Loop, key_at
from ..styles.functions.trained import Trained

HOOK, NUMPY = "__hook__", "__numpy__"
Key = tuple[str, int]  # the name of a function, and its first line
FUNCTIONS = (ast.FunctionDef, ast.Lambda, ast.For, ast.While)  # a pass of a loop that trains is run by itself


@dataclass
class Place:
    """An expression in a function: what is written there. whole: all that is assigned, returned or handed over, or a term of that (term); leaf: the
    name of a value; index: what stands in brackets behind a name. within: the places that it is a part of."""

    line: int
    text: str
    function: ast.AST
    whole: bool
    term: bool
    leaf: bool
    index: str
    within: tuple[int, ...]

    @property
    def operand(self) -> str:
        """What is written there, as a part of a product."""
        return self.text if self.leaf else f"({self.text})"


def key_of(function: ast.AST) -> Key:
    if isinstance(function, ast.Lambda):
        return "<lambda>", function.lineno
    if isinstance(function, ast.For | ast.While):
        return key_at(function.lineno)
    return function.name, min([function.lineno, *(one.lineno for one in function.decorator_list)])


def is_leaf(node: ast.AST) -> bool:
    """A name, an attribute of one, or an entry of one."""
    if isinstance(node, ast.Name):
        return isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.Subscript):
        return is_leaf(node.value) and not any(isinstance(one, ast.Call) for one in ast.walk(node.slice))
    return isinstance(node, ast.Attribute) and is_leaf(node.value)


class Hooks(ast.NodeTransformer):
    """Puts a hook around each expression of some functions, or around some of them; `places` says what stands at each."""

    def __init__(self, ran: set[Key], only: Collection[int] | None = None):
        self.only = only
        self.ran, self.places, self.functions, self.wholes, self.terms, self.within = ran, [], [], set(), set(), ()

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.FunctionDef | ast.Lambda) or (
            isinstance(node, FUNCTIONS) and key_of(node) in self.ran
        ):
            return self.in_function(node)
        if not self.functions or not isinstance(node, ast.expr):
            if isinstance(node, ast.Assign | ast.AugAssign | ast.Return | ast.AnnAssign) and node.value:
                self.wholes.add(node.value)
            return self.inner(node)
        if isinstance(node, ast.List | ast.Tuple | ast.Dict):
            self.wholes |= set(node.values if isinstance(node, ast.Dict) else node.elts)
        if isinstance(node, ast.Call) and not ast.unparse(node.func).startswith(("np.", "numpy.")):
            self.wholes |= set(node.args)
        hooked = isinstance(
            node, ast.BinOp | ast.UnaryOp | ast.Call | ast.Name | ast.Attribute | ast.Subscript | ast.IfExp
        ) and isinstance(getattr(node, "ctx", None), ast.Load | None)
        if not hooked or key_of(self.functions[-1]) not in self.ran:
            return self.inner(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            self.terms |= {node.left, node.right}
        text, leaf, term = ast.unparse(node), is_leaf(node), node in self.terms
        index = text.removeprefix(ast.unparse(node.value)) if leaf and isinstance(node, ast.Subscript) else ""
        k, before = len(self.places), self.within
        whole = term or node in self.wholes
        self.places.append(Place(node.lineno, text, self.functions[-1], whole, term, leaf, index, before))
        self.within = (*before, k)
        inner = self.inner(node)
        self.within = before
        if self.only is not None and k not in self.only:
            return inner
        return ast.copy_location(ast.Call(ast.Name(HOOK, ast.Load()), [ast.Constant(k), inner], []), node)

    def in_function(self, node: ast.AST) -> ast.AST:
        self.functions.append(node)
        if isinstance(node, ast.Lambda):
            self.wholes.add(node.body)
            node.body = self.visit(node.body)
        else:
            node.body = [self.visit(one) for one in node.body]
        self.functions.pop()
        return node

    def inner(self, node: ast.AST) -> ast.AST:
        """The same with hooks inside: in no index, and in no name of what is called or assigned to."""
        if isinstance(node, ast.JoinedStr | ast.match_case):
            return node
        if isinstance(node, ast.Subscript):
            node.value = node.value if isinstance(node.value, ast.Name) else self.inner_of(node.value)
        elif isinstance(node, ast.Attribute):
            node.value = self.inner_of(node.value) if isinstance(node.ctx, ast.Load) else node.value
        elif isinstance(node, ast.Call):
            node.func = self.inner(node.func) if isinstance(node.func, ast.Attribute) else node.func
            node.args = [self.visit(one) for one in node.args]
            node.keywords = [self.visit(one) for one in node.keywords]
        else:
            return self.generic_visit(node)
        return node

    def inner_of(self, node: ast.expr) -> ast.expr:
        """What stands before a dot or a bracket: a place of its own, unless it is a bare name such as np or self."""
        return node if isinstance(node, ast.Name) and node.id in ("self", "np", "numpy") else self.visit(node)


def repeated(places: Sequence[Place], used: Collection[int]) -> Iterator[tuple[Place, tuple[int, ...]]]:
    """What stands more than once in an expression, and its places there."""
    found: dict[tuple[int, ...], int] = {}
    for outer in reversed(range(len(places))):
        ks: dict[str, list[int]] = {}
        for k in range(outer + 1, len(places)):
            if outer not in places[k].within:
                break
            if k in used:
                ks.setdefault(places[k].text, []).append(k)
        for several in ks.values():
            if len(several) > 1:
                found.setdefault(tuple(several), outer)
    for several, outer in found.items():
        yield places[outer], several


def codes_of(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from codes_of(constant)


class Source:
    """The text of a file as trees, of which functions can be changed, and the live functions that run it."""

    def __init__(self, file: str):
        linecache.checkcache(file)
        self.file, self.text = file, "".join(linecache.getlines(file))
        self.live = [f for f in gc.get_objects() if type(f) is FunctionType and f.__code__.co_filename == file]
        self.loops: list[
            tuple[Loop | Trained, dict[str, Any], Key]
        ] = []  # that run, their names, and where their statements are
        self.acting: tuple[int, ...] = ()  # the hooks that act
        self.act: Callable[[Any, FrameType], Any] = lambda value, frame: value
        self.noting: Callable[[int, Any], Any] | None = None

    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.file)

    def ran(self, run: Callable[[], Any]) -> set[Key]:
        """The functions of the file that a run enters."""
        found: set[Key] = set()
        before = sys.getprofile()

        def entered(frame: FrameType, event: str, _: Any) -> None:
            if event == "call" and frame.f_code.co_filename == self.file:
                found.add((frame.f_code.co_name, frame.f_code.co_firstlineno))

        sys.setprofile(entered)
        try:
            run()
        finally:
            sys.setprofile(before)
        for one in gc.get_objects():
            if type(one) is Loop and one.key in found:
                self.loops.append((one, one.file, one.key))
            if type(one) is Trained and key_at(one.line) in found:
                code = one.source.__code__
                self.loops.append((one, one.source.__globals__, (code.co_name, code.co_firstlineno)))
        return found

    def hook(self, place: int, value: Any) -> Any:
        if self.noting is not None:
            self.noting(place, value)
        if place not in self.acting:
            return value
        return self.act(value, sys._getframe(1))

    @contextlib.contextmanager
    def act_at(self, acting: int | tuple[int, ...], act: Callable[[Any, FrameType], Any]) -> Iterator[None]:
        """In the block, some hooks give what `act` makes of their values."""
        self.acting, self.act = (acting,) if isinstance(acting, int) else acting, act
        try:
            yield
        finally:
            self.acting = ()

    @contextlib.contextmanager
    def replaced(self, statements: list[ast.stmt]) -> Iterator[None]:
        """In the block, live functions run the code of these statements of the file."""
        whole = ast.fix_missing_locations(ast.Module(statements, []))
        codes: dict[Key, list[CodeType]] = {}
        for code in codes_of(compile(whole, self.file, "exec", dont_inherit=True)):
            codes.setdefault((code.co_name, code.co_firstlineno), []).append(code)
        nodes = ast.walk(whole) if self.loops else ()
        bodies = {key_of(node): node.body for node in nodes if isinstance(node, FUNCTIONS)}
        kept = [(f, f.__code__) for f in self.live]
        loops = [(one, bodies[key]) for one, _, key in self.loops if key in bodies]
        spaces = [f.__globals__ for f in self.live] + [names for _, names, _ in self.loops]
        spaces = {id(space): space for space in spaces if HOOK not in space}.values()
        for space in spaces:
            space[HOOK], space[NUMPY] = self.hook, np
        try:
            for function, code in kept:
                found = codes.get((code.co_name, code.co_firstlineno), ())
                if len(found) == 1 and found[0].co_freevars == code.co_freevars:
                    function.__code__ = found[0]
            loops = [(one, one.put(body)) for one, body in loops]
            yield
        finally:
            for function, code in kept:
                function.__code__ = code
            for one, body in loops:
                one.put(body)
            for space in spaces:
                space.pop(HOOK, None), space.pop(NUMPY, None)
