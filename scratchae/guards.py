"""What stops training before its time: Ctrl-C, and a loss that is no number."""

from __future__ import annotations

import signal
import threading

import numpy as np

from .backend import Array, array_module
from .layers import Layer
from .models import Model


class Interrupt:
    """Turns Ctrl-C into a request to stop after the step at hand; a second one interrupts at once."""

    def __enter__(self) -> Interrupt:
        self.requested = False
        self.main = threading.current_thread() is threading.main_thread()  # only there may signals be handled
        if self.main:
            self.previous = signal.signal(signal.SIGINT, self.request)
        return self

    def __exit__(self, *exception: object) -> None:
        if self.main:
            signal.signal(signal.SIGINT, self.previous)

    def request(self, *_: object) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


def culprit(model: Model, batch: Array, rng: np.random.Generator | None) -> str:
    """The first of the model's parameters, or of its layers' outputs, that is not finite, in the order they run."""
    xp = array_module(batch)
    for name, layer, attribute in model.named_parameters():
        if not bool(xp.isfinite(getattr(layer, attribute)).all()):
            return f"{name} of {layer!r}"
    outputs: list[tuple[Layer, bool]] = []
    layers = [layer for _, layer in model.leaves()]
    try:
        for layer in layers:
            layer.forward = watched(layer, outputs)
        model.objective(batch, rng)
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)  # the class's own forward is seen again
    broken = [layer for layer, finite in outputs if not finite]
    return f"the output of {broken[0].label()}" if broken else "no layer's output, but the loss itself,"


def watched(layer: Layer, outputs: list[tuple[Layer, bool]]):
    """The layer's forward, noting whether its output is finite."""
    forward = layer.forward

    def watching(x, rng=None):
        y = forward(x, rng)
        outputs.append((layer, bool(array_module(y).isfinite(y).all())))
        return y

    return watching
