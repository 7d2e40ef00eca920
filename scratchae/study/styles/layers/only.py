"""The gradient of the only parameter of a layer, which needs no more of a name than grad."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..objects.copies import duplicate
from ..objects.paths import Path, get, is_array, short
from ..text.names import GRADIENTS, plain


def parameter(
    layer: Any, candidates: Mapping[Path, Any], after: Mapping[Path, Any], x: np.ndarray
) -> dict[str, tuple[Path, Path | None]]:
    """The place of the only array that moves y, and of what backward leaves in its shape under such a name, for any number of examples."""
    bare = [path for path in after if len(path) == 1 and plain(path[0][1]) in GRADIENTS and is_array(after[path])]
    if len(bare) != 1 or layer.index:
        return {}
    moving = [path for path in candidates if path not in bare and is_array(candidates[path]) and layer.moves(path, x)]
    fits = len(moving) == 1 and after[bare[0]].shape == candidates[moving[0]].shape == shape_for_more(
        layer, bare[0], x
    )
    return {short(moving[0]): (moving[0], bare[0])} if fits else {}


def shape_for_more(layer: Any, path: Path, x: np.ndarray) -> tuple[int, ...] | None:
    """The shape of what backward leaves at a place where there are twice as many examples, which are rows or else columns."""
    for axis in (0, -1):
        try:
            twin = duplicate(layer)
            y = np.asarray(twin.forward(np.concatenate([x, x], axis)))
            twin.backward(np.ones(y.shape))
            return np.shape(get(twin.theirs, path))
        except Exception:  # the examples are others
            continue
    return None
