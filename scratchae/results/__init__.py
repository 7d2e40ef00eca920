"""What a run is judged by: its figures on the test examples, and its pictures; a file for each family of models, with

measure(model, preset, pca, examples) -> figures           for each name, quantities by key
draw(model, variants, preset, pca, examples, history, folder)
"""

from __future__ import annotations

from types import ModuleType

from ..models import Autoencoder, Model
from . import autoencoder

FAMILIES: dict[type[Model], ModuleType] = {Autoencoder: autoencoder}


def family(model: Model) -> ModuleType:
    """The module with `measure` and `draw` for a model."""
    return next(module for kind, module in FAMILIES.items() if isinstance(model, kind))


def table(figures: dict[str, dict[str, float]], features: int) -> str:
    """The figures as text, each summed over the features of an example and as a mean over them."""
    names = {
        "squared_error": "squared error",
        "cross_entropy": "cross-entropy, nats",
        "cross_entropy_floor": "  its floor: the pixels' entropy",
    }
    lines = [f"{'on the test examples':<49} {'per example':>12} {'per feature':>12}"]
    for who, values in figures.items():
        lines += [
            f"{who:<17}{names[key]:<32} {value:>12.4f} {value / features:>12.5f}" for key, value in values.items()
        ]
    return "\n".join(lines)
