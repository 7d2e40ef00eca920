"""Faults that no comparison of gradients shows: inputs changed in place, gradients added up, stale caches, other dtypes."""

from __future__ import annotations

import ast
import copy
import inspect
import re
import sys
from collections.abc import Iterator

import numpy as np

from ..styles.layers.adapted import Adapted
from ..styles.text.calls import method_of, required
from ..styles.text.names import BACKWARD, FORWARD, RATES, UPDATE, plain
from ..styles.text.written import called_rate, factors, taken_off_in, text_of, tree_of
from .experiment import (
    REFUSALS,
    Arrays,
    Experiment,
    FunctionExperiment,
    LayerExperiment,
    ModelExperiment,
    offering,
)
from .finding import Finding, finding

ZEROING = re.compile(r"(?:zero|clear|reset)_?grad", re.I)
MAY_SET = re.compile(
    r"zero|fill|clear|reset|= ?0(?:\.0*)?(?![\d.])|\{\}|\w*grad\w*(?:\[[^]]*\])? = |\[\.\.\.\] = ", re.I
)


def behaviour(experiment: Experiment) -> list[Finding]:
    """Everything that is wrong with the subject's behaviour, whether or not its gradients are right."""
    if isinstance(experiment, FunctionExperiment):
        questions = (random, modified_by_function, widened_by_function)
    elif isinstance(experiment, ModelExperiment):
        questions = (random, modified_by_model, repeated)
    else:
        questions = (random, modified, repeated, widened)
        if isinstance(experiment.subject, Adapted) and experiment.subject.updates:
            questions = (random,)  # a backward that trains changes its parameters
    found = []
    for question in questions:
        try:
            found += question(experiment)
        except REFUSALS:  # the subject does not work under these conditions, so they show nothing
            continue
        if any(fault.kind == "random" for fault in found):
            break  # then no other result means anything
    return found


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)


def random(experiment: Experiment) -> Iterator[Finding]:
    """Does the same x give the same y, in a fresh subject and in one that has run?"""
    subject = experiment.fresh()
    first = experiment.value(subject, experiment.inputs)
    second = experiment.value(subject, experiment.inputs)
    if not np.allclose(first, second, rtol=1e-9, atol=0, equal_nan=True):
        far = float(np.nanmax(np.abs(first - second)))
        yield finding("random", (), f"two calls of forward on the same numbers differ by up to {far:.3g}")
    elif isinstance(subject, Adapted):
        subject.seed = 1
        far = float(np.nanmax(np.abs(experiment.value(subject, experiment.inputs) - second), initial=0))
        if far:
            yield finding("draws", (), f"with another state of np.random, y differs by up to {far:.3g}")


def modified(experiment: LayerExperiment) -> Iterator[Finding]:
    subject, x = experiment.fresh(), experiment.inputs["x"].copy()
    before = parameters(experiment, subject)
    with offering():
        y = np.array(subject.forward(x, experiment.rng()))
    yield from changed("forward", "x", experiment.inputs["x"], x)
    yield from changed_parameters("forward", before, parameters(experiment, subject))
    kept = x.copy()
    r = experiment.upstream(y)
    dy = r.copy()
    before = parameters(experiment, subject)
    with offering():
        subject.backward(dy)
    yield from changed("backward", "dy", r, dy)
    yield from changed("backward", "x", kept, x)
    yield from changed_parameters("backward", before, parameters(experiment, subject))


def modified_by_model(experiment: ModelExperiment) -> Iterator[Finding]:
    subject, x = experiment.fresh(), experiment.inputs["x"].copy()
    before = parameters(experiment, subject)
    with offering():
        subject.training_step(x, experiment.rng())
    yield from changed("training_step", "x", experiment.inputs["x"], x)
    yield from changed_parameters("training_step", before, parameters(experiment, subject))


def modified_by_function(experiment: FunctionExperiment) -> Iterator[Finding]:
    given = {name: array.copy() for name, array in experiment.inputs.items()}
    with offering():
        experiment.subject(*given.values())
    for name, array in experiment.inputs.items():
        yield from changed("the call", name, array, given[name])


def parameters(experiment: LayerExperiment, subject: object) -> Arrays:
    return {
        name: np.array(getattr(leaf, attribute)) for name, (leaf, attribute) in experiment.places(subject).items()
    }


def changed(method: str, name: str, before: np.ndarray, after: np.ndarray) -> Iterator[Finding]:
    if not same(before, after):
        index = tuple(map(int, np.argwhere(before != after)[0]))
        evidence = f"{name}{list(index)} was {before[index]:.6g} before the call and is {after[index]:.6g} after it"
        yield finding("input_modified", (), evidence, method=method, array=name)


def changed_parameters(method: str, before: Arrays, after: Arrays) -> Iterator[Finding]:
    for name in before:
        yield from changed(method, f"the parameter {name}", before[name], after[name])


def repeated(experiment: LayerExperiment) -> Iterator[Finding]:
    """Run the same step once, and again after another step."""
    y, once = experiment.run()
    r = experiment.upstream(y)
    subject = experiment.fresh()
    experiment.run(subject=subject)
    _, twice = experiment.run(subject=subject)
    summed = tuple(name for name, g in once.items() if not close(twice[name], g) and close(twice[name], g + g))
    if summed and zeroed_elsewhere(experiment.subject):
        if set_anew := tuple(name for name, g in once.items() if name not in (*summed, "x") and np.any(g)):
            evidence = f"the same step twice: {', '.join(summed)} get the sum of both gradients, and {', '.join(set_anew)} that of the second"
            yield finding("added_in_part", set_anew, evidence)
    elif summed:
        g, h = once[summed[0]], twice[summed[0]]
        index = largest(g)
        evidence = f"the same step twice: ∂L/∂{summed[0]}{list(index)} is {g[index]:.6g} after the first, {h[index]:.6g} after the second"
        every = isinstance(subject, Adapted) and len(summed) == len(experiment.places(subject)) > 1
        every = every and not steps_with_them(subject.theirs)
        yield finding("added_up" if every else "accumulated", summed, evidence)
    yield from added_in_part(experiment, r, once)

    x = experiment.inputs["x"]
    elsewhere = experiment.beside(np.roll(x, 1, axis=0) if len(x) > 1 else x * 0.9)
    subject = experiment.fresh()
    elsewhere.run(r=r, subject=subject)
    _, after = experiment.run(subject=subject)
    stale = tuple(name for name, g in once.items() if name not in summed and not close(after[name], g))
    if stale:
        g, h = once[stale[0]], after[stale[0]]
        index = largest(g - h)
        evidence = f"∂L/∂{stale[0]}{list(index)} is {g[index]:.6g} in a new layer, and {h[index]:.6g} at the same x and dy after a step on another x"
        yield finding("stale", stale, evidence)


def added_in_part(experiment: LayerExperiment, r: np.ndarray, once: Arrays) -> Iterator[Finding]:
    """Of an object that sets its gradients to 0 by a method of its own: whether some are added up, and others are not."""
    subject = experiment.fresh()
    if not isinstance(subject, Adapted) or not subject.zeroing():
        return
    experiment.run(r=r, subject=subject)
    subject.zeroes = False
    _, twice = experiment.run(r=r, subject=subject)
    names = [name for name in once if name in experiment.places(subject)]
    set_anew = tuple(name for name in names if close(twice[name], once[name]) and np.any(once[name]))
    if set_anew and len(set_anew) < len(names):
        others = ", ".join(f"∂L/∂{name}" for name in names if name not in set_anew)
        yield finding(
            "added_in_part",
            set_anew,
            f"without {subject.zeroing()[0].__name__}(), a second step is added to {others}",
        )


def zeroed_elsewhere(subject: object) -> bool:
    """Whether the file of a person's layer has something that sets gradients to zero, so that backward is meant to add to them."""
    module = sys.modules.get(type(getattr(subject, "theirs", None)).__module__)
    things = [*vars(module).values()] if module is not None and isinstance(subject, Adapted) else []
    own = [thing for thing in things if getattr(thing, "__module__", None) == module.__name__]
    names = [name for thing in own for name in (getattr(thing, "__name__", ""), *getattr(thing, "__dict__", ()))]
    return any(ZEROING.search(name) for name in names)


def steps_with_them(thing: object) -> bool:
    """Whether an object makes steps with its own gradients, and nothing of its file besides its constructor and passes could set them to 0."""
    cls, module = type(thing), sys.modules.get(type(thing).__module__)
    step = method_of(cls, UPDATE[:-1]) or next(filter(lambda name: descends(vars(cls)[name]), vars(cls)), None)
    if module is None or step is None or any(plain(p.name) not in RATES for p in required(getattr(cls, step))[1:]):
        return False
    rest = ast.parse(text_of(module))
    for node in ast.walk(rest):
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__:
            passes = ("__init__", *FORWARD, *BACKWARD)
            node.body = [one for one in node.body if getattr(one, "name", "") not in passes] or [ast.Pass()]
    return not MAY_SET.search(ast.unparse(rest))


def descends(method: object) -> bool:
    """Whether a method, under any name, takes off something times a learning rate, and is no backward."""
    if not inspect.isfunction(method) or method.__name__ in BACKWARD:
        return False
    return any(called_rate(factor) for value in taken_off_in(tree_of(method)) for factor in factors(value))


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two gradients are the same to rounding. NaN counts as the same: another rule reports it."""
    finite = np.isfinite(a) & np.isfinite(b) if a.shape == b.shape else np.array(False)
    scale = float(np.abs(b).max(initial=0, where=np.isfinite(b)))
    return a.shape == b.shape and bool(np.all(np.abs(a - b)[finite] <= 1e-9 * scale))


def largest(a: np.ndarray) -> tuple[int, ...]:
    return tuple(map(int, np.unravel_index(np.nanargmax(np.abs(a)), a.shape)))


def widened(experiment: LayerExperiment) -> Iterator[Finding]:
    layer = copy.deepcopy(experiment.subject).to(dtype=np.float32)
    with offering():
        y = layer.forward(experiment.inputs["x"].astype(np.float32), experiment.rng())
        dx = layer.backward(experiment.upstream(y).astype(np.float32))
    if y.dtype != np.float32:
        yield finding("dtype", (), f"forward: x float32, y {y.dtype}", which=f"y comes out as {y.dtype}")
    if dx.dtype != np.float32 and y.dtype == np.float32:
        yield finding("dtype", ("x",), f"backward: dy float32, dx {dx.dtype}", which=f"dx comes out as {dx.dtype}")
    for name, (leaf, attribute) in experiment.places(layer).items():
        gradient = getattr(leaf, "d" + attribute)
        if gradient.dtype != np.float32 and y.dtype == np.float32:
            evidence = f"backward: dy and {name} float32, ∂L/∂{name} {gradient.dtype}"
            yield finding("dtype", (name,), evidence, which=f"the gradient comes out as {gradient.dtype}")


def widened_by_function(experiment: FunctionExperiment) -> Iterator[Finding]:
    with offering():
        _, *gradients = experiment.subject(
            *(array.astype(np.float32) if array.dtype.kind == "f" else array for array in experiment.inputs.values())
        )
    for name, gradient in zip(experiment.inputs, gradients, strict=False):
        if gradient.dtype != np.float32:
            evidence = f"{', '.join(experiment.inputs)} float32, ∂L/∂{name} {gradient.dtype}"
            yield finding("dtype", (name,), evidence, which=f"the gradient comes out as {gradient.dtype}")
