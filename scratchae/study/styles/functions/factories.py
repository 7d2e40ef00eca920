"""A function that makes a value with its gradients: make_loss(weights) returns loss(y_hat, y) -> (value, gradient)."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping

from ..readings.apart import settings_of, words
from ..readings.returned import with_gradients
from ..readings.several import Arrays, Several
from ..text.calls import required
from ..text.written import returned_in, returns, tree_of

STEPS = re.compile(r"step|update|train|optim|sched|decorat|wrap", re.I)


def in_factories(functions: Mapping[str, Callable]) -> Iterator[Several]:
    """The readings of functions that return one that is written in them: it and its maker, handed all arguments of both."""
    for name, factory in functions.items():
        inner = made_in(factory)
        if inner is None or STEPS.search(f"{name} {inner.name}"):
            continue
        taken = [one.arg for one in inner.args.args[: len(inner.args.args) - len(inner.args.defaults)]]
        theirs = [inspect.Parameter(one, inspect.Parameter.POSITIONAL_OR_KEYWORD) for one in taken]
        ours = required(factory)
        if taken and not {p.name for p in ours} & {*taken}:
            run = functools.partial(of_both, factory)
            yield Several(name, factory, [*ours, *theirs], run, settings=settings_of(factory), parts=(factory,))


def made_in(factory: Callable) -> ast.FunctionDef | None:
    """The function that a function returns, if it is written in it and returns several things itself."""
    written = next(iter(tree_of(factory).body), None)
    inner = {one.name: one for one in getattr(written, "body", ()) if isinstance(one, ast.FunctionDef)}
    given = [inner.get(getattr(node, "id", "")) for node in returns(factory)]
    found = next(filter(None, given), None)
    if found is None or found.args.vararg or found.args.kwonlyargs:
        return None
    several = any(isinstance(node, ast.Tuple) for node in returned_in(ast.Module([found], [])))
    return found if several else None


def of_both(factory: Callable, arguments: Arrays, upstream: Callable) -> tuple[list, list]:
    made = factory(**words(factory, arguments))
    return with_gradients(made(**words(made, arguments)), made, upstream)
