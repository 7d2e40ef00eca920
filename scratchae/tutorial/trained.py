"""Networks that were trained before, for pages of the book that would show noise otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .chapters import folder

if TYPE_CHECKING:
    from ..models import Model


def trained(name: str) -> Model:
    """A preset with the weights in `tutorials/trained/NAME.npy`; make_trained.py, beside them, says how they were made."""
    from ..presets import find_preset

    model = find_preset(name).build(np.random.default_rng(0))
    numbers = np.load(folder() / "trained" / f"{name}.npy")
    for _, layer, attribute in model.named_parameters():
        array = getattr(layer, attribute)
        array[...], numbers = numbers[: array.size].reshape(array.shape), numbers[array.size :]
    return model
