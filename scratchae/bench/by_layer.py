"""Where the time of a step goes: each layer, forward and backward, the loss and what else a model does, the optimizer."""

from __future__ import annotations

import contextlib
import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..backend import Array, device_module
from ..layers import Layer
from ..layers.observing import Call, wrapped
from ..models import Model
from ..optimizers import Optimizer
from .harness import synchronise
from .work import through_layers

FORWARD, BACKWARD = "forward_ms", "backward_ms"
DIRECTIONS = {"forward": FORWARD, "backward": BACKWARD, "backward_parameters": BACKWARD}
LEAST_STEPS = 5


def by_layer(model: Model, optimizer: Optimizer, x: Array, device: str, seconds: float) -> dict[str, Any] | None:
    """Median milliseconds of each layer in the steps of so many seconds: {"layers": [{name, layer, forward_ms, backward_ms}],
    "rest": {forward_ms, backward_ms}, "optimizer_ms", "step_ms"}. None where a model's step is no run through its layers (`through_layers`).

    The rest is the loss, penalties, noise of the model's own, and Python between the layers. The batch is computed whole,
    also where `fit` shares it among the cores, and on a GPU kernel by kernel, with a wait after each layer: so the parts
    add up to `step_ms`, which may be longer than a step in training.
    """
    if not through_layers(model):
        return None
    rng = device_module(device).random.default_rng(0)
    names = {layer: name for name, layer in model.leaves()}
    steps: list[dict[Any, float]] = []

    def clock() -> float:
        synchronise(device)
        return time.perf_counter()

    with timed_layers(list(names), clock) as spent:
        end = None
        while end is None or len(steps) < LEAST_STEPS or time.perf_counter() < end:
            spent.clear()
            times = [clock()]
            for part in (
                lambda: model.objective(x, rng),
                model.backward,
                lambda: optimizer.update(model.parameters, model.gradient),
            ):
                part()
                times.append(clock())
            if end is None:  # the first step finds kernels and memory
                end = time.perf_counter() + seconds
                continue
            whole = dict(zip((FORWARD, BACKWARD, "optimizer_ms"), 1e3 * np.diff(times), strict=True))
            steps.append({**spent, **whole, "step_ms": 1e3 * (times[-1] - times[0])})

    def median(key: Any) -> float:
        return float(np.median([step.get(key, 0.0) for step in steps]))

    def rest(direction: str) -> float:
        each = [step[direction] - sum(step.get((layer, direction), 0.0) for layer in names) for step in steps]
        return float(np.median(each))

    return {
        "layers": [
            {"name": name, "layer": repr(layer), **{d: median((layer, d)) for d in (FORWARD, BACKWARD)}}
            for layer, name in names.items()
        ],
        "rest": {direction: rest(direction) for direction in (FORWARD, BACKWARD)},
        "optimizer_ms": median("optimizer_ms"),
        "step_ms": median("step_ms"),
        "steps": len(steps),
    }


@contextlib.contextmanager
def timed_layers(layers: list[Layer], clock: Callable[[], float]) -> Iterator[dict[tuple[Layer, str], float]]:
    """While the block runs, milliseconds by (layer, "forward_ms" or "backward_ms") are added up in what it is given."""
    spent: dict[tuple[Layer, str], float] = defaultdict(float)
    busy: set[Layer] = set()  # `backward` may call the layer's own `backward_parameters`

    def timed(layer: Layer, method: Call, direction: str) -> Call:
        def call(*arguments: Any) -> Array:
            if layer in busy:
                return method(*arguments)
            busy.add(layer)
            start = clock()
            try:
                return method(*arguments)
            finally:
                spent[layer, direction] += 1e3 * (clock() - start)
                busy.remove(layer)

        return call

    timers = {name: functools.partial(timed, direction=direction) for name, direction in DIRECTIONS.items()}
    with wrapped(layers, **timers):
        yield spent
