"""Named experiments, one file for each family. Each is a model, its data and its recipe, in a few lines."""

from __future__ import annotations

import difflib

from ..data import HELD_OUT, Examples, split
from ..errors import OptionError
from . import (
    adversarial,
    boltzmann,
    convolutional,
    dense,
    diffusion,
    quantised,
    regularised,
    sequential,
    variational,
)
from .form import Form
from .preset import Preset

FAMILIES = (
    dense,
    convolutional,
    regularised,
    sequential,
    variational,
    quantised,
    adversarial,
    diffusion,
    boltzmann,
)
PRESETS = {preset.name: preset for family in FAMILIES for preset in family.PRESETS}


def find_preset(name: str) -> Preset:
    """The preset of this name. Raises OptionError, which gives the nearest names, if there is none."""
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, PRESETS, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"expected one of {', '.join(PRESETS)}"
    raise OptionError(f"unknown preset {name!r}: {hint}")


__all__ = ["HELD_OUT", "PRESETS", "Examples", "Form", "Preset", "find_preset", "split"]
