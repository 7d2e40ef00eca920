"""A layer that is a function: `def dense(n, m)` with two functions in it, which share its variables, and are returned."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

from ..text.calls import parameters_of
from ..text.names import BACKWARD, FORWARD, OF_METHODS
from ..text.written import returns, tree_of

BACK = re.compile(r"back|bw|grad|pull|vjp|deriv|prime|adjoint|reverse", re.I)
LAMBDA = "<lambda>"
Inner = ast.FunctionDef | ast.Lambda


def cells(functions: list[Callable]) -> Iterator[tuple[str, CellType]]:
    """The variables that functions share with the function around them, and those of functions among these."""
    seen, waiting = set(), list(functions)
    while waiting:
        function = waiting.pop(0)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if id(cell) in seen:
                continue
            seen.add(id(cell))
            yield name, cell
            waiting += filter(inspect.isfunction, contents(cell))


def contents(cell: CellType) -> list[Any]:
    """What a variable holds, in a list; nothing where it has not been set."""
    try:
        return [cell.cell_contents]
    except ValueError:
        return []


class Closed:
    """An object of a factory: its attributes are the variables that its functions share, in which a copy has its own numbers."""

    def __init__(self, *arguments: Any, **words: Any):
        found = self._factory(*arguments, **words)
        named = found if isinstance(found, dict) else {} if isinstance(found, tuple | list) else vars(found)
        parts = [one for one in (named.values() or found) if inspect.isfunction(one)]
        lambdas = (one for one in parts if one.__name__ == LAMBDA)
        self._functions = dict(zip(self._lambdas, lambdas, strict=False)) | {one.__name__: one for one in parts}
        self._read()

    def _shared(self) -> Iterator[tuple[str, CellType]]:
        return ((name, cell) for name, cell in cells([*self._functions.values()]) if not hasattr(type(self), name))

    def _read(self) -> None:
        """Its attributes are what the variables hold now."""
        for name, cell in self._shared():
            for value in contents(cell):
                if not isinstance(value, ModuleType | FunctionType):
                    vars(self)[name] = value

    def _run(self, name: str, *arguments: Any, **words: Any) -> Any:
        for key, cell in self._shared():
            if key in vars(self):
                cell.cell_contents = vars(self)[key]
        try:
            return self._functions[name](*arguments, **words)
        finally:
            self._read()


def class_of(factory: Callable) -> type | None:
    """A class whose objects are made as a factory makes them; None if a function returns no two functions that are written in it."""
    written = next(iter(tree_of(factory).body), None)
    inner = {name: node for line in getattr(written, "body", ()) for name, node in called_functions(line)}
    named = next(filter(None, (dict(names_in(node, inner)) for node in returns(factory))), {})
    back = next((name for name in named if BACK.search(name) or name in BACKWARD + OF_METHODS[1]), None)
    codes = codes_of(written, factory.__code__) if len(named) > 1 and back and not joins_layers(factory) else {}
    if not codes.keys() >= {*named.values()} or back is None:
        return None
    methods = {name: method(name, codes[node], node, factory) for name, node in named.items()}
    if not (back in BACKWARD + OF_METHODS[1] and any(name in FORWARD + OF_METHODS[0] for name in named)):
        value = next(name for name in named if name != back)
        methods |= {"forward": methods[value], "backward": methods[back]}
    about = {"__signature__": inspect.signature(factory), "__module__": factory.__module__}
    about |= {"_lambdas": [name for name, node in named.items() if isinstance(node, ast.Lambda)]}
    return type(factory.__name__, (Closed,), methods | about | {"_factory": staticmethod(factory)})


def called_functions(line: ast.stmt) -> Iterator[tuple[str, Inner]]:
    """The function of a `def`, and of `name = lambda …`."""
    if isinstance(line, ast.FunctionDef):
        yield line.name, line
    elif isinstance(line, ast.Assign) and isinstance(line.value, ast.Lambda):
        yield from ((one.id, line.value) for one in line.targets if isinstance(one, ast.Name))


def codes_of(written: ast.AST, outer: CodeType) -> dict[Inner, CodeType]:
    """The code of each function that is written in another one, both in the order of their places."""
    nodes, waiting = [], [*ast.iter_child_nodes(written)]
    while waiting:
        node = waiting.pop()
        inner = isinstance(node, ast.FunctionDef | ast.Lambda)
        nodes += [node] if inner else []
        waiting += [] if inner else ast.iter_child_nodes(node)
    nodes.sort(key=lambda node: (node.lineno, node.col_offset))
    codes = [
        code
        for code in outer.co_consts
        if isinstance(code, CodeType) and (code.co_name[0] != "<" or code.co_name == LAMBDA)
    ]
    return dict(zip(nodes, codes, strict=True)) if len(nodes) == len(codes) else {}


def joins_layers(factory: Callable) -> bool:
    """Whether it is handed layers, chain(*layers), and has none of its own that could be checked."""
    return any(
        p.kind is p.VAR_POSITIONAL or re.search("layer|module|block|part", p.name) for p in parameters_of(factory)
    )


def names_in(node: ast.expr, inner: dict[str, Inner]) -> Iterator[tuple[str, Inner]]:
    """The functions in what is returned, by their names: in a tuple, the values of a dict, the words of a call; a lambda is called by its
    key, or forward and backward by its place."""
    of_call = [*node.args, *(one.value for one in node.keywords)] if isinstance(node, ast.Call) else []
    parts = getattr(node, "elts", getattr(node, "values", of_call))
    keys = [getattr(one, "value", None) for one in getattr(node, "keys", ())]
    words = [one.arg for one in getattr(node, "keywords", ())]
    keys = keys or [*("forward", "backward")[: len(parts) - len(words)], *words]
    for one, key in itertools.zip_longest(parts, keys[: len(parts)]):
        if isinstance(one, ast.Name) and one.id in inner:
            yield one.id, inner[one.id]
        elif isinstance(one, ast.Lambda) and isinstance(key, str):
            yield key, one


def method(name: str, code: CodeType, node: Inner, factory: Callable) -> Callable:
    """A method that runs one of the functions, and has its arguments and its text."""
    defaults = tuple(getattr(one, "value", None) for one in node.args.defaults)
    empty = tuple(CellType() for _ in code.co_freevars)
    twin = FunctionType(code, factory.__globals__, name, defaults, empty)

    @functools.wraps(twin)
    def run(self: Closed, *arguments: Any, **words: Any) -> Any:
        return self._run(name, *arguments, **words)

    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = inspect.Signature([own, *inspect.signature(twin).parameters.values()])
    return run
