"""The trials of a layer, those first that show most: which object, on which input, in which mode."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...layers import Layer
from ..diagnosis.experiment import LayerExperiment
from ..gradcheck import parameters
from ..styles.layers.adapted import Adapted
from ..styles.objects.constructed import OTHER_SIZES, Made
from ..styles.objects.copies import duplicate, repeatable
from ..styles.objects.paths import get, is_trained
from ..styles.objects.told import holds_shape, leaves_a_rest
from .handed import adding, of_options, with_more
from .inputs import all_used, candidates, drawn, far, indices, like, longer
from .made import others, with_other_options
from .result import Tried

COLUMNS = 5  # how many examples are columns of x
WHOLE = re.compile(r"=\(?\d+(?:,|\)|$)")  # an option that is a whole number, such as a window or a stride


@dataclass
class Trial:
    """One condition. aspect: what is varied. says: in words, such as "for a batch of 2"; other: the same of what was right."""

    aspect: str
    says: str
    other: str
    make: Callable[[], Layer]
    x: np.ndarray
    noise: bool = True
    fresh: Callable[[], Layer] | None = None  # in inference: the same object before any training


class BrokenError(Exception):
    """forward takes this input, and backward raises (the cause of this one)."""


def ready(value: Any, x: np.ndarray) -> Layer:
    """A layer in float64, whatever the style. It is a copy."""
    return (duplicate(value) if isinstance(value, Layer) else Adapted(value, x)).to(dtype=np.float64)


def takes(value: Any, x: np.ndarray) -> Exception | None:
    """The error that its forward raises on x, None if it takes it."""
    if leaves_a_rest(value, x):
        return ValueError(f"its groups do not divide x of shape {x.shape}")
    try:
        with repeatable(), np.errstate(all="ignore"):
            y = forward_of(duplicate(value), x)
    except NotImplementedError:
        raise
    except Exception as error:
        return error
    if y is not None and np.size(y) == 0:
        return ValueError(f"y is empty, of shape {np.shape(y)}")
    return None


def forward_of(value: Any, x: np.ndarray) -> Any:
    if isinstance(value, Layer):
        return value.forward(x.copy(), None)
    layer = object.__new__(Adapted)
    Adapted.prepare(layer, value, x)
    return layer.forward(x.copy(), np.random.default_rng(0))


def fits(value: Any, x: np.ndarray) -> bool:
    """Whether backward runs on x too, and gradients have the shapes of their tensors."""
    try:
        with np.errstate(all="ignore"):
            experiment = LayerExperiment(ready(value, x), x, 0, True)
            _, gradients = experiment.run()
            tensors = (
                (experiment.tensor(experiment.subject, experiment.inputs, name), name) for name in experiment.names()
            )
            return all(np.shape(gradients.get(name)) == tensor.shape for tensor, name in tensors)
    except NotImplementedError:
        raise
    except Exception as error:
        if isinstance(error.__cause__, NotImplementedError):
            raise error.__cause__ from None
        return False


def moved(layer: Layer, seed: int, only: str | None = None) -> Layer:
    """Its parameters off the values with which they begin, such as γ = 1 and b = 0. It is changed in place."""
    rng = np.random.default_rng(seed)
    arrays = parameters(layer)
    if isinstance(layer, Adapted):
        arrays |= {name: get(layer.theirs, path) for name, path in layer.unmatched.items() if is_trained(path)}
    for name, array in arrays.items():
        step, turn = rng.standard_normal(array.shape), rng.uniform(0.6, 1.5, array.shape)
        if only not in (None, name):
            continue
        positive = any(word in name.lower() for word in ("var", "sigma", "std", "scale"))
        array[...] = array * turn if positive else array + 0.3 * np.maximum(1, np.abs(array)) * step
    return layer


def plan(
    value: Any, layer: Layer, x: np.ndarray, generic: np.ndarray, cls: type | None, tried: Tried
) -> Iterator[Trial]:
    """The trials of a layer, those first that show most."""
    if generic is not x:
        yield Trial(
            "given",
            f"for other numbers than those of the file's x, of shape {x.shape}",
            "for the file's x",
            lambda: duplicate(layer),
            generic,
        )
    if x.dtype.kind == "f" and x.min() < 0:
        yield Trial(
            "far",
            "for numbers up to 10",
            f"for numbers up to {np.abs(x).max():.2g}",
            lambda: duplicate(layer),
            far(x),
        )
    if parameters(layer):
        tried.moved = list(parameters(layer))[:8]
        for seed in (1, 2):
            yield Trial(
                "moved",
                "once its parameters are moved off the values with which they begin",
                "",
                mover(layer, seed),
                generic,
            )
    start = mover(layer, 3) if parameters(layer) else lambda: duplicate(layer)
    told = holds_shape(value, x)
    for other in batches(layer, x, generic) if x.shape not in told else ():
        n, before = (len(other), len(x)) if other.shape[1:] == x.shape[1:] else (other.shape[1], x.shape[1])
        yield Trial("batch", f"for a batch of {n}", f"for {before}", start, other)
    yield from modes(layer, generic, start)
    for said, make in (
        *with_more(layer, generic, start),
        *of_options(layer, generic, start),
        *adding(layer, generic, start),
    ):
        yield Trial("option", f"with {said}", "without it", make, generic)
    for made in [*others(cls), *with_other_options(value)]:
        yield from of_another(made, x, layer)
    if not told:
        yield from shapes(value, x, start)
    if isinstance(layer, Adapted) and not parameters(layer) and layer.untrained:
        tried.left_out.append(f"{', '.join(layer.untrained)}: backward leaves no gradient that could be compared")


def batches(layer: Layer, x: np.ndarray, generic: np.ndarray) -> Iterator[np.ndarray]:
    """Inputs like x with other numbers of examples, which are its rows, or its columns where no other number of rows is taken.

    An example more is one more in y too: otherwise the axis is another, or numbers of one example are stretched over all; so they are
    where y has another number, and of all others only 1 is taken. A single axis is rather that of one example.
    """
    if x.ndim == 1:
        return
    y = shape_of(layer, x)
    for axis in (0, 1) if x.ndim == 2 and x.shape[1] > 1 else (0,):
        kept = y[axis : axis + 1] == x.shape[axis : axis + 1]
        if not kept and (axis or (y and x.ndim == 3)):
            return
        counts = [n for n in (2, 7, 1, 3) if n != x.shape[axis]]
        others = [like(generic, (*x.shape[:axis], n, *x.shape[axis + 1 :]), n) for n in counts]
        found = [(other, shape_of(layer, other)) for other in others]
        if not kept and all(shape is None or other.shape[axis] == 1 for other, shape in found):
            return
        yield from (one for one, y in found if y is not None and (not kept or y[axis] == one.shape[axis]))
        if any(shape is not None and shape[:1] == other.shape[:1] for other, shape in found):
            return


def shape_of(layer: Layer, x: np.ndarray) -> tuple[int, ...] | None:
    """The shape of y; None if forward does not take x."""
    try:
        with np.errstate(all="ignore"):
            return np.shape(duplicate(layer).forward(x.copy(), None))
    except NotImplementedError:
        raise
    except Exception:
        return None


def mover(layer: Layer, seed: int) -> Callable[[], Layer]:
    def make() -> Layer:
        return moved(duplicate(layer), seed)

    make.__wrapped__ = lambda only: moved(duplicate(layer), seed, only)
    return make


def modes(layer: Layer, x: np.ndarray, start: Callable[[], Layer]) -> Iterator[Trial]:
    """Inference, after some steps of training that fill running averages and leave a mask; and training, by its flag."""
    if isinstance(layer, Adapted) and not layer.has_modes:
        return

    def fresh() -> Layer:
        untrained = start()
        if isinstance(untrained, Adapted):
            untrained.training = False
        return untrained

    def inference() -> Layer:
        trained = start()
        for seed in (5, 6):
            one = like(x, x.shape, seed)
            if isinstance(trained, Adapted):
                trained.training = True
            y = trained.forward(one, np.random.default_rng(seed))
        if isinstance(trained, Adapted):
            trained.training = False
        del y
        return trained

    def training() -> Layer:
        trained = start()
        if isinstance(trained, Adapted):
            trained.training = True
        return trained

    yield Trial("mode", "in training", "in its first mode", training, x)
    yield Trial("mode", "in inference", "in training", inference, x, noise=False, fresh=fresh)


def shapes(value: Any, x: np.ndarray, start: Callable[[], Layer]) -> Iterator[Trial]:
    """Other sizes, and other numbers of axes, of those that forward takes."""
    seen = {x.shape}
    kinds: dict[int, list[np.ndarray]] = {}
    pool = [(5, 4), (5, 6), (5, 7), (3, 13), (3, 4, 6), (4, 5, 3), (4, 6, 3), (4, 3, 7), (4, 5, 6, 3), (2, 6, 4, 3), (3, 3, 6, 5), (2, 2, 5, 4), (4, 7, 5, 2), (4, 2, 7, 5), (2, 1, 4, 6), (2, 4, 6, 1), (2, 2, 3, 4, 3)]  # fmt: skip
    pool += [(*x.shape[:1], *rest, *x.shape[-1:]) for rest in ((4,), (3, 2), (5, 4)) if x.ndim > 1]
    if x.ndim == 1:
        pool = [(len(x) + more,) for more in (1, 3, len(x))]
    if x.ndim == 4:
        pool += [(x.shape[0], x.shape[1], h, w) for h, w in ((7, 5), (8, 6))] + [
            (x.shape[0], h, w, x.shape[3]) for h, w in ((7, 5), (8, 6))
        ]
    if x.ndim == 3:
        pool += [(x.shape[0], x.shape[1], 8), (x.shape[0], 8, x.shape[2])]
    pool.sort(key=lambda shape: len(shape) != x.ndim)
    y = shape_of(start(), x) or ()
    single = [axis for axis, (n, m) in enumerate(zip(x.shape, y, strict=False)) if n == 1 < m and len(y) == x.ndim]
    for shape in pool:
        other = indices(shape, 2) if x.dtype.kind in "iub" else drawn(shape, 2)
        if shape in seen or len(kinds.get(len(shape), ())) >= 3 or takes(value, other) is not None:
            continue
        if len(shape) < x.ndim == 4 or (len(shape) == x.ndim and any(shape[axis] > 1 for axis in single)):
            continue  # what is meant for images may take less by broadcasting, what stretches a single number as many as it holds
        more = (
            len(shape) == x.ndim
            and x.dtype.kind == "f"
            and any(n == 1 < m for n, m in zip(x.shape, shape, strict=True))
        )
        if more and not all_used(lambda one: start().forward(one, None), other):
            continue
        if y == x.shape and shape_of(start(), other) != shape:
            continue  # what the layer holds stretches x
        seen.add(shape)
        kinds.setdefault(len(shape), []).append(other)
        if len(shape) == x.ndim:
            yield Trial("sizes", f"for x of shape {shape}", f"for {x.shape}", start, other)
    for axes, inputs in kinds.items():
        # where backward does not run on all that forward takes, it is meant for other axes, and what runs does so by accident
        amiss = [other for other in inputs if axes != x.ndim and not fits(value, other)]
        for other in amiss or (inputs if axes != x.ndim else ()):
            says = f"for x with {AXES.get(axes, axes)}, such as {other.shape}"
            yield Trial("axes", says, f"for x of shape {x.shape}", start, other)


def raiser(error: Exception) -> Callable[[], Layer]:
    def make() -> Layer:
        raise BrokenError(str(error)) from error

    return make


AXES = {1: "one axis", 2: "two axes", 3: "three axes", 4: "four axes", 5: "five axes"}


def of_another(made: Made, x: np.ndarray, first: Layer) -> Iterator[Trial]:
    """Trials of an object that was made with other arguments: with parameters off their start, at up to three shapes.

    Where its parameters have other numbers of axes than those of the first, it was handed numbers for arrays, and is none of its kind.
    """
    count = 0
    aspect = "option" if made.option else "size_of_layer"
    says = f"with {made.option}" if made.option else f"for {made.call}"
    inputs = [x, *candidates()]
    if x.ndim == 2 and x.shape[1] in (1, COLUMNS):  # examples as columns
        inputs[1:1] = [like(x, (n, x.shape[1]), 4) for n in OTHER_SIZES]
    if WHOLE.search(made.option):
        inputs[1:1] = longer(x, lambda other: takes(made.value, other) is None)
    if not any(
        other.ndim == x.ndim and takes(made.value, other) is None and fits(made.value, other) for other in inputs
    ):
        inputs = [other for other in inputs if other.ndim == x.ndim and takes(made.value, other) is None][:1]
        if made.alike:
            return
    strict = len(inputs) == 1
    for other in inputs:
        if count == (3 if made.option else 2):
            return
        if other.ndim != x.ndim or other.dtype.kind != x.dtype.kind or takes(made.value, other) is not None:
            continue
        if (other.shape != x.shape or made.alike) and not strict and not fits(made.value, other):
            continue  # by broadcasting, forward may take what is not meant
        try:
            layer = ready(made.value, other)
        except NotImplementedError:
            raise
        except Exception as error:
            if strict and 1 in x.shape[1:]:  # the sizes tried first, such as one channel, hide what is raised here
                yield Trial("size_of_layer", says, "", raiser(error), other)
            continue
        axes = {name: array.ndim for name, array in parameters(first).items()}
        if any(array.ndim != axes.get(name, array.ndim) for name, array in parameters(layer).items()):
            return
        count += 1
        yield Trial(aspect, says, "with the defaults" if made.option else "for the first", mover(layer, 4), other)
        if made.option and count == 1:
            for trial in modes(layer, other, mover(layer, 4)):
                yield replace(trial, aspect=aspect, says=f"{says}, {trial.says}")
