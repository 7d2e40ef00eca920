"""Pictures of a training: its loss, and how its gradients flowed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..training import History
from .figure import BLUE, DIGITS, GREY, RED, figure, number, plain_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..study.watch import Flow


def loss_curve(
    history: History,
    path: Path,
    unit: str,
    baseline: tuple[str, float] | None = None,
    *,
    part: str = "loss",
    beside: Sequence[str] = (),
    caption: str = "",
) -> None:
    """Training and validation loss by epoch, and the loss of another method as a line.

    part: the column to draw, if the loss is a sum and the baseline is about only one of its parts. beside: further columns,
    in a second panel. The training loss is the mean over an epoch, so it is drawn in the middle of the epoch.
    """
    epochs = np.array(history["epoch"])
    first, validated = history[part][0], f"validation_{part}" in history
    with figure(path, 6, 3.6 + 1.7 * bool(beside), caption) as drawn:
        panels = drawn.subplots(
            1 + bool(beside), sharex=True, squeeze=False, height_ratios=[2, 1][: 1 + bool(beside)]
        )
        axes = panels[0, 0]
        axes.plot(epochs - 0.5, history[part], "o-", color=BLUE, markersize=4, label="training (mean over the epoch)")
        shown = history[part][1:] if len(epochs) > 3 else history[part]
        if validated:
            values = history[f"validation_{part}"]
            axes.plot(epochs, values, "s--", color=RED, markersize=4, label="validation (after it)")
            shown = [*shown, *values]
        if baseline is not None:
            axes.axhline(baseline[1], color=GREY, linestyle=":", label=baseline[0])
            shown = [*shown, baseline[1]]
        axes.set_ylabel(f"{part}, {unit}")
        spread_out(axes, first, shown)
        axes.legend()
        if beside:
            draw_parts(panels[1, 0], history, beside, validated)
        panels[-1, 0].set_xlabel("epoch")
        panels[-1, 0].set_xlim(left=0)
        panels[-1, 0].xaxis.get_major_locator().set_params(integer=True)


def several_losses(runs: dict[str, dict[str, list[float]]], path: Path) -> None:
    """The losses of several runs by epoch: a colour for each run, a line for validation, points for training."""
    with figure(path, 6.5, 3.8) as drawn:
        axes = drawn.subplots()
        for (name, columns), colour in zip(runs.items(), itertools.cycle(DIGITS), strict=False):
            epochs = np.array(columns["epoch"])
            axes.plot(epochs - 0.5, columns["loss"], ".", color=colour, markersize=4)
            drawn_as = "validation_loss" if "validation_loss" in columns else "loss"
            axes.plot(epochs, columns[drawn_as], "-", color=colour, linewidth=1.4, label=name)
        axes.set(xlabel="epoch", ylabel="loss: line validation, points training", xlim=(0, None))
        shown = [value for columns in runs.values() for value in columns["loss"]]
        if shown and 0 < 3 * min(shown) < max(shown):
            axes.set_yscale("log")
            plain_log(axes.yaxis, min(shown), max(shown))
        axes.legend()


def draw_parts(axes: Axes, history: History, columns: Sequence[str], validated: bool) -> None:
    """Parts of the loss, as measured in validation, or in training if there is no validation."""
    prefix, shift = ("validation_", 0) if validated else ("", 0.5)
    for column, look in zip(columns, ("s-", "v--"), strict=False):
        name = "KL" if column == "kl" else column.replace("_", " ")
        values = history[prefix + column]
        axes.plot(np.array(history["epoch"]) - shift, values, look, color=GREY, markersize=3, label=name)
    shown = [value for column in columns for value in history[prefix + column]]
    axes.set_ylabel(f"parts,\n{'validation' if validated else 'training'}")
    spread_out(axes, shown[0], shown)
    axes.legend()


def spread_out(axes: Axes, first: float, shown: list[float]) -> None:
    """Scale the loss so that its epochs can be told apart: with a logarithmic axis if they span a factor of three. The first
    epoch begins with random weights; if its mean would take more than half of the room, it is written in words.
    """
    low, high = min(shown), max(shown)
    logarithmic = 0 < 3 * low < high
    scale, back = (np.log, np.exp) if logarithmic else (np.asarray, np.asarray)
    room = scale(high) - scale(low)
    if room > 0 and first > back(scale(high) + room):
        axes.set_ylim(*back(np.array([scale(low) - 0.08 * room, scale(high) + 0.08 * room])))
        axes.set_title(f"↑ training, epoch 1: {number(first)}", loc="left", fontsize=8, color=BLUE)
    if logarithmic:
        axes.set_yscale("log")
        plain_log(axes.yaxis, low, high)


def gradient_flow(flow: Flow, path: Path) -> None:
    """What `watch` measured of a training, layer by layer and step by step: gradients, updates, dead and saturated units."""
    from matplotlib import colormaps

    panels = [
        (flow.gradient_norm, "gradient norm ‖∂L/∂θ‖", "log"),
        (flow.update_ratio, "a step's share of the weights, ‖Δθ‖ / ‖θ‖", "log"),
        (flow.dead, "dead units, share of a ReLU's", "linear"),
        (flow.saturated, "saturated outputs, share of a sigmoid's", "linear"),
    ]
    panels = [panel for panel in panels if panel[0]]
    with figure(path, 9.5, 2.7 * len(panels) + 0.3) as drawn:
        column = drawn.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
        named: set[str] = set()
        for axes, (layers, quantity, scale) in zip(column, panels, strict=True):
            axes.set_title(quantity, loc="left")
            if scale == "log":
                there = [value for values in layers.values() for value in values if 0 < value < np.inf] or [1e-3]
                low, high = min(there), max(there)
                middle = (low * high) ** 0.5
                bottom, top = min(0.7 * low, middle / 4), max(1.4 * high, middle * 4)  # more than a decade
                axes.set_yscale("log")
                axes.set_ylim(bottom, top)
                plain_log(axes.yaxis, bottom, top)
            else:
                low, high = 0, 1
                axes.set_ylim(-0.02, 1.02)
            # first layers dark, last layers light; dashes tell neighbours apart if colours do not
            for i, (name, values) in enumerate(layers.items()):
                drawable = [value if low <= value <= high else np.nan for value in values]
                axes.plot(
                    flow.steps,
                    drawable,
                    color=colormaps["viridis"](0.85 * i / max(len(layers) - 1, 1)),
                    linestyle=("-", "--", "-.", ":")[i % 4],
                    linewidth=1.3,
                    marker="." if len(flow.steps) < 30 else None,
                    label=f"{name} {flow.kinds[name].partition('(')[0]}",
                )
            if layers is flow.update_ratio and bottom < 1e-3 < top:
                axes.axhline(1e-3, color=GREY, linewidth=0.8)
                where = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center"}
                axes.annotate("0.001 is usual", (1, 1e-3), (4, 0), color=GREY, fontsize=8, **where)
            if not named.issuperset(layers):  # the panel above has a legend of the same layers
                axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
            named.update(layers)
        axes.set_xlabel("training step")


def through_time(norms: dict[str, np.ndarray], path: Path) -> None:
    """The norm of the gradient at each step of a sequence, (T,), for each name, on a logarithmic axis."""
    caption = (
        "How large ∂L/∂h is at each step: the gradient is made where states are used, at every step of a decoder, and of an encoder after "
        "the last step or wherever attention reads, and goes from right to left."
    )
    there = np.concatenate([values[values > 0] for values in norms.values()])
    with figure(path, 7, 3.6, caption) as drawn:
        axes = drawn.subplots()
        for i, (name, values) in enumerate(norms.items()):
            look = {"color": (RED, BLUE)[i % 2], "linestyle": ("--", "-")[i * 2 // len(norms)], "linewidth": 1.5}
            axes.plot(np.arange(1, len(values) + 1), np.where(values > 0, values, np.nan), label=name, **look)
        axes.set_yscale("log")
        plain_log(axes.yaxis, float(there.min()), float(there.max()))
        axes.set_xlabel("step of the sequence")
        axes.set_ylabel("‖∂L/∂h‖")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
