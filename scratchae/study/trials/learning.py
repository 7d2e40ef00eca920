"""A class that trains in a loop of its own, fit(X, y): its own loss falls, and a batch larger than the data is as good as all of it."""

from __future__ import annotations

import contextlib
import inspect
import io
import itertools
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..diagnosis.finding import Finding, finding
from ..styles.classes.steps import set_rate
from ..styles.objects.copies import duplicate, repeatable
from ..styles.objects.fresh import Objects
from ..styles.objects.paths import get, is_array, walk
from ..styles.readings.apart import words
from ..styles.readings.returned import is_number
from ..styles.readings.several import UnlikeError
from ..styles.text.calls import parameters_of, required
from ..styles.text.names import RATES, plain
from ..styles.text.written import text_of

TRAINS = re.compile(r"fit|train|learn|optimi[sz]e|gradient_descent|sgd")
COUNT = re.compile(r"(?:n|num|max|number_of)?_?(?:steps?|iters?|iterations?|epochs?|passes)", re.I)
BATCH = re.compile(r"(?:mini)?batch(?:size|es)?|bs")
COST = re.compile(r"loss|cost|error|mse|entropy|nll", re.I)
UPWARDS = re.compile(r"ascent|maximi|adversar|reversal", re.I)
RATE, EXAMPLES, COUNTS = 0.01, 6, (1, 15, 40)
SECONDS = 0.3  # of a few steps, from which on it is not run further


def data(seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Examples and what may belong to them: class numbers, numbers, one-hot rows, 0 and 1, -1 and 1."""
    rng = np.random.default_rng(seed)
    X, classes = rng.standard_normal((EXAMPLES, 3)), np.array([0, 1, 2, 0, 1, 2])
    two = (classes > 0).astype(float)
    for y in (
        classes,
        rng.standard_normal(EXAMPLES),
        rng.standard_normal((EXAMPLES, 1)),
        np.eye(3)[classes],
        two,
        2 * two - 1,
    ):
        yield X, y


def faults(objects: Objects) -> Iterator[Finding]:
    """What is wrong with how a class trains."""
    if UPWARDS.search(text_of(objects.cls)):
        return
    for name, method in inspect.getmembers(objects.cls, inspect.isfunction):
        if TRAINS.fullmatch(name) and len(asked(method)) == 2:
            with contextlib.suppress(Exception):  # it is handed something else
                yield from of_method(objects, name, method)


def asked(method: Callable) -> list[inspect.Parameter]:
    """What a method needs besides a learning rate, counts and a size of batches."""
    return [p for p in required(method)[1:] if not (plain(p.name) in RATES or is_count(p) or is_batch(p))]


def is_count(parameter: inspect.Parameter) -> bool:
    return bool(COUNT.fullmatch(parameter.name))


def is_batch(parameter: inspect.Parameter) -> bool:
    return bool(BATCH.fullmatch(plain(parameter.name)))


def of_method(objects: Objects, name: str, method: Callable) -> Iterator[Finding]:
    begun = time.process_time()
    place = next((k for k, one in enumerate(data(0)) if moves(objects, name, one)), None)
    if place is None or time.process_time() - begun > SECONDS:
        return
    examples = [list(data(seed))[place] for seed in range(3)]
    if any(map(is_batch, parameters_of(method))):
        alone, beyond = (changes(trained(objects, name, examples[0], 1, size)) for size in (EXAMPLES, 2 * EXAMPLES))
        if all(np.any(alone[key]) and np.allclose(2 * beyond[key], alone[key], rtol=1e-9) for key in alone):
            which = f"with {EXAMPLES} examples, a batch size of {2 * EXAMPLES} moves the parameters half as far as one of {EXAMPLES}: {name} divides by a size that the last batch has not"
            yield finding("optimizer", (), "", which=which)
            return
    for cost, value in inspect.getmembers(objects.cls, inspect.isfunction):
        if COST.search(cost) and len(required(value)) in (3, 4):
            with contextlib.suppress(Exception):  # it is handed something else
                paths = [
                    [value_of(trained(objects, name, one, n, EXAMPLES)[0], cost, one) for n in COUNTS]
                    for one in examples
                ]
                if all(rises(path) for path in paths):
                    first, *_, last = paths[0]
                    which = (
                        f"{cost} rises: it is {first:.6g} after one step of {name}, and {last:.6g} after {COUNTS[-1]}"
                    )
                    yield finding("optimizer", (), "", which=which)
                    return


def rises(path: list[float]) -> bool:
    return all(after > before + 1e-6 * abs(before) for before, after in itertools.pairwise(path))


Trained = tuple[Any, dict[Any, np.ndarray]]


def trained(objects: Objects, name: str, examples: tuple, count: int, batch: int) -> Trained:
    """An object after it was trained, and the arrays that it held before."""
    thing = duplicate(objects.make(0))
    method = getattr(thing, name)
    X, y = (np.array(one) for one in examples)
    given = dict(zip((p.name for p in asked(getattr(type(thing), name))), (X, y), strict=True))
    given |= {p.name: count for p in parameters_of(method) if is_count(p)}
    given |= {p.name: batch for p in parameters_of(method) if is_batch(p)}
    moving = set_rate(
        thing, words(method, given) | {p.name: RATE for p in parameters_of(method) if plain(p.name) in RATES}, RATE
    )
    counts = [key for key in vars(thing) if COUNT.fullmatch(key)]
    if moving is None or not (counts or any(map(is_count, parameters_of(method)))):
        raise UnlikeError  # how long it takes is not ours to say
    for key in [key for key in vars(thing) if COUNT.fullmatch(key) or BATCH.fullmatch(plain(key))]:
        setattr(thing, key, count if COUNT.fullmatch(key) else batch)
    before = {path: np.array(array) for path, array in walk(thing) if is_array(array) and array.dtype.kind == "f"}
    with repeatable(0, thing), contextlib.redirect_stdout(io.StringIO()):
        method(**moving)
    return thing, before


def changes(one: Trained) -> dict[Any, np.ndarray]:
    thing, before = one
    found = {
        path: get(thing, path) - array for path, array in before.items() if np.shape(get(thing, path)) == array.shape
    }
    return {path: change for path, change in found.items() if np.any(change)} or {(): np.zeros(1)}


def moves(objects: Objects, name: str, examples: tuple) -> bool:
    """Whether it takes such examples, and learns from them."""
    try:
        thing, _ = trained(objects, name, examples, 2, EXAMPLES)
    except Exception:
        return False
    arrays = [array for _, array in walk(thing) if is_array(array) and array.dtype.kind == "f"]
    return bool(arrays) and all(np.isfinite(array).all() for array in arrays)


def value_of(thing: Any, cost: str, examples: tuple) -> float:
    """The loss of an object; a setting that it is handed besides, such as the strength of a penalty, is small."""
    method = getattr(thing, cost)
    with repeatable(0, thing):
        found = method(*(np.array(one) for one in examples), *[1e-3] * (len(required(method)) - 2))
    found = found[0] if isinstance(found, tuple) else found
    if not is_number(found):
        raise UnlikeError
    return float(found)
