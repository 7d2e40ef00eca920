"""A layer that updates itself, layer.update(lr): its update as an optimizer of its parameters and of the gradients that it holds."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np

from ..layers.adapted import Adapted
from ..objects.copies import duplicate
from ..objects.paths import get, put
from ..text.calls import required
from ..text.names import COUNTERS, RATES, UPDATE, plain
from ..text.written import text_of
from .handed import Arrays
from .updating import HANDED, Updating

# names of a weight decay
DECAY = {
    "weightdecay", "wd", "l1", "l2", "lambda", "lam", "reg", "regularization", "lambd", "decay", "weightdecayrate", "alpha",
}  # fmt: skip


class Within(Updating):
    """The update of a layer. Each step sets the gradients to those that it is handed."""

    def __init__(self, layer: Adapted, method: str):
        theirs = duplicate(layer.theirs)
        super().__init__(theirs, None)
        self.method = getattr(theirs, method)
        self.places = [(layer.places[name], layer.gradients[name]) for name in layer.parameter_names]
        self.shapes = [np.shape(get(theirs, place)) for place, _ in self.places]
        self.count = len(self.shapes)

    def update(self, p: Arrays, g: Arrays, t: int) -> Arrays:
        for (place, gradient), value, slope in zip(self.places, p, g, strict=True):
            put(self.theirs, place, value.copy())
            put(self.theirs, gradient, slope.copy())
        self.method(**self.extra(required(self.method), (), t))
        return [np.array(get(self.theirs, place), float) for place, _ in self.places]

    @property
    def source(self) -> Any:
        return self.method

    def settings(self) -> dict[str, Any]:
        """Its settings, without a weight decay, which belongs to its backward if its update does not name it."""
        return {name: value for name, value in super().settings().items() if name not in DECAY}


def updates(layer: Any) -> str | None:
    """The method with which a layer updates itself, if it wants nothing but a rate and a count, and the layer holds all gradients."""
    if not isinstance(layer, Adapted) or layer.updates or not layer.parameter_names:
        return None
    if None in layer.gradients.values() or layer.untrained:
        return None
    for name in UPDATE[:-1]:
        method = getattr(layer.theirs, name, None)
        if inspect.ismethod(method) and all(plain(p.name) in (*RATES, *COUNTERS, *HANDED) for p in required(method)):
            words = set(map(plain, re.findall(r"\w+", text_of(method))))
            return None if words & {*DECAY, "clip"} else name
    return None
