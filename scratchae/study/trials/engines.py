"""The trials of an engine of automatic differentiation: each operation alone, nodes that are used twice, chains, arrays that stretch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..diagnosis.finding import finding
from ..styles.engines import Engine, MisshapenError, Operation, operations
from .result import RIGHT, UNUSABLE, WRONG, Result, Tried

STEP = 1e-6
SEEDS = 4
SHAPES = (
    (((2, 3),), ((3,),), ((3, 3),), ((),)),
    (((2, 3), (2, 3)), ((2, 3), (3, 4)), ((3,), (3,)), ((3, 3), (3, 3)), ((), ())),
)
STRETCHED = (((2, 3), (3,)), ((3,), (2, 3)), ((2, 3), (2, 1)), ((2, 1), (1, 3)), ((2, 3), ()), ((), (2, 3)))
DIFFERENTIABLE = re.compile(
    r"relu|tanh|sigmoid|exp|log|sum|mean|dot|mat|mm|\.T\b|transpose|sqrt|pow|sin|cos|soft|shape|abs|square|elu|norm"
)
MATRICES = re.compile(r"dot|mat|mm|add|mul|sub|div|pow")
Arrays = list[np.ndarray]


@dataclass
class Case:
    """An expression of one node or two, on arrays. alone: it is this operation, and nothing else."""

    text: str
    run: Callable
    shapes: Sequence[tuple[int, ...]]
    positive: bool
    alone: Operation | None = None
    only: int = 2  # how many of its nodes are looked at
    only: int = 2  # how many of its nodes are looked at

    def arrays(self, seed: int) -> Arrays:
        rng = np.random.default_rng(seed)
        sizes = [rng.uniform(0.3, 1.7, shape) for shape in self.shapes]
        return sizes if self.positive else [x * np.where(rng.uniform(size=x.shape) < 0.5, -1.0, 1.0) for x in sizes]


def usable(engine: Engine, case: Case) -> bool:
    """Whether an expression runs on every draw, and gives another node of finite numbers."""
    try:
        leaves = [engine.leaf(array) for array in case.arrays(0)]
        out = case.run(*leaves)
        if not isinstance(out, engine.cls) or any(out is leaf for leaf in leaves):
            return False
        values = [engine.value(case.run, case.arrays(seed)) for seed in range(SEEDS)]
        return all(value is not None and value.size and np.isfinite(value).all() for value in values)
    except NotImplementedError:
        raise
    except Exception:
        return False


def alone(engine: Engine, operation: Operation) -> Iterator[Case]:
    """An operation on arrays of each shape on which it runs, of both signs, or above 0 where it wants that."""
    for shapes in SHAPES[operation.count - 1][-1:] if engine.scalar else SHAPES[operation.count - 1]:
        for positive in (False, True):
            case = Case(operation.text, operation.run, shapes, positive, operation)
            if usable(engine, case):
                yield case
                break


def together(engine: Engine, case: Case, known: Mapping[str, Case]) -> Iterator[Case]:
    """A node used twice by an operation, its result used twice, its operands used elsewhere too, and chains with others."""
    f, text, forms = case.run, case.text, []
    if len(case.shapes) == 2:
        twice = Case(re.sub(r"\bb\b", "a", text), lambda a: f(a, a), case.shapes[:1], case.positive)
        yield from filter(partial(usable, engine), [twice])
    for sign in ("*", "+"):
        if f"a {sign} b" in known:
            join = known[f"a {sign} b"].run
            for i, one in enumerate("ab"[: len(case.shapes)]):
                if np.shape(engine.value(f, case.arrays(0))) == case.shapes[i]:
                    forms.append((f"({text}) {sign} {one}", lambda *n, i=i, join=join: join(f(*n), n[i])))
                    forms.append((f"{one} {sign} ({text})", lambda *n, i=i, join=join: join(n[i], f(*n))))
            forms.append((f"s {sign} s, where s = {text}", lambda *n, join=join: (lambda s: join(s, s))(f(*n))))
    if {"a + b", "a * b"} <= set(known):
        forms.append((f"s * s + s, where s = {text}", lambda *n: (lambda s: s * s + s)(f(*n))))
    others = [one for one in known.values() if len(one.shapes) == 1 and one.alone is not case.alone]
    forms += [(re.sub(r"\ba\b", f"({text})", one.text), lambda *n, g=one.run: g(f(*n))) for one in others[:6]]
    for text, run in forms:
        made = [Case(text, run, case.shapes, positive) for positive in (case.positive, True)]
        yield from [one for one in made if usable(engine, one)][:1]


def fault(engine: Engine, case: Case) -> str:
    """Where the derivative of the sum of an expression, in the direction of a node, is not its slope. Raises what the engine raises."""
    for seed in range(SEEDS):
        arrays, rng = case.arrays(seed), np.random.default_rng(seed + 50)
        directions = [rng.standard_normal(array.shape) for array in arrays]
        centre = engine.value(case.run, arrays)
        for i, got in enumerate(engine.slopes(case.run, arrays, directions)[: case.only]):
            sides = [
                engine.value(
                    case.run, [a + sign * STEP * directions[i] if i == j else a for j, a in enumerate(arrays)]
                )
                for sign in (-1, 1)
            ]
            left, right = float(np.sum(centre - sides[0])) / STEP, float(np.sum(sides[1] - centre)) / STEP
            slack = 1e-5 * max(1.0, abs(left), abs(right))
            if (
                not min(left, right) - slack <= got <= max(left, right) + slack
            ):  # at a corner, any slope between them will do
                shapes = " and ".join(str(shape) for shape in case.shapes)
                of = f", of shape {shapes}" if any(case.shapes) else ""
                return f"in a random direction of {'ab'[i]}{of}, the derivative is {got:.6g}, and the slope {(left + right) / 2:.6g}"
    return ""


def differentiated(engine: Engine, case: Case) -> int:
    """How many of its nodes an operation is meant to be differentiated in: not in a target, and not at all where its name is unknown."""
    if case.alone.wanted is not None or case.text[:1] == "-":
        return len(case.shapes)
    arrays = case.arrays(0)
    found = engine.slopes(case.run, arrays, [np.ones_like(array) for array in arrays])
    if found[0] == 0 and not any(found) and not DIFFERENTIABLE.search(case.text):
        return 0
    return 1 if len(found) == 2 and found[1] == 0 and not MATRICES.search(case.text) else len(found)


def examine(name: str, cls: type, functions: Mapping[str, Callable]) -> Result:
    """Check an engine. functions: those of its file, of which some may be operations."""
    engine, tried = Engine.of(cls), Tried()
    known: dict[str, Case] = {}
    with np.errstate(all="ignore"):
        for operation in operations(cls, functions):
            cases, refused = [*alone(engine, operation)], None
            for case in cases:
                try:
                    case.only = differentiated(engine, case)
                    if said := value_differs(engine, case) or fault(engine, case):
                        return wrong(case, said, tried)
                except NotImplementedError:
                    raise
                except Exception as error:  # of its backward: forward runs
                    refused = refused or (case, error)
                    continue
                tried.trials += 1
                if case.only < len(case.shapes):
                    tried.left_out.append(f"{case.text}: not all of it is differentiated")
                else:
                    known.setdefault(operation.text, case)
            if refused and operation.text not in known:
                return failed(*refused, tried)
        if not known:
            error = TypeError(f"{name}: nothing was found that can be calculated with its objects, such as a + b")
            return Result(UNUSABLE, "", error=error)
        for case in [made for one in known.values() for made in together(engine, one, known)]:
            try:
                said = fault(engine, case)
            except Exception:  # such as a sum along an axis of a single number, which NumPy takes
                continue
            tried.trials += 1
            if said:
                return wrong(case, said, tried)
        if found := stretched(engine, known, tried):
            return found
    says = f"{len(known)} operations have the derivatives of their values, alone and together: {', '.join(known)}"
    return Result(RIGHT, says, tried=tried)


def value_differs(engine: Engine, case: Case) -> str:
    """Where an operation of which the meaning is known, such as 2 - a, has another value."""
    if case.alone.wanted is None:
        return ""
    arrays = case.arrays(0)
    got, should = engine.value(case.run, arrays), case.alone.wanted(*arrays)
    if np.shape(got) == np.shape(should) and np.allclose(got, should):
        return ""
    numbers = [f"{name} = {array.ravel()[0]:.4g}" for name, array in zip("ab", arrays, strict=False)]
    return f"its value is {np.ravel(got)[0]:.4g} for {' and '.join(numbers)}, and should be {np.ravel(should)[0]:.4g}"


def wrong(case: Case, said: str, tried: Tried) -> Result:
    kind = "operation_alone" if case.alone else "operation_together"
    line = case.alone.line if case.alone else ""
    return Result(WRONG, "", findings=(finding(kind, (), said, which=f"`{case.text}`{line}"),), tried=tried)


def failed(case: Case, error: Exception, tried: Tried) -> Result:
    """Forward runs, and backward raises an error or gives a gradient of another shape."""
    if isinstance(error, MisshapenError):
        return wrong(case, str(error), tried)
    return wrong(case, f"forward runs, and backward raises {type(error).__name__}: {error}", tried)


def stretched(engine: Engine, known: Mapping[str, Case], tried: Tried) -> Result | None:
    """Operations on arrays of which one is stretched: wrong if the engine undoes it in some and not in others, or with other numbers."""
    for shapes in () if engine.scalar else STRETCHED:
        refused, right = None, False
        for case in known.values():
            made = Case(case.text, case.run, shapes, case.positive, case.alone)
            if case.shapes != SHAPES[1][0] or not usable(engine, made):  # of each number by itself
                continue
            try:
                said = fault(engine, made)
            except Exception as error:
                refused = refused or (made, error)
                continue
            tried.trials += 1
            right = right or not said
            if said:
                return wrong(made, said, tried)
        if refused and right:
            return failed(*refused, tried)
        if refused:
            tried.left_out.append(
                f"arrays of different shapes, such as {' and '.join(map(str, shapes))}: no operation takes them"
            )
    return None
