"""A training step, run by the library's own code, with everything noted that went into its layers and came out."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...backend import Array, array_module, to_numpy
from ...layers import Layer
from ...layers.observing import Call, wrapped
from ...models import Model
from .sources import noting_lines


def host(x: Array) -> np.ndarray:
    """A copy on the host, in float64."""
    return to_numpy(x).astype(np.float64)


@dataclass
class Back:
    """What a layer was given on a way back, and gave; dx is None where it was not asked. gradients: of its parameters."""

    dy: np.ndarray
    dx: np.ndarray | None
    gradients: dict[str, np.ndarray]


@dataclass
class Event:
    """What a layer was given and gave; None where it was not asked. `draws`: the random numbers that it took.

    backs: one for each time that it was gone back through, of two players' discriminator twice.
    """

    x: np.ndarray | None = None
    y: np.ndarray | None = None
    backs: list[Back] = field(default_factory=list)
    draws: list[np.ndarray] = field(default_factory=list)
    bytes_kept: int = 0


class Draws:
    """A generator that notes what it draws, and for whom: in `model` if no layer asked. Draws are moved to the device of `like`."""

    def __init__(self, rng: Any, like: Array):
        self.rng, self.xp = rng, array_module(like)
        self.all: list[Array] = []
        self.model: list[np.ndarray] = []
        self.owner = self.model

    def note(self, drawn: Array) -> Array:
        drawn = self.xp.asarray(to_numpy(drawn))
        self.all.append(drawn)
        self.owner.append(host(drawn))
        return drawn

    def random(self, *arguments: Any, **options: Any) -> Array:
        """Uniform numbers in [0, 1)."""
        return self.note(self.rng.random(*arguments, **options))

    def standard_normal(self, *arguments: Any, **options: Any) -> Array:
        """Normal numbers."""
        return self.note(self.rng.standard_normal(*arguments, **options))


class Again:
    """A generator that gives the same numbers again, in the same order."""

    def __init__(self, draws: Sequence[Array]):
        self.draws = iter(draws)

    def random(self, *_: Any, **__: Any) -> Array:
        """The next of them."""
        return next(self.draws)

    standard_normal = random


@dataclass
class Recording:
    """events: by the name of the layer. draws: of the model itself; all_draws: in order, of the layers as well.

    buffers: what layers remember from step to step, such as an RBM's chains, as it was before. ran: the methods of the
    model and its layers that were called, in order, as (id of the object, name); lines: those that ran, as (file, number).
    """

    events: dict[str, Event]
    metrics: dict[str, float]
    draws: list[np.ndarray]
    all_draws: list[Array]
    buffers: dict[str, np.ndarray]
    ran: Sequence[tuple[int, str]]
    lines: set[tuple[str, int]]


def record(model: Model, x: Array, rng: Any, itemsize: int) -> Recording:
    """Run a training step of the model on x, and note what happens. It leaves parameters alone and sets the gradient."""
    leaves, draws = list(model.leaves()), None if rng is None else Draws(rng, model.parameters)
    events = {name: Event() for name, _ in leaves}
    buffers = {name: host(getattr(layer, attribute)) for name, layer, attribute in model.named_buffers()}
    with (
        watching(leaves, events, draws, itemsize),
        noting_calls([model, *(layer for _, layer in leaves)]) as ran,
        noting_lines() as lines,
    ):
        if type(model).training_step is not Model.training_step:
            metrics = model.training_step(x, draws)
        else:
            metrics = model.objective(x, draws)
            model.backward()
    found = {name: float(value) for name, value in metrics.items()}
    return Recording(
        events, found, draws.model if draws else [], draws.all if draws else [], buffers, list(ran), lines
    )


@contextlib.contextmanager
def noting_calls(things: Iterable[object]) -> Iterator[dict[tuple[int, str], None]]:
    """While the block runs, the methods of some objects that are called are noted: (id of the object, name), each once."""
    ran: dict[tuple[int, str], None] = {}

    def noting(thing: object, method: Call, name: str) -> Call:
        def note_and_call(*arguments: Any, **options: Any) -> Any:
            ran.setdefault((id(thing), name))
            return method(*arguments, **options)

        return note_and_call

    with contextlib.ExitStack() as stack:
        for thing in things:
            own = {
                name for name, value in inspect.getmembers_static(type(thing), inspect.isfunction) if name[:2] != "__"
            }
            stack.enter_context(wrapped([thing], **{name: functools.partial(noting, name=name) for name in own}))
        yield ran


def watching(
    leaves: Sequence[tuple[str, Layer]], events: dict[str, Event], draws: Draws | None, itemsize: int
) -> contextlib.AbstractContextManager:
    """While the block runs, forward and backward of the layers note what they do."""
    kept: set[int] = set()  # arrays that a layer keeps already
    held: list[Array] = []  # so that their ids stay theirs
    inside: set[int] = set()  # `backward` may call the layer's own `backward_parameters`
    event_of = {id(layer): events[name] for name, layer in leaves}

    def noting_forward(layer: Layer, forward: Call) -> Call:
        event = event_of[id(layer)]

        def forward_and_note(x: Array, rng: Any = None) -> Array:
            event.x = host(x)
            if draws is not None:
                draws.owner = event.draws
            y = forward(x, rng)
            if draws is not None:
                draws.owner = draws.model
            event.y = host(y)
            for name, value in vars(layer).items():
                own = name in layer.parameter_names or name in layer.buffer_names or name[1:] in layer.parameter_names
                if hasattr(value, "dtype") and not own and id(value) not in kept:
                    kept.add(id(value))
                    held.append(value)
                    event.bytes_kept += value.size * (itemsize if value.dtype.kind == "f" else value.dtype.itemsize)
            return y

        return forward_and_note

    def noting_backward(layer: Layer, backward: Call, keep: bool) -> Call:
        event = event_of[id(layer)]

        def backward_and_note(dy: Array) -> Array | None:
            if id(layer) in inside:
                return backward(dy)
            inside.add(id(layer))
            given, dx = host(dy), backward(dy)
            inside.remove(id(layer))
            gradients = {name: host(getattr(layer, "d" + name)) for name in layer.parameter_names}
            event.backs.append(Back(given, host(dx) if keep else None, gradients))
            return dx

        return backward_and_note

    return wrapped(
        (layer for _, layer in leaves),
        forward=noting_forward,
        backward=functools.partial(noting_backward, keep=True),
        backward_parameters=functools.partial(noting_backward, keep=False),
    )
