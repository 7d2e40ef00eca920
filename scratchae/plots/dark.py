"""A second version of a picture, for pages with a dark ground: the ground is transparent, and ink becomes light."""

from __future__ import annotations

import colorsys
import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Colour = tuple[float, float, float]

ALSO: ContextVar[Path | None] = ContextVar("where pictures are also saved for a dark page", default=None)


@contextlib.contextmanager
def also_dark(path: Path) -> Iterator[None]:
    """What `figure` draws in the block is also saved here, for a dark page."""
    token = ALSO.set(path)
    try:
        yield
    finally:
        ALSO.reset(token)


def inverse(red: float, green: float, blue: float) -> Colour:
    """A colour that is as light as this one is dark."""
    hue, light, lively = colorsys.rgb_to_hls(red, green, blue)
    # some versions of Python round a pale colour to be livelier than 1
    return colorsys.hls_to_rgb(hue, 0.08 + 0.84 * (1 - light), min(lively, 1.0))


def in_dark(red: float, green: float, blue: float) -> Colour:
    """A colour for a dark ground: black becomes nearly white, a pale fill becomes dark, and a lively colour stays or becomes lighter."""
    light = max(red, green, blue) + min(red, green, blue)  # twice the lightness
    return (red, green, blue) if 1 < light < 1.4 else inverse(red, green, blue)


def save_dark(drawn: Figure, path: Path) -> None:
    """Save a figure, which was drawn before, for a dark page; it is changed. Images, what lies on
    them, and points that are coloured by a value keep their colours."""
    from matplotlib.collections import QuadMesh
    from matplotlib.contour import ContourSet
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

    drawn.set_layout_engine("none")  # all is where it should be
    kept = {drawn.patch, *(axes.patch for axes in drawn.axes)}
    for axes in drawn.axes:
        if axes.images or any(isinstance(each, QuadMesh) for each in axes.collections):
            kept |= {*axes.lines, *axes.collections, *axes.patches}
            kept |= {text for text in axes.texts if axes.bbox.contains(*middle(text))}
    for artist in drawn.findobj():
        if artist in kept:
            continue
        if isinstance(artist, Line2D):
            recolour(artist, "color", "markerfacecolor", "markeredgecolor")
        elif isinstance(artist, Text):
            recolour(artist, "color")
            for part in (artist.get_bbox_patch(), getattr(artist, "arrow_patch", None)):
                recolour(part, "facecolor", "edgecolor")
        elif isinstance(artist, ContourSet):
            artist.set_array(None)  # it keeps the colours of its levels, and these keep their order
            recolour(artist, "facecolor", "edgecolor", change=inverse)
        elif getattr(artist, "get_array", lambda: None)() is None:
            recolour(artist, "facecolor", "edgecolor")
    with written_whole(path) as temporary:
        drawn.savefig(temporary, format="png", transparent=True)


def middle(text: Any) -> tuple[float, float]:
    place = text.get_window_extent()
    return (place.x0 + place.x1) / 2, (place.y0 + place.y1) / 2


def recolour(artist: Any, *names: str, change: Callable[..., Colour] = in_dark) -> None:
    """Give a part of a figure the colours that it has in the dark."""
    from matplotlib.colors import to_rgba_array

    was = {name: getattr(artist, f"get_{name}")() for name in names if hasattr(artist, f"get_{name}")}
    for name, colour in was.items():
        colours = to_rgba_array(colour)
        if len(colours):
            look = np.array([[*change(*rgba[:3]), rgba[3]] for rgba in colours])
            getattr(artist, f"set_{name}")(tuple(look[0]) if len(look) == 1 else look)
