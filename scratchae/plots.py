"""Every picture. The only file that imports matplotlib, and only when something is drawn.

Each function draws one figure and writes it to `path`. Colours are Okabe and Ito's, which colour-blind
readers can tell apart, and nothing is told by colour alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .files import written_whole
from .models import PCA
from .training import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .study.watch import Flow

BLUE, ORANGE, RED, GREY = "#0072B2", "#E69F00", "#D55E00", "#666666"
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
}


@contextlib.contextmanager
def figure(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure in the house style, written to the path when the block ends; needs no screen."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        drawn = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(drawn)
        yield drawn
        with written_whole(Path(path)) as temporary:
            drawn.savefig(temporary, format="png")


def loss_curve(history: History, path: Path, unit: str, baseline: tuple[str, float] | None = None) -> None:
    """Training and validation loss by epoch, and, as a line, what another method reaches."""
    epochs = history["epoch"]
    with figure(path, 6, 3.6) as drawn:
        axes = drawn.subplots()
        axes.plot(epochs, history["loss"], "o-", color=BLUE, markersize=4, label="training (mean over the epoch)")
        if "validation_loss" in history:
            axes.plot(
                epochs,
                history["validation_loss"],
                "s--",
                color=RED,
                markersize=4,
                label="validation (after it)",
            )
        if baseline is not None:
            axes.axhline(baseline[1], color=GREY, linestyle=":", label=baseline[0])
        axes.set_xlabel("epoch")
        axes.set_ylabel(f"loss, {unit}")
        axes.xaxis.get_major_locator().set_params(integer=True)
        if 0 < 20 * min(history["loss"]) < max(history["loss"]):
            axes.set_yscale("log")  # else all but the first epochs would lie on the floor
        axes.legend()


def image_rows(rows: dict[str, np.ndarray], path: Path) -> None:
    """Rows of images (n, H, W) in [0, 1], ink on white, each row with its name."""
    n = len(next(iter(rows.values())))
    with figure(path, 1.7 + 0.72 * n, 0.78 * len(rows)) as drawn:
        grid = drawn.subplots(len(rows), n, squeeze=False)
        for axes_row, (name, images) in zip(grid, rows.items(), strict=True):
            for axes, image in zip(axes_row, images, strict=True):
                axes.imshow(image, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
                axes.set(xticks=[], yticks=[])
                for spine in axes.spines.values():
                    spine.set(visible=True, color="#CCCCCC")
            axes_row[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)


def kernels(layers: dict[str, np.ndarray], path: Path, count: int = 32) -> None:
    """For each name, a layer's kernels (n, KH, KW) as images, the first `count`, each relative to its own largest weight."""
    columns = 16
    lines = [
        (name if start == 0 else "", images[:count][start : start + columns])
        for name, images in layers.items()
        for start in range(0, min(len(images), count), columns)
    ]
    with figure(path, 1.9 + 0.5 * columns, 0.53 * len(lines) + 0.75) as drawn:
        grid = drawn.subplots(len(lines), columns, squeeze=False)
        for axes_row, (name, images) in zip(grid, lines, strict=True):
            axes_row[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
            for axes in axes_row:
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
            for axes, image in zip(axes_row, images, strict=False):
                image = image / (np.abs(image).max() or 1)
                shown = axes.imshow(image, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        bar = drawn.colorbar(
            shown, ax=grid, orientation="horizontal", shrink=0.4, aspect=40, pad=0.02, ticks=[-1, 0, 1]
        )
        bar.set_label("weight, relative to the kernel's largest")


def feature_maps(outputs: dict[str, np.ndarray], path: Path, count: int = 16) -> None:
    """One image on its way through the layers: for each name an output (H, W, C), channel by channel, the first `count`;
    a code of one pixel as one strip of all its channels. Zero is white; each layer has its own scale.
    """
    with figure(path, 2.6 + 0.5 * count, 0.56 * len(outputs) + 0.4) as drawn:
        rows = drawn.add_gridspec(len(outputs), count)
        for i, (name, output) in enumerate(outputs.items()):
            H, W, C = output.shape
            limit = float(np.abs(output).max()) or 1.0
            look = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit, "interpolation": "nearest"}
            if H * W == 1:
                cells = [(drawn.add_subplot(rows[i, :]), output.reshape(1, C))]
                look["aspect"] = "auto"
            else:
                cells = [(drawn.add_subplot(rows[i, c]), output[:, :, c]) for c in range(min(C, count))]
            for axes, image in cells:
                axes.imshow(image, **look)
                axes.set(xticks=[], yticks=[])
                for spine in axes.spines.values():
                    spine.set(visible=True, color="#CCCCCC")
            shown = "" if H * W == 1 or count >= C else f", {count} shown"
            text = f"{name}\n{H}×{W}×{C}{shown}; {output.min():.2g} … {output.max():.2g}"
            cells[0][0].set_ylabel(text, rotation=0, ha="right", va="center", labelpad=8, fontsize=8)


def curves(truth: np.ndarray, made: dict[str, np.ndarray], path: Path) -> None:
    """The first values of a few examples, true and reconstructed, as lines: for data that are no images."""
    shown = 60
    with figure(path, 8, 1.6 * len(truth)) as drawn:
        grid = drawn.subplots(len(truth), 1, sharex=True, sharey=True)
        for i, axes in enumerate(grid):
            axes.plot(truth[i, :shown], color="black", linewidth=2.2, alpha=0.35, label="original")
            for (name, values), colour, line in zip(made.items(), (BLUE, RED), ("-", "--"), strict=True):
                axes.plot(values[i, :shown], line, color=colour, linewidth=1.1, label=name)
            axes.set_ylabel(f"example {i + 1}")
        grid[0].legend(ncols=1 + len(made), loc="lower left", bbox_to_anchor=(0, 1))
        grid[-1].set_xlabel(f"feature (the first {shown} of {truth.shape[1]})")


def latent_scatter(codes: np.ndarray, labels: np.ndarray | None, path: Path) -> None:
    """Codes as points in the plane, coloured by label; longer codes are seen along their two widest directions."""
    if codes.shape[1] > 2:
        centred = codes - codes.mean(axis=0)
        points = PCA(2).fit(codes).encode(codes)
        shares = (points.var(axis=0) / max(float((centred**2).sum(axis=1).mean()), 1e-30)).tolist()
        names = [
            f"{which} principal direction of the code ({share:.0%} of its variance)"
            for which, share in zip(("first", "second"), shares, strict=True)
        ]
    elif codes.shape[1] == 2:
        points, names = codes, ["code, first number", "code, second number"]
    else:
        points, names = np.column_stack([codes, np.arange(len(codes))]), ["code", "example"]
    with figure(path, 6.4, 5.6) as drawn:
        axes = drawn.subplots()
        colours = BLUE if labels is None else np.array(DIGITS)[labels]
        axes.scatter(*points.T, s=9, color=colours, alpha=0.6, linewidths=0)
        if labels is not None:
            present = np.unique(labels)
            middles = np.stack([np.median(points[labels == label], axis=0) for label in present])
            for label, place in zip(present, apart(middles, points), strict=True):
                box = {
                    "boxstyle": "circle,pad=0.25",
                    "facecolor": "white",
                    "edgecolor": DIGITS[label],
                    "linewidth": 1.5,
                }
                axes.text(*place, str(label), ha="center", va="center", fontweight="bold", bbox=box)
        axes.set_xlabel(names[0])
        axes.set_ylabel(names[1])


def apart(places: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Places (n, 2) for names among points, moved a little where two would cover each other."""
    spread = np.ptp(points, axis=0)
    room = 0.05 * np.where(spread > 0, spread, 1)  # a name's width and height
    places = places / room
    for _ in range(50):
        gap = places[:, None] - places[None]
        distance = np.linalg.norm(gap, axis=-1)
        push = np.where(distance < 1, 1 - distance, 0) / np.maximum(distance, 1e-3)
        places = places + 0.5 * (push[..., None] * gap).sum(axis=1)
    return places * room


def filters(W: np.ndarray, spread: np.ndarray, path: Path, count: int = 64) -> None:
    """What the first layer's units look for: the columns of W (784, units) as images, each pixel's weight times the
    pixel's standard deviation `spread` (784,), which is what it can contribute; the `count` strongest units.
    """
    contribution = W * spread[:, None]
    strongest = np.argsort(-np.linalg.norm(contribution, axis=0))[:count]
    columns = 16
    rows = -(-len(strongest) // columns)
    with figure(path, 0.55 * columns, 0.57 * rows + 0.75) as drawn:
        grid = drawn.subplots(rows, columns, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, unit in zip(grid.flat, strongest, strict=False):
            image = contribution[:, unit].reshape(28, 28)
            image = image / (np.abs(image).max() or 1)
            shown = axes.imshow(image, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        bar = drawn.colorbar(
            shown, ax=grid, orientation="horizontal", shrink=0.4, aspect=40, pad=0.02, ticks=[-1, 0, 1]
        )
        bar.set_ticklabels(["against", "0", "for"])
        bar.set_label("a pixel's weight times its spread, relative to the unit's largest")


def activations(z: np.ndarray, path: Path, target: float | None = None) -> None:
    """How a code z (N, D) is used: all its numbers as a histogram, and the units by their mean over the examples; as a
    line, what that mean was to be.
    """
    with figure(path, 8.4, 3.4) as drawn:
        everything, means = drawn.subplots(1, 2)
        everything.hist(z.ravel(), bins=60, color=BLUE, weights=np.full(z.size, 1 / z.size))
        everything.set(yscale="log", xlabel="activation", ylabel="share of all activations")
        everything.set_title(f"{np.mean(z == 0):.0%} of the activations are 0")
        means.hist(z.mean(axis=0), bins=40, color=BLUE)
        means.set(xlabel="mean activation of a unit", ylabel="units")
        means.set_title(f"{z.shape[1]} units, {np.sum(~z.any(axis=0))} of them always 0")
        means.yaxis.get_major_locator().set_params(integer=True)
        if target is not None:
            means.axvline(target, color=RED, linestyle="--", label=f"target {target:g}")
            means.legend()


def mosaic(images: np.ndarray, path: Path) -> None:
    """Images (rows, columns, H, W) in [0, 1], ink on white, side by side."""
    rows, columns = images.shape[:2]
    with figure(path, 0.55 * columns, 0.55 * rows) as drawn:
        axes = drawn.subplots()
        axes.imshow(tiled(images), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        axes.set_axis_off()


def manifold(images: np.ndarray, z: np.ndarray, path: Path) -> None:
    """What a code of two numbers makes: images (n, n, H, W) in [0, 1], for the values z (n,) of the first number from left
    to right, and of the second from bottom to top.
    """
    n = len(z)
    with figure(path, 7, 7) as drawn:
        axes = drawn.subplots()
        axes.imshow(tiled(images), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest", extent=(0, n, 0, n))
        axes.grid(visible=False)
        at = np.linspace(0, n - 1, min(n, 6)).round().astype(int)
        names = [f"{value:.2f}".replace("-", "−") for value in z[at].tolist()]  # a minus, as in other pictures
        axes.set_xticks(at + 0.5, names)
        axes.set_yticks(at + 0.5, names)
        axes.set_xlabel("code, first number")
        axes.set_ylabel("code, second number")


def tiled(images: np.ndarray) -> np.ndarray:
    """Images (rows, columns, H, W) as one (rows · H, columns · W)."""
    rows, columns, H, W = images.shape
    return images.transpose(0, 2, 1, 3).reshape(rows * H, columns * W)


def unit_kl(models: dict[str, tuple[np.ndarray, np.ndarray]], path: Path) -> None:
    """For each model the KL term of every number of its code (D,), in nats, the largest first, and which of them (D,) are
    in use.
    """
    with figure(path, 7, 0.5 + 2.4 * len(models)) as drawn:
        grid = drawn.subplots(len(models), 1, sharey=True, squeeze=False)[:, 0]
        for axes, (name, (kl, active)) in zip(grid, models.items(), strict=True):
            order = np.argsort(-kl, kind="stable")
            place = np.arange(1, len(kl) + 1)
            for use, look in (
                (True, {"color": BLUE}),
                (False, {"color": "white", "edgecolor": GREY, "hatch": "///"}),
            ):
                chosen = active[order] == use
                if chosen.any():
                    label = "in use" if use else "not in use: its mean hardly depends on x"
                    axes.bar(place[chosen], kl[order][chosen], label=label, **look)
            axes.set_title(f"{name}: KL {kl.sum():.1f} nats, {active.sum()} of {len(kl)} in use")
            axes.set_ylabel("KL, nats")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(visible=False, axis="x")
            if not active.all():
                axes.legend()
        grid[-1].set_xlabel("numbers of the code, the largest first")


def displacements(models: dict[str, tuple[np.ndarray, np.ndarray, str]], points: np.ndarray, path: Path) -> None:
    """Where models of the plane send it: for each name, arrows from a grid (n, 2) to its reconstruction (n, 2),
    over data points, and a remark.
    """
    with figure(path, 3.3 * len(models), 4.7) as drawn:
        drawn.suptitle("from a point to its reconstruction")
        grid = drawn.subplots(1, len(models), sharex=True, sharey=True)
        for axes, (name, (start, end, remark)) in zip(grid, models.items(), strict=True):
            axes.scatter(*points.T, s=4, color=ORANGE, alpha=0.6, linewidths=0)
            axes.scatter(*start.T, s=5, color=BLUE, linewidths=0)
            move = end - start
            axes.quiver(*start.T, *move.T, angles="xy", scale_units="xy", scale=1, width=0.007, color=BLUE)
            axes.set(aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), xlabel=f"$x_1$\n\n{remark}")
            axes.set_title(name)
        grid[0].set_ylabel("$x_2$")


def gradient_flow(flow: Flow, path: Path) -> None:
    """What `watch` measured of a training, layer by layer and step by step: gradients, updates, dead and saturated units."""
    from matplotlib import colormaps
    from matplotlib.ticker import NullFormatter

    panels = [
        (flow.gradient_norm, "gradient norm ‖∂L/∂θ‖", "log"),
        (flow.update_ratio, "a step's share of the weights, ‖Δθ‖ / ‖θ‖", "log"),
        (flow.dead, "dead units, share of a ReLU's", "linear"),
        (flow.saturated, "saturated outputs, share of a sigmoid's", "linear"),
    ]
    panels = [panel for panel in panels if panel[0]]
    with figure(path, 9.5, 2.7 * len(panels) + 0.3) as drawn:
        column = drawn.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
        for axes, (layers, quantity, scale) in zip(column, panels, strict=True):
            axes.set_title(quantity, loc="left")
            if scale == "log":
                there = [value for values in layers.values() for value in values if 0 < value < np.inf] or [1e-3]
                low, high = min(there), max(there)
                middle = (low * high) ** 0.5
                axes.set_yscale("log")
                axes.set_ylim(min(0.7 * low, middle / 4), max(1.4 * high, middle * 4))  # more than a decade
                axes.yaxis.set_minor_formatter(NullFormatter())
            else:
                low, high = 0, 1
                axes.set_ylim(-0.02, 1.02)
            # first layers dark, last ones light; the dashes tell neighbours apart where colours do not
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
            if layers is flow.update_ratio:
                axes.axhline(1e-3, color=GREY, linewidth=0.8)
                look = {
                    "xycoords": ("axes fraction", "data"),
                    "textcoords": "offset points",
                    "ha": "right",
                    "zorder": 5,
                }
                look["bbox"] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
                axes.annotate("10⁻³, usual", (1, 1e-3), (-3, 3), color=GREY, annotation_clip=True, **look)
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
        axes.set_xlabel("training step")
