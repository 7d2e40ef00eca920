"""The parts of every picture: the house style, a caption and small print at its foot, and its file."""

from __future__ import annotations

import contextlib
import math
import textwrap
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OptionError
from ..files import written_whole
from .dark import ALSO, save_dark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

BLUE, ORANGE, RED, GREY, FAINT = "#0072B2", "#E69F00", "#D55E00", "#666666", "#CCCCCC"
DIGITS = [
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#B8A800",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#7F7F7F",
    "#6A3D9A",
]
# from −1 over 0 to 1: each is darker than the one before, so that the sign of a number is seen without colour too
SIGNED = ["#CFE8FF", "#8FC1EA", "#A6A6A6", "#B5483A", "#6B0010"]
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.titlesize": 11,
    "legend.frameon": False,
    "savefig.dpi": 160,
    "text.usetex": False,
    "svg.hashsalt": "scratchae",  # otherwise an SVG would have other names in it each time
}
# the metadata to leave out of each format, so that the same data give the same bytes
FORMATS: dict[str, dict[str, None]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
CAPTION, SMALL = 8, 6.5  # sizes of letters, in points
SMALL_PRINT: ContextVar[str] = ContextVar("small print", default="")


@contextlib.contextmanager
def small_print(text: str) -> Iterator[None]:
    """Pictures that are drawn in the block have this text at their foot. It names their run, so that each can be read alone."""
    token = SMALL_PRINT.set(text)
    try:
        yield
    finally:
        SMALL_PRINT.reset(token)


@contextlib.contextmanager
def figure(path: Path, width: float, height: float, caption: str = "") -> Iterator[Figure]:
    """A figure in the house style, written to the path when the block ends. It needs no screen.

    width, height: the size of the drawing in inches. Below it are the caption, in sentences, and the small print.
    """
    from matplotlib import rc_context, rcdefaults, rcParams
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    form = require_format(Path(path).suffix.removeprefix(".") or "png")
    with rc_context():
        rcdefaults()  # whatever the user's matplotlibrc says
        rcParams.update(STYLE)
        foot = [
            (textwrap.fill(text, int(width * 130 / size)), size, colour)  # a letter is about half as wide as its size
            for text, size, colour in ((caption, CAPTION, "#333333"), (SMALL_PRINT.get(), SMALL, GREY))
            if text
        ]
        heights = [(text.count("\n") + 1.4) * 1.25 * size / 72 for text, size, _ in foot]
        below = sum(heights) + 0.06 * bool(foot)
        drawn = Figure(figsize=(width, height + below), layout="constrained")
        FigureCanvasAgg(drawn)
        drawn.get_layout_engine().set(rect=(0, below / (height + below), 1, height / (height + below)))
        for i, (text, size, colour) in enumerate(foot):
            look = {"va": "top", "fontsize": size, "color": colour, "linespacing": 1.25}
            drawn.text(0.08 / width, sum(heights[i:]) / (height + below), text, **look)
        yield drawn
        with written_whole(Path(path)) as temporary:
            drawn.savefig(temporary, format=form, metadata=FORMATS[form])
        if dark := ALSO.get():
            save_dark(drawn, dark)


def require_format(form: str) -> str:
    """The format of a picture. Raises OptionError if it is not one."""
    if form not in FORMATS:
        raise OptionError(f"format={form!r}: pictures are drawn as {', '.join(FORMATS)}; choose one of them")
    return form


def signed() -> Colormap:
    """The colours of numbers with a sign: pale blue is negative, grey 0, dark red positive."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("signed", SIGNED)


def frame(axes: Axes) -> None:
    """A thin frame around an image, and no ticks."""
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=True, color=FAINT)


def plain_log(axis: Axis, low: float, high: float) -> None:
    """Ticks of a logarithmic axis from low to high as plain numbers: 1, 2, 5, 10, 20; fewer if it spans many decades."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    decades = math.log10(high / low)
    steps = (1, 1.5, 2, 3, 4, 5, 7) if decades < 1 else (1, 2, 5) if decades < 2.5 else (1,)
    axis.set_major_locator(LogLocator(subs=steps, numticks=12))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def number(value: float) -> str:
    """A number as a person writes it: 20, 0.001, 10⁻⁷, with a real minus sign."""
    power = round(math.log10(value)) if value > 0 else 0
    if value > 0 and not -5 < power < 7 and math.isclose(value, 10.0**power):
        return f"$10^{{{power}}}$"
    return np.format_float_positional(float(f"{value:.4g}"), trim="-").replace("-", "−")
