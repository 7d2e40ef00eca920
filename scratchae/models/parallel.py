"""A training step on all cores: each core computes parts of the batch on a twin of the model, and the gradients are added.

A loss is a mean over the examples of the batch. If every example is computed by itself, then

    ∂L/∂θ = Σ over the parts of  (examples in the part / examples in the batch) · ∂L_part/∂θ.

So layers, losses and models need not know about the parts. NumPy releases Python's lock while it computes, so threads are
enough, each with a single-threaded BLAS: every core runs the whole of a step on its own numbers, in its own cache.
Otherwise only the matrix products would use several cores.
"""

from __future__ import annotations

import copy
import functools
import operator
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import Array, array_module, blas_threads, cores, in_blocks, on_all_cores
from ..errors import MissingError, OptionError
from ..layers import Layer
from ..layers.observing import watched
from ..losses import Loss
from ..penalties import Penalty

if TYPE_CHECKING:
    from .model import Model

# how many numbers the layers must compute for a batch; with fewer, threads wait too often for each other in Python
LEAST = 2**20
MOST = 16  # parts: two, then four when each part is as large as that, and so on


def count_parts(model: Model, x: Array, rng: np.random.Generator | None, rows: int | None = None) -> int:
    """The number of parts to split a batch into; 1 if splitting does not pay or would change the result.

    Only the model and the batch decide, not the machine: each part draws its own noise, which should not depend on it.
    rows: how many the batch has, if x is only some of them.
    """
    if not declares_apart(model) or array_module(x) is not np or not x.ndim or not can_spawn(rng):
        return 1
    if (len(x) if rows is None else rows) < 2:
        return 1
    if model.team is None:
        model.team = Team(model)
    if x.shape[1:] not in model.team.counts and not treats_examples_apart(model):
        return 1  # asked first, since other layers may not work for the single example that the next line runs
    rows = len(x) if rows is None else rows
    parts = model.team.outputs(x) * rows // LEAST
    if parts < 1 or not treats_examples_apart(model):
        return 1
    parts = min(max(parts, 2), rows, MOST)
    return 2 ** (parts.bit_length() - 1)  # a power of 2, as the number of cores usually is


def training_step(model: Model, x: Array, rng: np.random.Generator | None, parts: int) -> dict[str, Array]:
    """`Model.training_step` in parts: metrics and gradient are the parts' means, weighted by their numbers of examples."""
    batches = np.array_split(x, parts)
    rngs = [None] * parts if rng is None else rng.spawn(parts)
    twins = model.team.twins(min(parts, cores()))
    metrics: list[dict[str, Array]] = [{}] * parts

    def work(core: int) -> None:
        twin = twins[core]
        for i in range(core, parts, len(twins)):
            before = None if i == core else twin.gradient.copy()
            metrics[i] = twin.objective(batches[i], rngs[i])
            twin.backward()
            gradient = twin.gradient
            gradient *= len(batches[i]) / len(x)
            if before is not None:
                gradient += before

    with one_at_a_time, blas_threads().limit(limits=1):
        on_all_cores([functools.partial(work, core) for core in range(len(twins))])
    for twin in twins[1:]:
        in_blocks(operator.iadd, model.gradient, twin.gradient)
    weights = [len(batch) / len(x) for batch in batches]
    return {name: sum(w * m[name] for w, m in zip(weights, metrics, strict=True)) for name in metrics[0]}


one_at_a_time = threading.Lock()  # the number of BLAS's threads is a setting of the whole process


class Team:
    """A model and its twins. They share the parameters. Each has its own gradient and its own arrays for backward."""

    def __init__(self, model: Model):
        self.layers = [layer for _, layer in model.leaves()]
        self.members = [model]
        self.counts: dict[tuple[int, ...], int] = {}

    def outputs(self, x: Array) -> int:
        """The number of numbers that the model's layers compute for one example of x."""
        shape = x.shape[1:]
        if shape not in self.counts:
            sizes: list[int] = []
            with watched(self.layers, lambda layer, x, y: sizes.append(layer.computed(y))):
                self.members[0].objective(x[:1])
            self.counts[shape] = sum(sizes)
        return self.counts[shape]

    def twins(self, n: int) -> list[Model]:
        """n models: the model itself and its twins."""
        model = self.members[0]
        while len(self.members) < n:
            self.members.append(twin_of(model))
        for twin in self.members[1:n]:
            # settings such as a weight or a noise rate may change from step to step
            vars(twin).update(settings(model))
            for layer, (_, copied) in zip(self.layers, twin.leaves(), strict=True):
                vars(copied).update(settings(layer))
            for (_, layer, name), (_, copied, _) in zip(model.named_buffers(), twin.named_buffers(), strict=True):
                setattr(copied, name, getattr(layer, name))
        return self.members[:n]


def twin_of(model: Model) -> Model:
    """A copy of the model with the same parameters, and with gradients of its own."""
    views = [view for _, _, view in (*model.parameter_views, *model.gradient_views)]
    twin = copy.deepcopy(model, {id(view): view for view in views})  # which are not copied
    twin._parameters = model._parameters
    named = zip(twin.named_parameters(), model.parameter_views, strict=True)
    twin.parameter_views = [(layer, attribute, view) for (_, layer, attribute), (_, _, view) in named]
    for layer, attribute, view in twin.parameter_views:
        setattr(layer, attribute, view)
    return twin


def declares_apart(thing: object) -> bool:
    """Whether its class itself says `examples_apart`. A subclass may compute something else, so it must say it again."""
    return vars(type(thing)).get("examples_apart", False)


def treats_examples_apart(thing: object) -> bool:
    """Whether it and all of its parts say `examples_apart`."""
    return next(joining(thing), None) is None


def joining(thing: object) -> Iterator[object]:
    """Of a thing and its parts those that do not say `examples_apart`, the parts first."""
    made_of = [value for value in vars(thing).values() if isinstance(value, Layer | Loss | Penalty)]
    if isinstance(thing, Layer):
        made_of += [layer for _, layer in thing.held_layers()]
    for part in made_of:
        yield from joining(part)
    if not declares_apart(thing):
        yield thing


def settings(thing: object) -> dict[str, object]:
    """The attributes that are plain values, losses or penalties, but not arrays or layers."""
    return {name: value for name, value in vars(thing).items() if is_setting(value)}


def is_setting(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(is_setting, value))
    return value is None or isinstance(value, bool | int | float | str | Loss | Penalty)


def can_spawn(rng: np.random.Generator | None) -> bool:
    """Whether rng can give further generators, or is None."""
    seed = getattr(getattr(rng, "bit_generator", None), "seed_seq", None)
    return rng is None or isinstance(rng, SomeRows) or isinstance(seed, np.random.SeedSequence)


class SomeRows:
    """A generator for some rows of a batch: it gives them the numbers that they get where one process computes the whole batch.

    A draw is made for the whole batch, and these rows are cut out of it. pieces: how the batch is drawn: generators, and for how many
    rows each, one after the other (one for each part, see above). rows: those to draw for. stacked: where something is drawn several
    times for each example, whether the whole batch comes again, as two players see it, and not each example several times in a row.
    """

    def __init__(self, pieces: Sequence[tuple[Any, int]], rows: slice, stacked: bool = False):
        self.pieces, self.rows, self.stacked = pieces, rows, stacked

    def random(self, size: Any = None, dtype: Any = np.float64) -> Array:
        """Uniform numbers in [0, 1)."""
        return self.drawn("random", size, dtype)

    def standard_normal(self, size: Any = None, dtype: Any = np.float64) -> Array:
        """Normal numbers."""
        return self.drawn("standard_normal", size, dtype)

    def __getattr__(self, name: str) -> Any:
        raise MissingError(
            f"ranks that share a batch draw noise by random and standard_normal, and not by {name}",
            name=name,
            obj=self,
        )

    def drawn(self, name: str, size: Any, dtype: Any) -> Array:
        size = size if isinstance(size, tuple) else (0 if size is None else size,)
        own = self.rows.stop - self.rows.start
        each, rest = divmod(size[0], own)  # how many rows are drawn for an example
        if rest or not each:
            raise OptionError(
                f"noise of shape {size} for {own} of the examples of a batch: where ranks share a batch, noise is drawn for each of "
                "them, (N, …)"
            )
        found, start = [], 0
        for rng, count in self.pieces:
            first, last = max(self.rows.start - start, 0), min(self.rows.stop - start, count)
            if first < last:
                drawn = getattr(rng, name)((count * each, *size[1:]), dtype=dtype)
                if self.stacked:
                    found.append(drawn.reshape(each, count, *size[1:])[:, first:last])
                else:
                    found.append(drawn[first * each : last * each])
            start += count
        return array_module(found[0]).concatenate(found, axis=int(self.stacked)).reshape(size)

    def spawn(self, parts: int) -> list[SomeRows]:
        """Generators for so many parts of the rows, split as `training_step` splits them."""
        ends = np.cumsum([len(part) for part in np.array_split(np.empty(self.rows.stop - self.rows.start), parts)])
        starts = self.rows.start + np.append(0, ends[:-1])
        # threads draw at the same time, each from copies of its own
        return [
            SomeRows(copy.deepcopy(self.pieces), slice(int(start), int(self.rows.start + end)), self.stacked)
            for start, end in zip(starts, ends, strict=True)
        ]


def of_rows(rng: Any, model: Model, x: Array, total: int, rows: slice) -> SomeRows:
    """The noise of `rows` of a batch of `total` rows, of which x are those: as `Model.training_step` draws it for the whole batch."""
    parts = count_parts(model, x, rng, total)
    if parts == 1:
        return SomeRows([(rng, total)], rows, model.stacks)
    sizes = [len(part) for part in np.array_split(np.empty(total), parts)]
    return SomeRows([*zip(rng.spawn(parts), sizes, strict=True)], rows, model.stacks)
