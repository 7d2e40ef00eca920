"""Pictures of codes, and of data that are not images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..models import PCA
from ..training import History
from .figure import BLUE, DIGITS, GREY, ORANGE, RED, figure, signed

MARKERS = "osD^vPX*<>"  # the shapes of the digits, beside their colours
POINTS = 1500  # more points would cover one another
HELD = (0.5, 0.95)  # of the draws of N(0, 1)


def curves(truth: np.ndarray, made: dict[str, np.ndarray], path: Path) -> None:
    """The first values of a few examples, true and reconstructed, as lines, for data that are not images."""
    shown = min(60, truth.shape[1])
    with figure(path, 8, 1.6 * len(truth)) as drawn:
        grid = drawn.subplots(len(truth), 1, sharex=True, sharey=True)
        for i, axes in enumerate(grid):
            axes.plot(truth[i, :shown], color="black", linewidth=2.2, alpha=0.35, label="original")
            for (name, values), colour, line in zip(made.items(), (BLUE, RED), ("-", "--"), strict=True):
                axes.plot(values[i, :shown], line, color=colour, linewidth=1.1, label=name)
            axes.set_ylabel(f"example {i + 1}")
        grid[0].legend(ncols=1 + len(made), loc="lower left", bbox_to_anchor=(0, 1))
        grid[-1].set_xlabel(f"feature (the first {shown} of {truth.shape[1]})")


def cells(rows: dict[str, np.ndarray], path: Path, columns: Sequence[str], caption: str = "") -> None:
    """Rows (n, D) of scaled numbers as coloured cells, at most 40 numbers of each, under a name for each group of rows."""
    width = min(next(iter(rows.values())).shape[1], 40)
    names = list(columns[:width]) or [str(i + 1) for i in range(width)]
    # a single cell far beyond all others should not make these pale
    limit = float(np.percentile(np.abs(np.concatenate([x[:, :width] for x in rows.values()])), 98)) or 1.0
    heights = [max(len(x), 2) for x in rows.values()]
    with figure(path, 2.2 + 0.2 * max(width, 12), 1.9 + 0.16 * sum(heights), caption) as drawn:
        grid = drawn.subplots(len(rows), squeeze=False, height_ratios=heights)[:, 0]
        for axes, (name, x) in zip(grid, rows.items(), strict=True):
            look = {"cmap": signed(), "vmin": -limit, "vmax": limit, "aspect": "auto", "interpolation": "nearest"}
            shown = axes.imshow(x[:, :width], **look)
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
            axes.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
        grid[-1].set_xticks(range(width), [each[:24] for each in names], rotation=90, fontsize=7)
        drawn.colorbar(shown, ax=grid, shrink=0.8, aspect=30, pad=0.02, label="value, scaled")


def spread(x: np.ndarray, columns: Sequence[str], path: Path, what: str = "training examples") -> None:
    """How the scaled columns of rows (N, D) are spread: for each of the first 40 its middle half, its ends and its median."""
    shown = x[:, :40]
    names = columns[:40] or [str(i + 1) for i in range(shown.shape[1])]
    caption = (
        f"{f'The first 40 of {x.shape[1]}' if x.shape[1] > 40 else f'All {x.shape[1]}'} columns of the {what}, scaled: a bar from "
        "the 25th to the 75th percentile, a line from the 1st to the 99th, a point for each of the smallest and largest."
    )
    with figure(path, 7.5, 0.6 + 0.22 * shown.shape[1], caption) as drawn:
        axes = drawn.subplots()
        low, first, middle, last, high = np.percentile(shown, [1, 25, 50, 75, 99], axis=0)
        place = np.arange(shown.shape[1])
        axes.hlines(place, low, high, color=BLUE, linewidth=1)
        axes.hlines(place, first, last, color=BLUE, linewidth=5)
        axes.plot(middle, place, "|", color="white", markersize=8)
        axes.plot(
            np.stack([shown.min(axis=0), shown.max(axis=0)]), np.stack([place, place]), ".", color=RED, markersize=4
        )
        axes.set_yticks(place, [name[:28] for name in names])
        axes.set_ylim(len(place) - 0.5, -0.5)
        axes.set_xlabel("value, scaled")


def attention(maps: dict[tuple[str, str], np.ndarray], path: Path) -> None:
    """Weights of attention (queries, steps) as shades, for each pair of what asks, downwards, and what is read, across."""
    caption = (
        "Each row adds up to 1: white is a weight of 0, black the map's largest, but at least four times an even share; the mean over examples. "
        + "The last map is the product of the other two, taken example by example." * (len(maps) > 1)
    )
    with figure(path, 0.5 + 3 * len(maps), 3.2, caption) as drawn:
        grid = drawn.subplots(1, len(maps), squeeze=False)[0]
        for axes, ((asks, read), p) in zip(grid, maps.items(), strict=True):
            limits = (0.5, p.shape[1] + 0.5, p.shape[0] + 0.5, 0.5)
            look = {"cmap": "Greys", "vmin": 0, "vmax": max(float(p.max()), 4 / p.shape[1])}
            axes.imshow(p, aspect="auto", interpolation="nearest", extent=limits, **look)
            axes.locator_params(integer=True)
            axes.set(
                xlabel=f"{read} (of {p.shape[1]})", ylabel=f"{asks} (of {p.shape[0]})", title=f"largest {p.max():.2f}"
            )
            axes.grid(visible=False)


def latent_scatter(
    codes: np.ndarray, labels: np.ndarray | None, path: Path, classes: Sequence[str] = (), *, prior: bool = False
) -> None:
    """Codes as points in the plane, at most 1,500 of them, with a colour and a shape for each label. Longer codes are
    drawn along their two widest directions. classes: the labels' names, by default their numbers. prior: draw, of a code of two
    numbers, how far the draws of N(0, 1) reach, which the codes of all examples together should be like.
    """
    radii = {share: math.sqrt(-2 * math.log(1 - share)) for share in HELD} if prior and codes.shape[1] == 2 else {}
    within = " and ".join(f"{(np.hypot(*codes.T) < radius).mean():.0%}" for radius in radii.values())
    codes, labels = (None if x is None else x[:: max(len(x) // POINTS, 1)][:POINTS] for x in (codes, labels))
    size = codes.shape[1]
    caption = f"The codes of {len(codes):,} test examples."
    if size > 2:
        points, shares = plane(codes)
        which = [
            f"{word} principal direction ({share:.0%} of the variance)"
            for word, share in zip(("first", "second"), shares, strict=True)
        ]
        caption += (
            f" A code has {size} numbers; these two directions hold {sum(shares):.0%} of their variance, so that what lies "
            "together here may lie apart in the others."
        )
    elif size == 2:
        points, which = codes, ["code, first number", "code, second number"]
        caption += " Nothing is left out: a code is these two numbers."
        if radii:
            shares = " and ".join(f"{share:.0%}" for share in radii)
            caption += f" The circles hold {shares} of the draws of N(0, 1), and {within} of all codes."
    else:
        points, which = np.column_stack([codes, np.arange(len(codes))]), ["code", "example"]
    with figure(path, 6.9, 5.6, caption) as drawn:
        axes = drawn.subplots()
        if size > 1:
            axes.set_aspect("equal", adjustable="datalim")
        turn = np.linspace(0, 2 * np.pi, 200)
        for radius in radii.values():
            axes.plot(radius * np.cos(turn), radius * np.sin(turn), color=GREY, linestyle="--", zorder=3)
        if labels is None:
            axes.scatter(*points.T, s=9, color=BLUE, alpha=0.6, linewidths=0)
        else:
            present = np.unique(labels)
            for label in present:
                name = classes[label][:14] if len(classes) else str(label)
                look = {"color": DIGITS[label % 10], "marker": MARKERS[label % 10], "label": name}
                axes.scatter(*points[labels == label].T, s=13, alpha=0.7, linewidths=0, **look)
            middles = np.stack([np.median(points[labels == label], axis=0) for label in present])
            for label, place in zip(present, apart(middles, points), strict=True):
                name = classes[label][:10] if len(classes) else str(label)
                box = {
                    "boxstyle": "circle,pad=0.25" if len(name) < 3 else "round,pad=0.2",
                    "facecolor": "white",
                    "edgecolor": DIGITS[label % 10],
                    "linewidth": 1.5,
                }
                axes.text(*place, name, ha="center", va="center", fontweight="bold", bbox=box)
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), title="label", markerscale=1.8)
        axes.set_xlabel(which[0])
        axes.set_ylabel(which[1])


def plane(codes: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Codes (N, D) along their two widest directions, (N, 2), and the share of their variance along each direction."""
    points = PCA(2).fit(codes).encode(codes)
    variance = float(codes.var(axis=0, dtype=np.float64).sum())
    return points, (points.var(axis=0, dtype=np.float64) / max(variance, 1e-30)).tolist()


def apart(places: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Places (n, 2) for names among points, moved a little if two names would cover each other."""
    spread = np.ptp(points, axis=0)
    room = 0.05 * np.where(spread > 0, spread, 1)  # a name's width and height
    places = places / room
    for _ in range(50):
        gap = places[:, None] - places[None]
        distance = np.linalg.norm(gap, axis=-1)
        push = np.where(distance < 1, 1 - distance, 0) / np.maximum(distance, 1e-3)
        places = places + 0.5 * (push[..., None] * gap).sum(axis=1)
    return places * room


def activations(z: np.ndarray, path: Path, target: float | None = None) -> None:
    """How a code z (N, D) is used: a histogram of all its numbers, and one of the units' means over the examples, with the mean
    that was asked for as a line.
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


def unit_kl(models: dict[str, tuple[np.ndarray, np.ndarray]], path: Path) -> None:
    """For each model the KL term of every number of its code (D,), in nats, the largest first, and which numbers (D,) are in
    use.
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


def codebook(shares: np.ndarray, history: History, path: Path) -> None:
    """How a codebook is used: how often each of its vectors is chosen (K,), the most frequent first, with the share that each would
    have if all were used alike; and by epoch how many are in use, e to the entropy of the shares in a batch.
    """
    K, moved = len(shares), np.array(history["revived"])
    caption = (
        f"{np.sum(shares > 0)} of {K} vectors of the codebook are chosen for some test example. "
        "The number in use is e to the entropy of their shares, measured in each batch. A vector that hardly anything chooses is moved to a code of "
        f"the batch: in a step of the first epoch {moved[0]:.2g} of them were"
        + (f", in the last {moved[-1]:.2g}." if len(moved) > 1 else ".")
    )
    with figure(path, 8.4, 3.4, caption) as drawn:
        use, epochs = drawn.subplots(1, 2)
        use.bar(np.arange(1, K + 1), np.sort(shares)[::-1], color=BLUE, width=0.9)
        use.axhline(1 / K, color=RED, linestyle="--", label="all alike")
        use.set(xlabel="vectors, the most frequent first", ylabel="share of all choices")
        use.legend()
        epochs.plot(history["epoch"], history["perplexity"], "o-", color=BLUE, markersize=4, label="training")
        if "validation_perplexity" in history:
            values = history["validation_perplexity"]
            epochs.plot(history["epoch"], values, "s--", color=RED, markersize=4, label="validation")
        epochs.set(xlabel="epoch", ylabel=f"vectors in use, of {K}")
        epochs.set_ylim(0, K)
        epochs.set_xlim(left=0)
        epochs.xaxis.get_major_locator().set_params(integer=True)
        epochs.legend()


def displacements(models: dict[str, tuple[np.ndarray, np.ndarray, str]], points: np.ndarray, path: Path) -> None:
    """Where models of the plane send its points: for each name, arrows from a grid (n, 2) to its reconstruction (n, 2), drawn
    over the data points, and a remark.
    """
    caption = (
        "An arrow leads from a point of the grid to its reconstruction. A model that learned the identity moves "
        "nothing. A model that learned the data moves the points beside the data onto the data."
    )
    with figure(path, 3.1 * len(models), 4.3, caption) as drawn:
        grid = drawn.subplots(1, len(models), sharex=True, sharey=True)
        for axes, (name, (start, end, remark)) in zip(grid, models.items(), strict=True):
            axes.scatter(*points.T, s=4, color=ORANGE, alpha=0.6, linewidths=0, label="data")
            axes.scatter(*start.T, s=5, color=BLUE, linewidths=0, label="grid")
            move = end - start
            axes.quiver(*start.T, *move.T, angles="xy", scale_units="xy", scale=1, width=0.007, color=BLUE)
            axes.set(aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), xlabel=f"$x_1$\n{remark}")
            axes.set_title(name)
        grid[0].set_ylabel("$x_2$")
        grid[0].legend(loc="lower left", bbox_to_anchor=(-0.05, 1.06), ncols=2, markerscale=2.5)
