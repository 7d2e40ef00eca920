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

DECAY = re.compile("lam|lmb|reg|decay")
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
                yield from of_decay(thing, name, pairs(x, y, 0), given)
                return


def settings(names: list[str]) -> Iterator[tuple[str, Any]]:
    for name in names:
        if plain(name) in RATES:
            yield name, RATE
        elif DECAY.match(plain(name)):
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


def of_decay(thing: Any, name: str, batch: Pairs, given: dict[str, Any]) -> Iterator[Finding]:
    """A finding if the decay of a step makes weights grow, or is divided by the examples of the batch, and what the step is told of the
    size of the whole set does nothing."""
    decay = next((one for one in given if DECAY.match(plain(one))), None)
    count = next((one for one in given if COUNT.fullmatch(one.lower()) and one != decay), None)

    def shares(examples: int, total: int) -> list[float]:
        """The share by which each array that decays shrinks; none where one does not shrink by a share."""
        numbers = given | ({count: total} if count else {})
        ways = [moved(thing, name, batch[:examples], numbers | {decay: strength}) for strength in (0.0, 1.0)]
        if not ways[0] or ways[0].keys() != ways[1].keys():
            return []
        arrays = {key: array for key, (_, array) in held_by(thing).items()}
        changes = [(ways[1][key] - ways[0][key], arrays[key]) for key in ways[0]]
        decaying = [(change, w) for change, w in changes if np.abs(change).max() > 1e-5 * RATE]
        found = [-float((change * w).sum() / (w * w).sum()) for change, w in decaying if np.any(w)]
        plainly = all(np.allclose(change, -c * w, rtol=1e-4) for (change, w), c in zip(decaying, found, strict=False))
        return found if plainly and len(found) == len(decaying) else []

    first = shares(2, 6) if decay else []
    if first and max(first) < 0:
        yield finding("optimizer", (), "", which=f"the sign of the weight decay is flipped in {name}: weights grow")
        return
    others = [shares(*numbers) for numbers in ((2, 12), (1, 6))] if first and count else [[], []]
    if all(map(len, others)) and np.allclose(others, [first, [2 * c for c in first]], rtol=1e-4):
        text = f"the weight decay is divided by the number of examples in the batch, and {count}, which {name} is handed, does nothing"
        yield finding("optimizer", (), "", which=text)
