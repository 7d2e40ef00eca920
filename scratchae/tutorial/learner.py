"""Loads a learner's file, and finds what can be checked in it.

Checked are every class with a forward and a backward, or the instances of it that the file makes; losses and penalties, as functions,
classes or two functions that belong together; optimizers; and models of the library. Inputs are random numbers. If the file
has an array with the name of an argument (x, prediction, target, z), that array is used too.
"""

from __future__ import annotations

import importlib.util
import inspect
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import OptionError
from ..models import Model
from ..optimizers import Optimizer
from ..study.styles import engines, losses, matrices
from ..study.styles.functions.loops import loops_of, trains
from ..study.styles.functions.stepping import by_steps
from ..study.styles.functions.tables import of_table
from ..study.styles.functions.three import in_three
from ..study.styles.functions.trained import Script
from ..study.styles.objects import closures
from ..study.styles.optimizers.updating import is_state
from ..study.styles.optimizers.ways import is_factory
from ..study.styles.text.calls import method_of, parameters_of, required
from ..study.styles.text.names import BACKWARD, COSTS, FORWARD, IS_SLOPE, OF_METHODS, UPDATE, partner, plain
from ..study.trials import clipping, descents, layers, loops, models, optimizers, readings, zeroing
from ..study.trials.result import Result
from .fallback import of_class, or_of_functions, or_several
from .looked import instrumented, repeats_steps, written_in
from .objects import NotCheckableError, array_of, instance
from .others import (
    any_number,
    is_helper,
    of_another,
    of_pair,
    others_like,
    takes_all,
    together,
    unless_of_another,
    written_out,
)
from .readers import (
    check_activation,
    check_engine,
    check_function,
    check_function_class,
    check_layer,
    check_loss_class,
    check_optimizer,
    check_two,
    gives_no_value,
    returned,
    with_options,
)
from .remaining import Subject, found_now, next_unlooked, not_looked_at, own

HOW = """nothing to check: write a class with `forward(self, x)` and `backward(self, dy)`, or a loss `def loss(prediction, target)` that returns (value, gradient), or an optimizer with `update(self, parameters, gradient)`. The shortest that works:
    class Twice:
        def forward(self, x): return 2 * x
        def backward(self, dy): return 2 * dy"""


def load(path: Path) -> ModuleType:
    """The file as a module, as `python FILE` would load it: it can import the files beside it."""
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(f"_learner_{path.stem}", path)
    if spec is None:
        raise OptionError(f"check: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    # not by spec.loader, which takes a .pyc for the file if their sizes and seconds agree: what was mended just now would be wrong still
    vars(module)["__ran__"] = set()
    exec(instrumented(path.read_bytes(), str(path)), vars(module))
    return module


def subjects(module: ModuleType) -> list[Subject]:
    """Everything in the file that can be checked. Raises NotCheckableError if there is nothing."""
    found = [*of_classes(module), *of_functions(module), *of_tables(module), *of_rules(module), *of_models(module)]
    found += of_others(module, found)
    found += of_loops(module)
    for name, _, function in written_in(module):
        found += found_now(name, function, vars(module), partial(zeroing.examine, function))
    if not (found := found or next_unlooked(module, set(), set()) or [*of_values(module)]):
        raise NotCheckableError(HOW)
    return found


def of_classes(module: ModuleType) -> Iterator[Subject]:
    classes = written_out(own(module, inspect.isclass).values())
    classes += filter(None, map(closures.class_of, own(module, inspect.isfunction).values()))
    for cls in classes:
        if issubclass(cls, Model):
            continue
        check = check_of(cls)
        if check is None:
            continue
        for i, (title, value) in enumerate(instances(module, cls)):
            others = None if i else cls  # of several instances, one is enough to try the class with other options
            arguments = check, title, value, cls, others, vars(module)
            yield Subject(title, cls if value is None else value, partial(or_several, *arguments))


def instances(module: ModuleType, cls: type) -> Iterator[tuple[str, Any]]:
    """The objects of a class that the file makes, with their titles; if there are none, the class, with None."""
    made = {name: value for name, value in vars(module).items() if type(value) is cls}
    for name, value in (made or {"": None}).items():
        yield (f"{cls.__name__} ({name})" if name else cls.__name__), value


def check_of(cls: type) -> Callable[..., Result] | None:
    """How objects of a class are checked; None if it is nothing that can be."""
    if engines.is_engine(cls):
        return check_engine
    if any_number(cls):
        return None
    if losses.is_loss(cls):
        return partial(with_options, check_loss_class)
    if is_layer(cls):
        return check_layer
    if updating(cls) and (issubclass(cls, Optimizer) or (takes_gradients(cls) and not method_of(cls, COSTS))):
        return check_optimizer
    value, slope = method_of(cls, OF_METHODS[0]), method_of(cls, OF_METHODS[1])
    if value and slope:
        check = check_activation if len(required(getattr(cls, value))) <= 2 else check_loss_class
        return partial(with_options, check)
    return check_function_class if "__call__" in vars(cls) and not is_helper(cls) else None


def is_layer(value: Any) -> bool:
    return bool(method_of(value, FORWARD) and method_of(value, BACKWARD))


def updating(cls: type) -> str | None:
    """The method of a class that updates parameters, if it is an optimizer; its call, if it is made with a learning rate."""
    made = {plain(p.name) for p in parameters_of(cls)}
    return method_of(cls, UPDATE[:-1]) or (
        "__call__" if "__call__" in vars(cls) and made & set(optimizers.SETTINGS["lr"]) else None
    )


def takes_gradients(cls: type) -> bool:
    """Whether a class is an optimizer: its update takes gradients, or its name or constructor tells of a learning rate."""
    names = [plain(p.name) for p in parameters_of(getattr(cls, updating(cls)))[1:]]
    told = any(
        name.startswith(("grad", "dw", "dp", "dtheta")) or name in ("g", "layer", "layers", "model", "network")
        for name in names
    )
    made = [plain(p.name) for p in parameters_of(cls)]
    return told or any(name in optimizers.SETTINGS["lr"] for name in made)


def of_functions(module: ModuleType) -> Iterator[Subject]:
    file, used, all_own = vars(module), set(), own(module, inspect.isfunction)
    for name, value in all_own.items():
        slope = partner(name, all_own)
        if slope and not of_another(name, slope, all_own) and not takes_all(value, all_own[slope]):
            used |= {name, slope, *others_like(slope, all_own)}
            checks = of_pair(name, slope, all_own, file)
            yield from (Subject(title, value, check) for title, check in checks)
            for other in others_like(slope, all_own):
                yield Subject(other, all_own[other], partial(check_two, other, value, all_own[other], file))
    of_nets = {part for one in in_three(all_own) for part in one.parts}
    for name, value in all_own.items():
        if name in used:
            continue
        if flag := losses.flagged(value):
            used.add(name)
            yield Subject(name, value, partial(check_two, name, *losses.with_flag(value, flag), file))
        elif is_update(value):
            yield Subject(name, value, partial(optimizers.examine, name, value, None))
        elif value in of_nets:
            continue
        elif len(required(value)) in (1, 2) and is_function_to_check(name, value, file):
            yield Subject(name, value, partial(or_of_functions, name, all_own, check_function, name, value, file))
        elif descents.roles(value):
            yield Subject(name, value, partial(descents.examine, name, value))
        elif clipping.is_clipping(name, value):
            yield Subject(name, value, partial(clipping.examine, name, value))
        elif is_factory(value):
            yield Subject(name, value, partial(optimizers.examine, name, None, value))


def of_values(module: ModuleType) -> Iterator[Subject]:
    """Losses without a gradient, in a file that has nothing else."""
    for name, value in own(module, inspect.isfunction).items():
        if len(required(value)) == 2 and is_function_to_check(name, value, vars(module), alone=True):
            yield Subject(name, value, partial(check_function, name, value, vars(module)))


def of_others(module: ModuleType, found: list[Subject]) -> Iterator[Subject]:
    """Functions and classes with a value and gradients in a form that no other check reads, such as of several arguments."""
    file = vars(module)
    functions = {name: one for name, one in own(module, inspect.isfunction).items() if not repeats_steps(one)}
    for name, pairs in together(functions, found).items():
        check = partial(unless_of_another, pairs, functions, file)
        yield from found_now(name, pairs[-1].source, file, check)
    for name, steps in itertools.groupby(by_steps(own(module, inspect.isfunction)), lambda one: one.name):
        if name not in {subject.name for subject in found}:
            group = [*steps]
            yield from found_now(name, group[-1].source, file, partial(readings.best, group, file))
    for group in matrices.with_matrix(own(module, inspect.isfunction)):
        check = partial(readings.best, group, file, by_trying=len(group) == 1)
        yield from found_now(group[0].name, group[0].source, file, check)
    left = written_out(own(module, inspect.isclass).values())
    for name, cls in own(module, inspect.isclass).items():
        if cls in left and check_of(cls) is None and not issubclass(cls, Model):
            yield from found_now(name, cls, file, partial(of_class, name, cls, None, file))


def of_loops(module: ModuleType) -> Iterator[Subject]:
    """The loops of a script that train: of loops in each other the first that can be read; none of them, where that plainly gives gradients."""
    read, unread = set(), {}
    for loop in loops_of(vars(module), Path(module.__file__).read_bytes()):
        place, inside = Script(loop), unread.keys() & set(loop.lines)
        if not read.isdisjoint(loop.lines):
            continue
        found = [*found_now(place.name, place.source, vars(module), partial(loops.examine, place))]
        if found:
            read.add(loop.lines.start)
            unread = {line: other for line, other in unread.items() if line not in inside}
        elif trains(loop.body) and not inside:
            unread[loop.lines.start] = place
        yield from found
    yield from (Subject(one.name, one.source, partial(not_looked_at, one.name)) for one in unread.values())


def of_tables(module: ModuleType) -> Iterator[Subject]:
    """The entries of a table of functions and their derivatives, {"tanh": (f, f_prime)} or {"tanh": {"f": …, "df": …}}."""
    functions = own(module, inspect.isfunction)
    for title, table in vars(module).items():
        for key, entry in table.items() if isinstance(table, dict) and not title.startswith("_") else ():
            pair = tuple(entry.values()) if isinstance(entry, dict) else entry
            of_both = len(required(functions.get(key, len))) == 2  # unless the function itself is one of the two
            if (
                isinstance(key, str)
                and isinstance(pair, tuple | list)
                and len(pair) == 2
                and all(map(callable, pair))
                and not (of_both and pair[0] is not functions.get(key))
            ):
                value, slope = (named(f"{title}[{key!r}]", f) for f in pair)
                yield Subject(value.__name__, pair[1], partial(check_two, value.__name__, value, slope, vars(module)))


def of_rules(module: ModuleType) -> Iterator[Subject]:
    """The entries of a table of functions and the derivatives in their arguments, {multiply: (…, …)}."""
    functions = own(module, inspect.isfunction)
    for title, table in vars(module).items():
        for name, reading in of_table(title, table, functions) if isinstance(table, dict) and title[0] != "_" else ():
            yield from found_now(name, reading.source, vars(module), partial(readings.best, [reading], vars(module)))


def named(name: str, function: Callable) -> Callable:
    """A function of a table, such as a lambda or np.tanh, under the name of its entry."""
    needed = required(function) or [inspect.Parameter("x", inspect.Parameter.POSITIONAL_OR_KEYWORD)]

    def twin(*arguments: Any) -> Any:
        return function(*arguments)

    twin.__name__, twin.__signature__, twin.source = name, inspect.Signature(needed), function
    return twin


def is_update(function: Callable) -> bool:
    """Whether it is an optimizer as a function: (w, dw, config) -> (w, config)."""
    names = [plain(p.name) for p in parameters_of(function)]
    told = len(names) >= 3 and (names[1] == f"d{names[0]}" or names[1].startswith("grad"))
    return (
        len(names) >= 3
        and names[0] in ("w", "p", "x", "theta", "param", "params", "parameters", "weights")
        and names[1].startswith(("d", "g"))
        and any(name in ("config", "lr", "learningrate", "state") or (told and is_state(name)) for name in names[2:])
    )


def is_function_to_check(name: str, function: Callable, file: Mapping[str, Any], alone: bool = False) -> bool:
    """Whether it is a loss or penalty, and no helper function, such as an accuracy, which counts if the file has nothing else (alone)."""
    needed = required(function)
    a_loss = len(needed) == 2 and losses.target_place(function) is not None
    named = a_loss and (losses.looks_like_loss(name) or plain(needed[1].name) in ("target", "targets", "t"))
    try:
        found = returned(function, len(needed), file)
    except NotImplementedError:
        return len(needed) == 1 or a_loss
    slopes = isinstance(found, tuple) and np.ndim(found[0]) > 0 and bool(IS_SLOPE.search(name))  # dW1, db1 of a cost
    if not alone and (slopes or isinstance(found, np.ndarray | np.generic | int | float | str | Iterator)):
        return False
    helper = gives_no_value(found) or (found is None and bool(IS_SLOPE.search(name)))
    if named and not (helper and not losses.looks_like_loss(name)):
        return True
    pair = isinstance(found, tuple) and 2 <= len(found) <= 1 + len(needed) and np.ndim(found[0]) == 0
    return pair and hasattr(found[1], "shape") and np.ndim(found[1]) > 0


def of_models(module: ModuleType) -> Iterator[Subject]:
    """Models of the library, made in the file or of a class of it."""
    for cls in own(module, inspect.isclass).values():
        for title, value in instances(module, cls) if issubclass(cls, Model) else ():
            check = partial(models.examine, title, value, cls, array_of(vars(module), "x"))
            yield Subject(title, cls if value is None else value, check)


def subject(name: str, value: Any, inputs: tuple[np.ndarray, ...]) -> Subject:
    """A layer, loss, penalty or optimizer of a notebook, with the inputs to check it on, if there are any."""
    cls = value if inspect.isclass(value) else type(value)
    names = ["x"] if is_layer(value) else [p.name for p in required(value)] if callable(value) else []
    file = dict(zip(names, inputs, strict=False))
    if inspect.isfunction(value) and len(required(value)) in (1, 2):
        return Subject(name, value, lambda: check_function(name, value, file))
    check = None if inspect.isfunction(value) else check_of(cls)
    if check is None:
        raise NotCheckableError(
            f"{name}: there is nothing to compare. A layer has forward(x) and backward(dy); a loss (prediction, target), or a "
            "penalty (z), returns (value, gradient)"
        )
    made = None if inspect.isclass(value) else value
    if inputs and check is check_layer:
        return Subject(name, value, lambda: layers.examine(name, instance(cls, made), given=inputs[0], alone=True))
    return Subject(name, value, lambda: check(name, made, cls, None if inputs else cls, file))
