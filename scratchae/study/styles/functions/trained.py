"""A function or method that trains in a loop of its own, fit(X, y), and gives no gradients away: they are in its lines.

Its lines before the loop run with arrays for its arguments; then a pass of the loop is read as in a script (`loops.py`).
"""

from __future__ import annotations

import ast
import copy
import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ..classes.steps import RATE
from ..objects.fresh import Objects
from ..readings.several import Arrays, UnlikeError
from ..text.calls import parameters_of
from ..text.names import RATES, plain
from ..text.written import tree_of
from .loops import Loop, Names, compiled, loops_among, steps, trains

COUNT = re.compile(r"(?:num_|n_)\w+|\w*(?:epoch|iter|step|hidden|size|batch|rounds)\w*", re.I)


def lines_of(function: Callable) -> list[ast.stmt]:
    """The statements of a function, with their places in its file."""
    tree = copy.deepcopy(tree_of(function))
    ast.increment_lineno(tree, function.__code__.co_firstlineno - 1)
    return tree.body[0].body if tree.body and isinstance(tree.body[0], ast.FunctionDef) else []


class Script:
    """A loop of a script. needed: the arguments that it takes, none."""

    needed: list[inspect.Parameter] = []
    settings: tuple[inspect.Parameter, ...] = ()
    cls = None

    def __init__(self, loop: Loop):
        self.found, self.body, self.name = loop, loop.body, loop.key[0]

    @property
    def source(self) -> Callable:
        """A function without content in the place of the loop, for what is said of it."""
        found: Names = {}
        text = "\n" * (self.found.lines.start - 1) + "def loop(): ..."
        exec(compile(text, self.found.file.get("__file__", ""), "exec"), found)
        return found["loop"]

    def loop(self, arguments: Arrays) -> Loop:
        return self.found


class Trained:
    """A loop of a function, or of a method of new objects: `loop(arguments)` is it at its first pass. settings: options to be tried."""

    def __init__(self, name: str, function: Callable, node: ast.For | ast.While, objects: Objects | None = None):
        self.name, self.source, self.body, self.line, self.objects = name, function, node.body, node.lineno, objects
        self.lines = lines_of(function)
        self.cls = objects.cls if objects else None
        own = [p for p in parameters_of(function) if p.name != "self"]
        self.options = {p.name: p.default for p in own if p.default is not p.empty}
        self.options |= {p.name: 4 for p in own if p.default is p.empty and COUNT.fullmatch(p.name)}
        self.options |= {p.name: RATE for p in own if p.default is p.empty and plain(p.name) in RATES}
        self.needed = [p for p in own if p.name not in self.options]
        self.settings = tuple(p for p in own if isinstance(p.default, float) and plain(p.name) not in RATES)
        self.known: tuple[Any, Loop] | None = None

    def loop(self, arguments: Arrays) -> Loop:
        asked = [name for name in (*self.options, *(p.name for p in self.needed)) if name in arguments]
        given = [np.asarray(arguments[name]) for name in asked]
        key = [arguments.get("sizes"), arguments.get("options"), *((one.shape, one.tobytes()) for one in given)]
        if self.known is None or self.known[0] != key:
            names: Names = self.options | {name: arguments[name] for name in asked}
            if self.objects:
                names["self"] = self.objects.make(arguments.get("sizes", 0), **(arguments.get("options") or {}))
            found = loops_among(self.lines, self.source.__globals__, names)
            loop = next((loop for loop in found if loop.lines.start == self.line), None)
            if loop is None:
                raise UnlikeError
            self.known = key, loop
        return self.known[1]

    def put(self, lines: list[ast.stmt]) -> list[ast.stmt]:
        """Puts other statements in the place of those of the function, and gives those."""
        before, self.lines, self.known = self.lines, lines, None
        compiled.cache_clear()
        return before


def loops_that_train(function: Callable) -> list[ast.For | ast.While]:
    """The loops of a function that calculate gradients or take steps themselves, those inside of others first."""
    nodes = [node for node in ast.walk(ast.Module(lines_of(function), [])) if isinstance(node, ast.For | ast.While)]
    return sorted((node for node in nodes if trains(node.body) or steps(node.body)), key=lambda node: -node.lineno)
