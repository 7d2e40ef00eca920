"""Where the decoder does not come back to the size of the data: what would mend it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

from ..backend import Array, array_module
from ..errors import ScratchaeError, ShapeError
from ..layers import ConvTranspose2d, Dense, Layer

MOST = 256  # combinations of output paddings that are tried


def require_shape(
    what: str, made: Array, target: Array, decoder: Layer, z: Array, again: Callable[[Array], Array]
) -> None:
    """Raise ShapeError, with the way out, unless the examples that the decoder made have the shape of the target's.

    what: the target's name. z: the codes that they were made of. again: the model's `reconstruct`, to try another size.
    """
    if made.shape[1:] == target.shape[1:]:
        return
    found, wanted = tuple(made.shape[1:]), tuple(target.shape[1:])
    message = f"the decoder makes examples of shape {found}, {what} has {wanted}: they must be equal"
    raise ShapeError(message + way_out(found, wanted, decoder, z[:1], again))


def way_out(
    found: tuple[int, ...], wanted: tuple[int, ...], decoder: Layer, z: Array, again: Callable[[Array], Array]
) -> str:
    """What would mend it, as the end of a sentence; nothing where nobody can tell."""
    last = [layer for _, layer in decoder.leaves() if hasattr(layer, "W")][-1:]
    if len(found) != len(wanted):
        if math.prod(found) == math.prod(wanted):
            return f"; let the decoder end with Reshape({wanted})"
        return ""
    if found[:-1] == wanted[:-1]:
        shape = getattr(last[0], "y_shape", None) if last else None
        if shape is None or len(shape) != len(found) + 1 or shape[-1] % found[-1]:
            return ""
        kind = "numbers" if isinstance(last[0], Dense) else "channels"
        return f"; let {last[0].label()} make {shape[-1] // found[-1] * wanted[-1]} {kind} instead of {shape[-1]}"
    if len(found) != 3 or found[-1] != wanted[-1]:
        return ""
    paddings = output_paddings(decoder, z, wanted)
    if paddings:
        return "; these sizes fit: " + ", ".join(
            f"output_padding={padding} in {layer.label()}" for layer, padding in paddings
        )
    if not comes_back(again, z, found):
        return ""
    (h, w), (H, W) = found[:2], wanted[:2]
    if h >= H and w >= W:
        pads = f"((0, 0), (0, {h - H}), (0, {w - W}), (0, 0))"
        return f'; this network takes {h}×{w}: numpy.pad(x, {pads}, mode="edge") repeats the edge'
    if h <= H and w <= W:
        return f"; this network takes {h}×{w}: x[:, :{h}, :{w}] cuts the images"
    return f"; this network takes {h}×{w}"


def comes_back(again: Callable[[Array], Array], z: Array, shape: tuple[int, ...]) -> bool:
    """Whether an example of this shape is rebuilt in its own shape."""
    try:
        return again(array_module(z).zeros((1, *shape), dtype=z.dtype)).shape[1:] == shape
    except ScratchaeError:
        return False


def output_paddings(
    decoder: Layer, z: Array, wanted: tuple[int, ...]
) -> list[tuple[ConvTranspose2d, tuple[int, int]]]:
    """The output paddings of transposed convolutions with which the decoder makes the wanted height and width; empty if there are none.

    Height and width do not depend on each other, so one is looked for at the same runs as the other.
    """
    layers = [layer for _, layer in decoder.leaves() if isinstance(layer, ConvTranspose2d) and max(layer.S) > 1]
    choices = [range(max(layer.S)) for layer in layers]
    if not layers or math.prod(map(len, choices)) > MOST:
        return []
    kept, fits = [layer.extra for layer in layers], [None, None]
    try:
        for paddings in itertools.product(*choices):
            for layer, padding in zip(layers, paddings, strict=True):
                layer.extra = tuple(min(padding, stride - 1) for stride in layer.S)
            made = decoder.forward(z).shape[1:]
            fits = [
                fit or (tuple(layer.extra[axis] for layer in layers) if made[axis] == wanted[axis] else None)
                for axis, fit in enumerate(fits)
            ]
    except ScratchaeError:
        return []
    finally:
        for layer, padding in zip(layers, kept, strict=True):
            layer.extra = padding
    return [] if None in fits else list(zip(layers, zip(*fits, strict=True), strict=True))
