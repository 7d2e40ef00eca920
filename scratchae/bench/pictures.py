"""The benchmark's pictures, in the house style of `plots`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..plots import BLUE, GREY, ORANGE, RED, figure
from .report import OURS

PRESET_COLOURS = (BLUE, RED, "#009E73", ORANGE, "#CC79A7", "#56B4E9", "#000000", "#B8A800")
PRESET_MARKERS = "osD^vPX*"
WAY_LOOKS = {
    "cpu": {"fmt": "o-", "color": BLUE},
    "cpu-compiled": {"fmt": "v-.", "color": "#56B4E9"},
    "gpu-eager": {"fmt": "^:", "color": ORANGE},
    "gpu": {"fmt": "s--", "color": RED},
}


def throughput(presets: dict[str, dict[str, Any]], path: Path) -> None:
    """Examples a second against batch size, a panel for each preset, a line for each way, with quartiles."""
    columns = min(len(presets), 3)
    rows = -(-len(presets) // columns)
    with figure(path, 3.4 * columns, 3.0 * rows) as drawn:
        grid = drawn.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axes in grid.flat[len(presets) :]:
            axes.set_axis_off()
        for axes, (name, result) in zip(grid.flat, presets.items(), strict=False):
            for way, line in result["ways"].items():
                if not line["points"]:
                    continue
                sizes, ms = columns_of(line["points"], "batch_size", "median_ms")
                low, high = np.array([point["quartiles_ms"] for point in line["points"]]).T
                rate, slow, fast = (1e3 * sizes / t for t in (ms, high, low))
                axes.errorbar(
                    sizes,
                    rate,
                    (rate - slow, fast - rate),
                    **WAY_LOOKS[way],
                    capsize=2,
                    markersize=4,
                    label=line["title"],
                )
            if result.get("overtakes_at"):
                axes.axvline(result["overtakes_at"], color=GREY, linewidth=0.8, linestyle=":")
            axes.set(xscale="log", yscale="log", title=name)
            plain_ticks(axes, "y")
            batch_ticks(axes, sizes)
        for axes in grid[:, 0]:
            axes.set_ylabel("examples/s")
        for axes in grid[-1]:
            axes.set_xlabel("batch size")
        grid.flat[0].legend(loc="best")


def roofline(presets: dict[str, dict[str, Any]], roofs: dict[str, dict[str, Any]], path: Path) -> None:
    """What each preset reaches, against its operations for each byte that it must move; a panel for each device. Its batch
    sizes are a line, from the smallest (marked) to the largest; above it the device's two roofs.
    """
    chosen = {device: "gpu" if device == "gpu" else "cpu" for device in roofs}
    with figure(path, 6.2 * len(roofs), 4.6) as drawn:
        for axes, (device, way) in zip(drawn.subplots(1, len(roofs), squeeze=False)[0], chosen.items(), strict=True):
            peak, bandwidth = roofs[device]["gflops_per_second"], roofs[device]["gb_per_second"]
            reached, rates = [], []
            for (name, result), colour, marker in zip(
                presets.items(), cycled(PRESET_COLOURS, presets), cycled(PRESET_MARKERS, presets), strict=True
            ):
                points = [p for p in result["ways"][way]["points"] if "flops_per_byte" in p]
                if not points:
                    continue
                intensity, rate = columns_of(points, "flops_per_byte", "gflops_per_second")
                first, last = points[0]["batch_size"], points[-1]["batch_size"]
                axes.plot(
                    *(intensity, rate, f"{marker}-"),
                    **{"color": colour, "markersize": 4, "linewidth": 1},
                    label=f"{name}, batch {first:,} to {last:,}",
                )
                axes.plot(
                    intensity[:1], rate[:1], marker, color="white", markeredgecolor=colour, markersize=8, zorder=3
                )
                reached += [*intensity]
                rates += [*rate]
            ridge = peak / bandwidth
            span = np.array([min([*reached, ridge]) / 3, max([*reached, ridge]) * 2.5])
            roof = np.array([span[0], ridge, span[1]])
            axes.plot(roof, np.minimum(peak, bandwidth * roof), color="black", linewidth=1.6)
            axes.annotate(
                f"GEMM peak {peak:,.0f} GFLOP/s",
                (span[1], peak),
                (0, 5),
                textcoords="offset points",
                ha="right",
                va="bottom",
            )
            axes.annotate(
                f"memory {bandwidth:,.0f} GB/s",
                (ridge, peak),
                (-10, 5),
                textcoords="offset points",
                ha="right",
                va="bottom",
            )
            axes.set(xscale="log", yscale="log", xlim=span, title=f"{device.upper()}: what a training step reaches")
            axes.set_ylim(min([*rates, bandwidth * span[0]]) / 2, 2.2 * peak)
            axes.set(xlabel="operations for each byte that must move (open marker: smallest batch)", ylabel="GFLOP/s")
            plain_ticks(axes, "x")
            plain_ticks(axes, "y")
            axes.legend(loc="lower right", fontsize=8)


def layers(presets: dict[str, dict[str, Any]], device: str, path: Path) -> None:
    """Milliseconds of each layer in a step, forward and backward; a panel for each preset."""
    found = {name: result["by_layer"][device] for name, result in presets.items() if result["by_layer"][device]}
    heights = [len(each["layers"]) + 2 for each in found.values()]
    with figure(path, 7.2, 0.23 * sum(heights) + 0.75 * len(found)) as drawn:
        grid = drawn.subplots(len(found), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (name, each) in zip(grid, found.items(), strict=True):
            bars = [
                (f"{layer['name']} {layer['layer'].partition('(')[0]}", layer["forward_ms"], layer["backward_ms"])
                for layer in each["layers"]
            ]
            bars.append(("loss and the rest", each["rest"]["forward_ms"], each["rest"]["backward_ms"]))
            labels, forward, backward = zip(*bars, strict=True)
            forward, backward = (np.maximum(ms, 0) for ms in (forward, backward))
            place = np.arange(len(labels))
            axes.barh(place, forward, color=BLUE, label="forward")
            axes.barh(place, backward, left=forward, color=ORANGE, hatch="///", edgecolor="white", label="backward")
            axes.barh(len(labels), each["optimizer_ms"], color=GREY, label="optimizer")
            axes.set_yticks([*place, len(labels)], [*labels, "optimizer"], fontsize=8)
            axes.invert_yaxis()
            axes.grid(visible=False, axis="y")
            axes.set_title(
                f"{name}, batch {each['batch_size']}, {device.upper()}: {each['step_ms']:.3g} ms", loc="left"
            )
        drawn.legend(*grid[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
        grid[-1].set_xlabel("ms, summed over the runs of a layer in a step")


def peers(comparisons: Sequence[dict[str, Any]], path: Path) -> None:
    """How many times as long each peer takes as scratchae, with quartiles: a panel for each preset, batch size and device."""
    columns = min(len(comparisons), 2)
    rows = -(-len(comparisons) // columns)
    most = max(len(each["peers"]) for each in comparisons)
    with figure(path, 5.4 * columns, rows * (0.3 * most + 0.8)) as drawn:
        grid = drawn.subplots(rows, columns, squeeze=False)
        for axes in grid.flat[len(comparisons) :]:
            axes.set_axis_off()
        for axes, each in zip(grid.flat, comparisons, strict=False):
            theirs = {name: peer for name, peer in each["peers"].items() if name != OURS}
            place = np.arange(len(theirs))
            ratio = np.array([peer["ratio"] for peer in theirs.values()])
            low, high = np.array([peer["ratio_quartiles"] for peer in theirs.values()]).reshape(-1, 2).T
            colours = [BLUE if value >= 1 else RED for value in ratio]
            axes.barh(place, ratio, color=colours, xerr=(ratio - low, high - ratio), ecolor="black", capsize=2)
            for y, value, end in zip(place, ratio, high, strict=True):
                axes.annotate(
                    *(f"{value:.2f}", (end, y), (4, 0)),
                    **{"textcoords": "offset points", "va": "center", "fontsize": 8},
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
                )
            axes.axvline(1, color="black", linewidth=1)
            axes.set_yticks(place, [peer["title"] for peer in theirs.values()], fontsize=8)
            axes.invert_yaxis()
            axes.grid(visible=False, axis="y")
            axes.set_xlim(0, 1.15 * max([1.0, *high]))
            ours = each["peers"][OURS]["median_ms"]
            axes.set_title(
                f"{each['preset']}, batch {each['batch_size']:,}, {each['device'].upper()}: ours {ours:.3g} ms",
                loc="left",
            )
        for axes in grid[-1]:
            axes.set_xlabel("time / ours: above 1 scratchae is faster")


# The parts


def columns_of(points: Sequence[dict[str, Any]], *names: str) -> list[np.ndarray]:
    return [np.array([point[name] for point in points], float) for name in names]


def cycled(values: Sequence[str], for_each: Sequence[Any] | dict[str, Any]) -> list[str]:
    return [values[i % len(values)] for i in range(len(for_each))]


def batch_ticks(axes: Any, sizes: np.ndarray) -> None:
    """The batch sizes themselves as ticks, but for those that would touch their neighbour."""
    shown = [sizes[0]]
    for size in sizes:
        if size >= 3 * shown[-1]:
            shown.append(size)
    axes.set_xticks(shown, [f"{size:,.0f}" for size in shown], fontsize=8)
    axes.set_xticks([], minor=True)


def plain_ticks(axes: Any, axis: str) -> None:
    """1, 2, 5, 10, … on a logarithmic axis, written out."""
    getattr(axes, f"set_{axis}scale")("log", subs=(2, 5))
    chosen = getattr(axes, f"{axis}axis")
    chosen.set_major_formatter("{x:,g}")
    chosen.set_minor_formatter("{x:,g}")
