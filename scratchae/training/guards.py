"""What stops training early: Ctrl-C, and a loss that is NaN or infinite."""

from __future__ import annotations

import signal
import threading

import numpy as np

from ..backend import Array, array_module
from ..layers import Layer
from ..layers.observing import watched
from ..models import Model


class Interrupt:
    """Turns Ctrl-C into a request to stop after the current step. A second Ctrl-C interrupts at once."""

    def __enter__(self) -> Interrupt:
        self.requested = False
        # signals can only be handled in the main thread
        self.main = threading.current_thread() is threading.main_thread()
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
    """The first of the model's parameters, or of its layers' outputs, that is not finite, in the order in which they run."""
    xp = array_module(batch)
    for name, layer, attribute in model.named_parameters():
        if not bool(xp.isfinite(getattr(layer, attribute)).all()):
            return f"{name} of {layer!r}"
    layers = [layer for _, layer in model.leaves()]
    broken: list[Layer] = []

    def note(layer: Layer, x: Array, y: Array) -> None:
        if not bool(array_module(y).isfinite(y).all()):
            broken.append(layer)

    with watched(layers, note):
        model.objective(batch, rng)
    return f"the output of {broken[0].label()}" if broken else "no layer's output, but the loss itself,"
