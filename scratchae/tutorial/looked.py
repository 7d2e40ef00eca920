"""What of a file ran while its parts were checked, and what in it gives gradients, or makes a step, and did not run."""

from __future__ import annotations

import ast
import contextlib
import inspect
import linecache
import re
from collections.abc import Callable, Iterator
from types import CodeType, ModuleType
from typing import Any

from ..study.styles.text.calls import parameters_of
from ..study.styles.text.names import BACKWARD, IS_COST, plain
from ..study.styles.text.written import called, called_rate, changes_in, factors, is_empty, text_of, tree_of
from ..study.trials.unrolled import THETA
from .branches import branches, first_line, functions_in, not_run, note, noted_in

SLOPE = re.compile(
    r"grad|back_?(?:ward|prop|ward_?pass)?(?:$|_)|backprop|bprop|bwd|bptt|deriv|prime(?:$|_)|(?:^|_)vjp|nabla|contrastive|(?:^|_)cd\d?(?:$|_)|"
    r"^d\w*_d_?[a-zA-Z]\w?$",
    re.I,
)
STEP = re.compile(r"(?:^|_)(?:update|step|train)\w*$|partial_?fit|^adapt$", re.I)
NO_SLOPE = re.compile(
    r"check|save|store|numeric|zero|clip|test|approx|plot|print|show|draw|verif|finite|reset|init|enable|disable|set_|get_|has_|is_|accumul|sched|forward|norm$",
    re.I,
)
LOOP = re.compile(r"train|fit|descent|ascent|optimi[sz]e|learn|sgd", re.I)  # which repeats steps
GRADIENT = re.compile(r"g|gs|d[A-Z]\w*|d[a-z]{1,2}\d?|d_\w+|\w*grads?(?:_?\w+)?|nabla\w*|g[A-Z]\w?|\w*Grad\w*")
MOVES = re.compile(
    r"(?:[-+]=|=\s*\S+\s*[-+]).*\b(?:lr|eta|alpha|rate|learning_?rate|step_?size)\b|\bself\.(?:lr|eta|alpha|learning_rate)\b",
    re.I,
)


def instrumented(source: bytes, path: str) -> CodeType:
    """A file as code in which each function notes its line in `__ran__` when it runs, and each branch of it its place."""
    tree = ast.parse(source, path)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for node in functions:
        for one in reversed([*branches(node)]):
            noted_in(one)
        documented = isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
        node.body.insert(int(documented), note(first_line(node), node))
    return compile(tree, path, "exec")


@contextlib.contextmanager
def noting(file: dict[str, Any], ran: set[Any]) -> Iterator[None]:
    """In the block, note the lines of the functions of a file that run."""
    now = file.setdefault("__ran__", set())
    before = set(now)
    now.clear()
    try:
        yield
    finally:
        ran |= now
        now |= before


@contextlib.contextmanager
def unnoted(file: dict[str, Any]) -> Iterator[None]:
    """In the block, note nothing, since what runs there is compared with itself, and not with the gradients of a loss."""
    now = file.setdefault("__ran__", set())
    before = set(now)
    try:
        yield
    finally:
        now.clear()
        now |= before


def methods_with_gradients(cls: type) -> list[str]:
    """The methods of a class that plainly give gradients or make a step, those that only give them first; private ones if there are
    no others."""
    named = [name for name in dir(cls) if inspect.isfunction(getattr(cls, name))]
    given = [name for name in named if gives_gradients(getattr(cls, name))]
    found = [name for name in given if name[0] != "_"] or given
    return sorted(found, key=lambda name: bool(STEP.search(name)))


def written_in(module: ModuleType) -> Iterator[tuple[str, type | None, Callable]]:
    """The functions of a file, and the methods of its classes: name, class, function."""
    for name, value in list(vars(module).items()):
        told = getattr(value, "__module__", None), getattr(value, "__name__", "")
        if told != (module.__name__, name) or name[0] == "_":
            continue
        if inspect.isfunction(value):
            yield name, None, value
        for key, one in list(vars(value).items()) if inspect.isclass(value) else ():
            if inspect.isfunction(method := getattr(one, "__func__", one)):
                yield f"{name}.{key}", value, method


def unlooked(module: ModuleType, ran: set[int]) -> Iterator[tuple[str, type | None, Callable]]:
    """Those that plainly give gradients or make a step, and have not run."""
    for name, cls, function in written_in(module):
        if function.__name__[0] != "_" and gives_gradients(function) and function.__code__.co_firstlineno not in ran:
            yield name, cls, function


def untried(module: ModuleType, passed: set[Any], ran: set[Any]) -> Iterator[tuple[str, str]]:
    """The functions that give gradients, ran for what is right, and ran in part: the name, and words about what did not run."""
    known = {function.__code__.co_firstlineno: (title, function) for title, _, function in written_in(module)}
    path = str(module.__file__)
    for line, node in functions_in(module).items():
        title, function = known.get(line, (node.name, None))
        inner = bool(SLOPE.search(node.name)) and not NO_SLOPE.search(
            node.name
        )  # in a function, or of the file's own use
        left = line in passed and (gives_gradients(function) if function else inner)
        lines = [one.lineno for one in not_run(node, ran)] if left else []
        if lines:
            others = f", nor did {', '.join(f'line {one}' for one in lines[1:])}" if lines[1:] else ""
            yield (
                title,
                f"{path}:{lines[0]}, in {node.name}: {linecache.getline(path, lines[0]).strip()}\n    not tried: this line did not run in any "
                f"trial{others}; what runs it can be put into the file, an input `x = …` or an object",
            )


def gives_gradients(function: Callable) -> bool:
    """Whether a function gives gradients or makes a step with them, by its name or by the names of what it returns."""
    name = function.__name__
    if name == "<lambda>" or is_empty(function) or NO_SLOPE.search(name) or repeats_steps(function):
        return False
    if SLOPE.search(name):
        return True
    if STEP.search(name):
        return bool(MOVES.search(text_of(function)))
    if any(GRADIENT.fullmatch(one) for one in pair_returned(function)):
        return True
    return is_cost(function) and any(
        isinstance(node, ast.Tuple) and len(node.elts) == 2 for node in own_returns(function)
    )


def is_cost(function: Callable) -> bool:
    """Whether a function is a cost of a vector of parameters, or says that it gives a gradient."""
    first = next((plain(p.name) for p in parameters_of(function) if p.name != "self"), "")
    told = "gradient" in (function.__doc__ or "").lower()
    return bool(IS_COST.search(function.__name__)) and (told or bool(THETA.fullmatch(first)))


def repeats_steps(function: Callable) -> bool:
    """Whether a function trains with others of its file, or with an object that it is handed: it is no value, and its steps are theirs."""
    if not (LOOP.search(function.__name__) and re.search(r"\b(?:for|while)\b", text_of(function))):
        return False
    used = [function.__globals__.get(name) for name in function.__code__.co_names]
    if not set(BACKWARD).isdisjoint(function.__code__.co_names) and steps_plainly(function):
        return True
    return "self" in function.__code__.co_varnames or any(
        inspect.isfunction(one) and one.__module__ == function.__module__ for one in used
    )


def steps_plainly(function: Callable) -> bool:
    """Whether all that a function multiplies by a learning rate is a single factor, and is taken off."""
    changes = [(change.op, factors(change.by)) for change in changes_in(tree_of(function))]
    return all(isinstance(op, ast.Sub) and len(found) == 2 for op, found in changes if any(map(called_rate, found)))


def own_returns(function: Callable) -> Iterator[ast.expr]:
    """What a function returns, without what functions in it return."""
    waiting = [line for node in tree_of(function).body for line in getattr(node, "body", [])]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)


def pair_returned(function: Callable) -> Iterator[str]:
    """The names that are returned beside others, those in `return loss, (dW, db)` and `return loss, grads` too."""
    for node in own_returns(function):
        for part in node.elts if isinstance(node, ast.Tuple) else ():
            yield from (called(without_call(one), 0) for one in getattr(part, "elts", [part]))


def without_call(node: ast.expr) -> ast.expr:
    """grad of grad.ravel(), which np.ravel(grad) is too."""
    while isinstance(node, ast.Call):
        of_array = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") not in ("np", "numpy")
        node = node.func.value if of_array else node.args[0] if node.args else ast.Constant("")
    return node
