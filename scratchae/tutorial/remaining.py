"""What can be checked of a file, and what is left when all that is found at first has been checked."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ..study.styles.classes import methods
from ..study.styles.functions.inside import of_function as in_its_lines
from ..study.styles.functions.loops import trains
from ..study.styles.functions.three import without_cost
from ..study.styles.functions.trained import Trained, loops_that_train
from ..study.styles.objects.fresh import Objects
from ..study.styles.text.calls import required
from ..study.styles.text.names import partner
from ..study.styles.text.written import text_of
from ..study.trials import inside, loops, readings
from ..study.trials.result import Result
from .fallback import ON_PURPOSE
from .looked import noting, unlooked, written_in
from .models import SMALL, of_cost, of_method
from .objects import NotCheckableError
from .readers import check_two

# what trains by itself, even if it has run elsewhere to make the parameters
WHOLE = re.compile(r"_*(?:fit|train|learn|optimi[sz]e|run|sgd|gradient_descent)(?!.*(?:step|batch|one|back|bptt))\w*")


@dataclass(frozen=True)
class Subject:
    """Something to check: its name in the file, what to point at in messages, the check, and what of the file ran for it already."""

    name: str
    value: Any
    check: Callable[[], Result]
    ran: frozenset[int] = frozenset()


def own(module: ModuleType, kind: Callable[[Any], bool]) -> dict[str, Any]:
    """What the file itself defines, without what begins with an underscore."""
    return {
        name: value
        for name, value in vars(module).items()
        if kind(value) and getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
    }


def found_now(name: str, value: Any, file: dict[str, Any], check: Callable[[], Result | None]) -> Iterator[Subject]:
    """A check that has to run before it is known whether there is something to check; then it is not run again."""
    ran: set[int] = set()
    with noting(file, ran):
        result = check()
    if result is not None:
        yield Subject(name, value, lambda: result, frozenset(ran))


def next_unlooked(module: ModuleType, ran: set[int], tried: set[str]) -> list[Subject]:
    """The next that gives gradients and that no check has run; `tried` are the names of those before."""
    left = {name for name, _, _ in unlooked(module, ran)}
    for name, cls, function in written_in(module):
        if name in tried:
            continue
        nodes = loops_that_train(function)
        alone = function.__code__.co_firstlineno not in ran or WHOLE.fullmatch(function.__name__)
        on_purpose = cls is not None and ON_PURPOSE.search(text_of(cls))  # of which its check speaks
        if on_purpose or not (name in left or (nodes and alone)):
            continue
        tried.add(name)
        checks = [functools.partial(of_loops, name, function, nodes, cls)]
        if name in left and cls:
            checks.insert(0, functools.partial(of_method, cls.__name__, cls, None, function.__name__))
            checks.insert(0, functools.partial(of_pair, cls, function.__name__, vars(module)))
            checks.insert(0, functools.partial(of_activation, name, cls, function.__name__))
        elif name in left:
            functions = own(module, inspect.isfunction)
            checks.insert(0, functools.partial(of_function, name, function, functions, vars(module)))
        for check in checks:
            if found := [*found_now(name, cls or function, vars(module), check)]:
                return found
        if name in left or any(trains(node.body) for node in nodes):
            return [Subject(name, function, functools.partial(not_looked_at, name))]
    return []


def of_loops(name: str, function: Callable, nodes: list[ast.For | ast.While], cls: type | None) -> Result | None:
    """A function or method that trains in a loop of its own: the first of its loops, and of sizes of its objects, that can be read."""
    for node in nodes:
        for objects in [Objects(cls, None, sizes, widths=True) for sizes in SMALL] if cls else [None]:
            result = loops.examine(Trained(name, function, node, objects))
            if result is not None:
                return result
    return None


def of_activation(name: str, cls: type, slope: str) -> Result | None:
    """A method that is the derivative of another, as sigmoid_prime(self, z) of sigmoid(self, z)."""
    methods = {key: one for key, one in inspect.getmembers(cls, inspect.isroutine) if key[:2] != "__"}
    value = next((one for one in methods if partner(one, methods) == slope), None)
    texts = [text_of(inspect.unwrap(methods[one])).replace(f"self.{value}(", "") for one in (value, slope) if value]
    if not texts or any("self." in one for one in texts):  # what an object keeps is more than an argument
        return None
    try:
        two = [getattr(Objects(cls).make(0), one) for one in (value, slope)]
        return check_two(name, *two, {}) if all(len(required(one)) == 1 for one in two) else None
    except Exception:  # it cannot be made, or is the derivative of something else
        return None


def of_pair(cls: type, slope: str, file: dict[str, Any]) -> Result | None:
    """A method that gives the gradients of another, whatever their names: penalty(weights) and gradient(weights)."""
    return readings.best(methods.of_slope(f"{cls.__name__}.{slope}", Objects(cls), slope), file)


def of_function(name: str, function: Callable, functions: dict[str, Callable], file: dict[str, Any]) -> Result | None:
    """A function that gives gradients: another one of a value whose gradients are checked, such as batchnorm_backward_alt; of a function
    of NumPy, tanh_prime; or of a cost."""
    known = getattr(np, re.sub(r"_(?:prime|deriv\w*|grad\w*)$", "", name), None)
    if isinstance(known, np.ufunc) and known.nin == len(required(function)) == 1:
        return check_two(name, lambda x: known(x), function, file)
    base = re.sub(r"_?(?:alt\w*|fast\w*|naive|efficient|simple\w*|vectori[sz]ed|loops?|v?\d)$", "", name)
    value = next((one for one in functions if base != name and partner(one, functions) == base), None)
    if value is not None:
        return check_two(value, functions[value], function, file)
    found = of_cost(function, functions)
    groups = itertools.chain(in_its_lines(name, function, functions), without_cost(name, functions))
    return inside.best(groups) if found is None else found


def not_looked_at(name: str) -> Result:
    raise NotCheckableError(
        f"{name} gives gradients or makes a step, and was not checked: what they belong to was not found"
    )
