"""What a layer promises beside its gradients: running averages that inference uses, and masks that keep the mean."""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...layers import Layer
from ..diagnosis.finding import Finding, finding
from ..styles.layers.adapted import Adapted
from ..styles.layers.penalties import STRENGTH
from ..styles.objects.constructed import constructed
from ..styles.objects.copies import duplicate
from ..styles.objects.paths import Path, put, walk, written
from ..styles.text.calls import MODE_WORDS, method_of, parameters_of, required, word_of_mode
from ..styles.text.names import BACKWARD, plain
from ..styles.text.written import notes_of, text_of

# the names of averages, without underscores
RUNNING = re.compile(r"^(?:running|moving|rolling|population|pop|ema|avg)(mean|mu|m|variance|var|v|std|sigma)s?\d*$")
DRAWS = 200  # of a mask
# of what a dropout drops, or keeps
SHARE = re.compile(r"(?:drop(?:out)?)?(?:rate|ratio|prob|probability)|drop|dropout|keep(?:rate|prob|probability)?")
PENALTY = re.compile(r"penalty|regulari[sz]|\bL[12]\b|weight.?decay", re.I)
LEAST = 0.3  # of the weight of what an average was before


def broken(layer: Layer, x: np.ndarray, defaults: bool) -> Iterator[Finding]:
    """The promises that a layer does not keep. It is not changed. defaults: whether its options are those that its author gave them."""
    if x.dtype.kind != "f" or len(x) < 2 or not (options(layer) or getattr(layer, "has_modes", False)):
        return
    for question in (averages, masks):
        with contextlib.suppress(Exception):  # it does not take these inputs, so that nothing is promised for them
            yield from question(layer, x, defaults)


def options(layer: Layer) -> Iterator[dict]:
    """The dicts of options with a mode that a function is handed."""
    held = vars(getattr(layer, "theirs", layer)).values()
    return [one for one in held if isinstance(one, dict) and one.get("mode") in MODE_WORDS]


def run(layer: Layer, x: np.ndarray, training: bool, seed: int = 0) -> np.ndarray:
    """y in a mode."""
    for one in options(layer):
        one["mode"] = word_of_mode(one["mode"], training)
    if isinstance(layer, Adapted):
        layer.seed, layer.draws = seed, {}
        layer.training = None if options(layer) else training
    return np.array(layer.forward(x.copy(), np.random.default_rng(seed) if training else None))


def running(layer: Layer) -> dict[Path, np.ndarray]:
    """The averages that it keeps, by their names."""
    found = {path: value for path, value in walk(getattr(layer, "theirs", layer)) if isinstance(value, np.ndarray)}
    return {path: value for path, value in found.items() if RUNNING.search(plain(path[-1][1]))}


def spread(path: Path) -> str:
    """Whether an average is that of a variance, of a deviation or of a mean."""
    letters = RUNNING.search(plain(path[-1][1]))[1]
    return "var" if letters[0] == "v" else "std" if letters[0] == "s" else "mean"


def averages(layer: Layer, x: np.ndarray, defaults: bool) -> Iterator[Finding]:
    """Running averages: in training they move a little, and inference takes them in place of those of the batch."""
    rng = np.random.default_rng(11)
    batches = [2 + k + (1 + k) * rng.standard_normal(x.shape) for k in range(3)]
    trained = duplicate(layer)
    run(trained, batches[0], True)
    before = {path: np.array(value, float) for path, value in running(trained).items()}
    run(trained, batches[1], True)
    after = {path: np.array(value, float) for path, value in running(trained).items()}
    if not after or all(np.array_equal(before.get(path), value) for path, value in after.items()):
        return
    for path, value in after.items():
        weight = weight_of_old(before[path], value, batches[1], spread(path))
        if defaults and weight is not None and weight < LEAST:
            evidence = (
                f"{written(path)} is {weight:.2g} times what it was, and {1 - weight:.2g} times that of the batch"
            )
            yield finding("running_average", (), evidence, which=f"{written(path)} takes most of the new batch")
            return
    if fault := unused(trained, batches[2], after):
        yield finding("running_average", (), fault[1], which=fault[0])


def weight_of_old(before: np.ndarray, after: np.ndarray, x: np.ndarray, kind: str) -> float | None:
    """The a of after = a before + (1 - a) statistic of the batch, if it is made so."""
    for axis in range(x.ndim):
        rest = tuple(k for k in range(x.ndim) if k != axis)
        if x.shape[axis] != after.size:
            continue
        for statistic in {
            "mean": [x.mean(axis=rest)],
            "var": [x.var(axis=rest), x.var(axis=rest, ddof=1)],
            "std": [x.std(axis=rest), x.std(axis=rest, ddof=1)],
        }[kind]:
            old, new = (array.ravel() - statistic for array in (before, after))
            weight = float(old @ new / (old @ old)) if np.any(old) else 0.0
            if np.allclose(new, weight * old, rtol=1e-6, atol=1e-6):
                return weight
    return None


def unused(trained: Layer, x: np.ndarray, averages: Mapping[Path, Any]) -> tuple[str, str] | None:
    """What of the batch is in inference, or which average is not, with the evidence."""
    y = run(duplicate(trained), x, False)
    alone = run(duplicate(trained), x[:1], False)
    if y.shape[:1] == x.shape[:1] and not np.allclose(alone, y[:1], rtol=1e-6, atol=1e-9):
        return (
            "in inference, y of one example depends on the others of its batch",
            f"for the first example alone, y differs by up to {np.abs(alone - y[:1]).max():.3g}",
        )
    for path, value in averages.items():
        other = duplicate(trained)
        put(other.theirs if isinstance(other, Adapted) else other, path, 1.3 * value + 0.2)
        if np.allclose(run(other, x, False), y, rtol=1e-9, atol=1e-12):
            return (
                f"inference does not use {written(path)}",
                f"with {written(path)} changed, y in inference stays the same",
            )
    for path, value in averages.items():
        if spread(path) == "mean" or np.min(value) < 1e-2:
            continue
        slopes = []
        for k in (1e4, 4e4):  # beside which an ε is nothing
            other = duplicate(trained)
            put(other.theirs if isinstance(other, Adapted) else other, path, k * value)
            slopes.append(run(duplicate(other), x + 1, False) - run(duplicate(other), x, False))
        should = 0.5 if spread(path) == "var" else 0.25
        if (
            np.all(slopes[0])
            and np.ptp(quotient := slopes[1] / slopes[0]) < 0.05
            and abs(quotient.mean() - should) > 0.05
        ):
            evidence = (
                f"with {written(path)} multiplied by 4, y is multiplied by {quotient.mean():.3g} and not by {should}"
            )
            return "inference does not divide by the deviation", evidence
    return None


def masks(layer: Layer, x: np.ndarray, defaults: bool) -> Iterator[Finding]:
    """The mask of a dropout, of 0 and one other number, has the mean with which inference reckons; noise need not."""
    if not re.search("drop", type(getattr(layer, "theirs", layer)).__name__ + notes_of(type(layer)), re.I):
        return
    x = np.abs(x) + 0.5
    still = run(duplicate(layer), x, False)
    if still.shape != x.shape or not np.all(still):
        return
    shares, levels = [], set()
    for seed in range(DRAWS):
        ratio = run(duplicate(layer), x, True, seed) / still
        shares.append(ratio.mean())
        levels |= set(np.unique(np.round(ratio, 6)))
        if len(levels) > 2:
            return
    if 0.0 not in levels or np.ptp(shares) == 0:
        return
    off, noise = np.mean(shares) - 1, np.std(shares) / np.sqrt(DRAWS)
    if abs(off) > max(7 * noise, 0.03):
        evidence = f"over {DRAWS} draws y is {np.mean(shares):.3g} times that in inference, and what is kept is multiplied by {max(levels):.3g}"
        yield finding("mask_scale", (), evidence)


def beside_infers(theirs: Any, x: np.ndarray) -> bool:
    """Whether backward has to work in inference too: the object itself is told its mode, by eval(), or another class of its file that draws
    numbers has a backward for inference, which is another than that for training."""
    if callable(method := getattr(theirs, "eval", None)) and not required(method):
        return True
    file = vars(sys.modules[type(theirs).__module__]) if theirs is not None else {}
    classes = [one for one in file.values() if inspect.isclass(one) and one.__module__ == type(theirs).__module__]
    return any(has_both(cls, x) for cls in classes if cls is not type(theirs) and method_of(cls, BACKWARD))


def prepares(layer: Layer, x: np.ndarray) -> bool:
    """Whether a layer that draws numbers in training keeps what it calculates of x in inference, as for a backward there."""
    if not isinstance(layer, Adapted):
        return False
    before = {path for path, _ in walk(layer.theirs)}
    trained = duplicate(layer)
    trained.training, trained.draws = True, {}
    trained.forward(x.copy(), np.random.default_rng(0))
    layer.forward(x.copy(), None)
    new = [value for path, value in walk(layer.theirs) if path not in before]
    return any(trained.draws.values()) and any(np.shape(one) == x.shape and not np.array_equal(one, x) for one in new)


def has_both(cls: type, x: np.ndarray) -> bool:
    """Whether backward of a class that draws numbers runs in training and in inference, and gives something else there."""
    found, draws = [], False
    try:
        layer = Adapted(constructed(cls).value, x)
        for training in (True, False) if layer.has_modes else ():
            twin = duplicate(layer)
            twin.training, twin.draws = training, {}
            y = np.array(twin.forward(x.copy(), np.random.default_rng(0) if training else None))
            draws = draws or (training and (any(twin.draws.values()) or twin.call.rng is not None))
            found.append(twin.backward(np.ones_like(y)))
    except Exception:  # it is made of something else, or has no backward for inference
        return False
    return draws and not np.allclose(*found)


def exchanged_share(cls: type, x: np.ndarray) -> Iterator[Finding]:
    """A dropout whose constructor is told what share is dropped, and that drops the others, or keeps what it is to drop."""
    told = [p for p in parameters_of(cls) if SHARE.fullmatch(plain(p.name))]
    if (
        len(told) != 1
        or not re.search("drop", cls.__name__, re.I)
        or re.search("keep|kept|retain|surviv", notes_of(cls), re.I)
    ):
        return
    with contextlib.suppress(Exception):  # it is made of something else
        given = 0.4 if told[0].default is told[0].empty else 0.2
        layer = Adapted(constructed(cls, **({} if given == 0.4 else {told[0].name: given})).value, x)
        x = np.abs(x) + 0.5
        zeros = np.mean([run(duplicate(layer), x, True, seed) == 0 for seed in range(DRAWS)])
        keeps = plain(told[0].name).startswith("keep")
        if abs(zeros - (given if keeps else 1 - given)) < 0.05:
            evidence = f"with {told[0].name}={given:g}, over {DRAWS} draws {zeros:.3g} of all units are 0"
            yield finding("mask_share", (), evidence, name=told[0].name, what="kept" if keeps else "dropped")


def idle_penalty(thing: Any) -> Iterator[Finding]:
    """The strength of a penalty of which the class or its own name speaks, that is kept, and that nothing in the file reads."""
    cls = type(thing)
    spoken, text = notes_of(cls), text_of(sys.modules.get(cls.__module__))
    for name in vars(thing):
        stored = rf"self\.{re.escape(name)}\s*=(?!=)"
        if (
            STRENGTH.search(plain(name))
            and PENALTY.search(f"{spoken} {name}")
            and re.search(stored, text)
            and not re.search(rf"\.{re.escape(name)}\b(?!\s*=(?!=))", text)
        ):
            yield finding("idle_penalty", (), f"self.{name} is set, and nothing in the file reads it", name=name)


def unstable(layer: Layer, x: np.ndarray) -> Iterator[Finding]:
    """Whether y is NaN where numbers are large, or where the rows of x lie far apart, as for a softmax that overflows."""
    if x.dtype.kind != "f" or x.ndim < 2:
        return
    rows = np.linspace(-1000, 1000, len(x)).reshape(-1, *(1,) * (x.ndim - 1))
    for where, far in (("where x is large", 1000 * x), ("where the rows of x lie far apart", x + rows)):
        try:
            y = duplicate(layer).forward(far, None)
        except Exception:  # it does not take such numbers
            continue
        if np.isnan(y).any():
            evidence = f"{int(np.isnan(y).sum())} of {np.size(y)} numbers of y are NaN, for x between {far.min():.4g} and {far.max():.4g}"
            yield finding("unstable", (), evidence, where=where)
            return
