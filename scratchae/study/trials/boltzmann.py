"""The trials of a restricted Boltzmann machine: a contrastive divergence, or a step with it, against the statistics of its own chain,
⟨v h⟩ of the data − ⟨v h⟩ at the chain's end, with the visible units v that the method itself has drawn."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np

from ..differences import GradientReport, compare
from ..styles.classes.models import asked
from ..styles.classes.steps import RATE, is_state, rates_of, set_rate
from ..styles.objects.copies import repeatable
from ..styles.objects.fresh import Objects
from ..styles.objects.held import held_by
from ..styles.objects.paths import get, put
from ..styles.readings.apart import by_name
from ..styles.text.calls import parameters_of
from ..styles.text.names import plain
from ..styles.text.written import text_of
from .result import RIGHT, WRONG, Result, Tried

IS_MACHINE = re.compile(r"rbm|boltzmann|contrastive|gibbs|free_energy", re.I)
DECAYS = re.compile(r"\w*decay|weightcost|l2|lam\w*|reg\w*|wd", re.I)
Arrays = dict[str, np.ndarray]


@dataclass
class Run:
    """A run of a method on v0: the parameters, what it gave for each, and the arrays that its frames had."""

    v0: np.ndarray
    parameters: Arrays
    found: Arrays
    seen: list[np.ndarray]
    is_step: bool
    decay: float


def examine(name: str, objects: Objects) -> Result | None:
    """A method of a machine; None if it is none, or the method gives nothing like gradients."""
    cls = objects.cls
    if not IS_MACHINE.search(text_of(cls) or cls.__name__):
        return None
    tried, first = Tried(), None
    for seed, (n, sizes, decay) in enumerate(((5, 0, 0.0), (4, 1, 0.0), (5, 0, 0.3))):
        try:
            run = run_of(objects.make(sizes), getattr(cls, name), n, seed, decay)
        except NotImplementedError:
            raise
        except Exception:
            return None if first is None else Result(RIGHT, "", report=first, tried=tried)
        if run is None:
            return None if first is None else Result(RIGHT, "", report=first, tried=tried)
        reports = [report_of(cls.__name__, run, expected) for expected in statistics(run)]
        if not reports:
            return None
        report = next((one for one in reports if one.passed), reports[0])
        tried.trials += 1
        tried.shapes.append(str(run.v0.shape))
        if not report.passed:
            return Result(WRONG, "", report=report, tried=tried, where="with weight decay" if decay else "")
        first = first or report
    return Result(RIGHT, "", report=first, tried=tried)


def run_of(thing: Any, method: Callable, n: int, seed: int, decay: float) -> Run | None:
    rng, held = np.random.default_rng(seed), held_by(thing)
    arrays = {key: array for key, (_, array) in held.items()}
    places = {key: path for key, (path, _) in held.items() if not is_state(key, arrays)}
    named = parts_of_machine({key: arrays[key] for key in places})
    if named is None:
        return None
    parameters = {}
    for part, key in named.items():
        parameters[part] = arrays[key] + 0.5 * rng.standard_normal(arrays[key].shape)
        put(thing, places[key], parameters[part].copy())
    v0 = (rng.random((n, len(parameters["W"]))) < 0.5).astype(float)
    words = {asked(method)[0].name: v0.copy()}
    decays = [p.name for p in parameters_of(method) if DECAYS.fullmatch(plain(p.name))]
    words |= dict.fromkeys(decays, decay)
    ours = [key for key, value in vars(thing).items() if DECAYS.fullmatch(plain(key)) and isinstance(value, float)]
    for key in ours:
        setattr(thing, key, decay)
    if decay and not decays + ours:
        return None
    words |= rates_of(method)
    words |= {p.name: 1 for p in asked(method)[1:] if p.name not in words}
    rated = set_rate(thing, words, RATE)
    seen: list[np.ndarray] = []
    with repeatable(seed, thing), watched(method, seen):
        result = by_name(thing, method.__name__, rated or words)
    changed = {part: np.asarray(get(thing, places[key])) - parameters[part] for part, key in named.items()}
    is_step = any(map(np.any, changed.values()))
    if is_step and rated is None:
        return None
    found = {part: change / RATE for part, change in changed.items()} if is_step else by_shape(result, parameters)
    return Run(v0, parameters, found, seen, is_step, decay) if len(found) == 3 else None


def parts_of_machine(arrays: Mapping[str, np.ndarray]) -> dict[str, str] | None:
    """The names of W, of visible × hidden units, and of the biases a and b of them; None if there is anything else."""
    matrices = [key for key, array in arrays.items() if array.ndim == 2 and 1 not in array.shape]
    if len(matrices) != 1 or len(arrays) != 3:
        return None
    rows, columns = arrays[matrices[0]].shape
    a = [key for key, array in arrays.items() if key not in matrices and array.size == rows]
    b = [key for key, array in arrays.items() if key not in matrices and array.size == columns]
    return {"W": matrices[0], "a": a[0], "b": b[0]} if len(a) == len(b) == 1 and rows != columns else None


def by_shape(result: Any, parameters: Arrays) -> Arrays:
    values = result.values() if isinstance(result, dict) else result if isinstance(result, tuple | list) else ()
    flat = [one for value in values for one in (value if isinstance(value, tuple | list) else [value])]
    found = {}
    for part, array in parameters.items():
        hits = [one for one in flat if isinstance(one, np.ndarray) and one.shape == array.shape]
        if hits:
            found[part] = hits[0]
    return found


@contextlib.contextmanager
def watched(method: Callable, seen: list[np.ndarray]) -> Iterator[None]:
    """In the block, keep the arrays that the functions of a method's file have when they return."""
    file, before = inspect.unwrap(method).__globals__, sys.getprofile()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "return" and frame.f_globals is file:
            for value in (*frame.f_locals.values(), argument):
                arrays = value if isinstance(value, tuple | list) else [value]
                seen.extend(np.array(one, float) for one in arrays if isinstance(one, np.ndarray) and one.ndim == 2)

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)


def statistics(run: Run) -> Iterator[Arrays]:
    """The differences of statistics that may be meant, the likeliest first: those of probabilities, of the last visible units."""
    W, a, b = (run.parameters[part] for part in "Wab")
    v0, n = run.v0, len(run.v0)
    ends = distinct([one for one in run.seen[::-1] if one.shape == v0.shape and not np.array_equal(one, v0)])
    hidden = distinct([one for one in run.seen if one.shape == (n, W.shape[1]) and set(np.unique(one)) <= {0.0, 1.0}])

    def probabilities(v: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-(v @ W + b.ravel())))

    for v1, scale, sign in itertools.product(ends, (1 / n, 1.0), (1,) if run.is_step else (1, -1)):
        for h0 in (probabilities(v0), *hidden):
            for h1 in (probabilities(v1), *(one for one in hidden if one is not h0)):
                yield {
                    "W": sign * (scale * (v0.T @ h0 - v1.T @ h1) - run.decay * W),
                    "a": sign * scale * (v0 - v1).sum(axis=0).reshape(a.shape),
                    "b": sign * scale * (h0 - h1).sum(axis=0).reshape(b.shape),
                }


def distinct(arrays: list[np.ndarray]) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    for array in arrays:
        if not any(np.array_equal(array, one) for one in found):
            found.append(array)
    return found[:4]


def report_of(name: str, run: Run, expected: Arrays) -> GradientReport:
    """What was found against what is expected, as the slopes of Σ expected · parameters."""
    tensors = {part: array.copy() for part, array in run.parameters.items()}

    def evaluate() -> np.ndarray:
        return np.array(sum((expected[part] * tensors[part]).sum() for part in tensors))

    return compare(
        name, tensors, run.found, evaluate, 1e-12, 1e-6, change=lambda plus, minus: (plus - minus).sum(), chain=True
    )
