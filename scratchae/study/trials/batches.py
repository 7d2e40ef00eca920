"""A step with a list of examples, mini_batch([(x, y), …], η): it moves each parameter by the sum of what the examples alone do, or by their mean."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..diagnosis.finding import Finding, finding
from ..styles.classes.examples import COUNT, PAIRS
from ..styles.classes.steps import NOT_PLAIN
from ..styles.objects.copies import duplicate, repeatable
from ..styles.objects.fresh import Objects
from ..styles.objects.held import Held, held_by
from ..styles.objects.paths import get
from ..styles.text.calls import required
from ..styles.text.names import RATES, plain
from ..styles.text.written import text_of

RATE = 1e-5  # so small that steps one after the other are as good as one
Pairs = list[tuple[np.ndarray, np.ndarray]]
Moved = dict[str, np.ndarray]


def faults(objects: Objects) -> Iterator[Finding]:
    """What is wrong with the steps of a class that takes lists of pairs."""
    for name, method in inspect.getmembers(objects.cls, inspect.isfunction):
        asked = [p.name for p in required(method)[1:]]
        plainly = asked and PAIRS.fullmatch(asked[0]) and not NOT_PLAIN.search(text_of(method))
        given = dict(settings(asked[1:])) if plainly else {}
        if not plainly or len(given) < len(asked) - 1 or not any(plain(one) in RATES for one in given):
            continue
        thing = objects.make(0)
        sizes = sorted({n for _, array in held_by(thing).values() for n in array.shape})
        shapes = [shape for n in sizes for shape in ((n, 1), (n,))]
        for x, y in itertools.islice(itertools.product(shapes, shapes), 64):
            if moved(thing, name, pairs(x, y, 0)[:1], given):
                yield from of_step(thing, name, [pairs(x, y, seed) for seed in range(3)], given)
                return


def settings(names: list[str]) -> Iterator[tuple[str, Any]]:
    for name in names:
        if plain(name) in RATES:
            yield name, RATE
        elif re.match("lam|lmb|reg|decay", plain(name)):
            yield name, 0.0
        elif COUNT.fullmatch(name.lower()):
            yield name, 2


def pairs(x: tuple[int, ...], y: tuple[int, ...], seed: int) -> Pairs:
    rng = np.random.default_rng(seed)
    return [(rng.standard_normal(x), rng.uniform(0.1, 0.9, y)) for _ in range(2)]


def moved(thing: Any, name: str, batch: Pairs, given: dict[str, Any]) -> Moved:
    """By what a step moves each array; nothing where it does not run, or draws random numbers."""
    twin, before = duplicate(thing), held_by(thing)
    try:
        with repeatable(0, twin) as drawing:
            getattr(twin, name)(list(batch), **given)
        found = {key: np.asarray(get(twin, path)) - array for key, (path, array) in held_alike(twin, before).items()}
    except Exception:
        return {}
    return {} if drawing.used or len(found) < len(before) else {k: one for k, one in found.items() if np.any(one)}


def held_alike(thing: Any, before: Held) -> Held:
    """Those that have kept their shape."""
    return {key: (path, array) for key, (path, array) in before.items() if np.shape(get(thing, path)) == array.shape}


def of_step(thing: Any, name: str, batches: list[Pairs], given: dict[str, Any]) -> Iterator[Finding]:
    """A finding if some arrays move by the mean or the sum, and others as the first or the last example alone would move them."""
    runs = []
    for batch in batches:
        both, *single = (moved(thing, name, part, given) for part in (batch, batch[:1], batch[1:]))
        if not (both and both.keys() == single[0].keys() == single[1].keys()):
            return
        runs.append((both, single))

    def all_alike(key: str, share: float, weights: tuple[int, int]) -> bool:
        ways = [
            (both[key], share * sum(w * one[key] for w, one in zip(weights, single, strict=True)))
            for both, single in runs
        ]
        return all(np.abs(ours - theirs).max() <= 1e-3 * np.abs(ours).max() for ours, theirs in ways)

    for share in (0.5, 1.0):
        whole = [key for key in runs[0][0] if all_alike(key, share, (1, 1))]
        for which, weights in (("first", (1, 0)), ("last", (0, 1))):
            alone = [
                key for key in runs[0][0] if key not in whole and any(all_alike(key, k, weights) for k in (0.5, 1.0))
            ]
            if whole and alone:
                evidence = f"with two examples, {name} moves {', '.join(alone)} as the {which} of them alone does, and {', '.join(whole)} as both do"
                yield finding("optimizer", (), "", which=evidence)
                return
