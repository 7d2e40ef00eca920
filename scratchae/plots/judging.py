"""Pictures of how well scores, codes and settings do what they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .figure import BLUE, DIGITS, GREY, ORANGE, RED, figure, plain_log


def scores(groups: dict[str, np.ndarray], limit: float, path: Path, what: str) -> None:
    """How scores are spread in groups of examples, and the limit above which an example counts as unusual."""
    everything = np.concatenate(list(groups.values()))
    low, high = float(everything.min()), float(np.quantile(everything, 0.995))
    wide = low > 0 and high > 20 * float(np.median(everything))  # a few are many times larger than most
    bins = (np.geomspace if wide else np.linspace)(low, max(high, limit) * (1 + 1e-9) + 1e-12, 50)
    with figure(path, 6.4, 3.4) as drawn:
        axes = drawn.subplots()
        looks = zip(groups.items(), (GREY, BLUE, RED), ("stepfilled", "step", "step"), ("-", "-", "--"), strict=False)
        for (name, values), colour, kind, line in looks:
            share = np.full(len(values), 1 / max(len(values), 1))
            look = {
                "histtype": kind,
                "color": colour,
                "linestyle": line,
                "alpha": 0.35 if kind == "stepfilled" else 1,
            }
            axes.hist(
                np.minimum(values, bins[-1]),
                bins=bins,
                weights=share,
                label=f"{name} ({len(values):,})",
                linewidth=1.6,
                **look,
            )
        axes.axvline(limit, color="black", linestyle=":", label=f"limit {limit:.4g}")
        if wide:
            axes.set_xscale("log")
        axes.set_xlabel(f"score: {what}; the last bar holds all that is larger")
        axes.set_ylabel("share of the group")
        axes.legend()


def rates(curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Squared error against bits per example, a line for each codec; a codec without loss is a line across."""
    caption = (
        "Further down and to the left is better. JPEG, WebP and PNG have all images in one sheet, so that their headers cost next to "
        "nothing; PCA has the same quantisation and entropy coder as the model. The size of the model itself is not counted here."
    )
    with figure(path, 6.6, 4.2, caption) as drawn:
        axes = drawn.subplots()
        looks = zip(curves.items(), (BLUE, ORANGE, RED, DIGITS[3], GREY), "os^vD", strict=False)
        shown = [error for points in curves.values() for _, error in points if error > 1e-9]
        for (name, points), colour, marker in looks:
            bits, errors = np.array(points).T
            if errors.max() < 1e-9:
                axes.axvline(bits[0], color=colour, linestyle=":", label=name)
            else:
                axes.plot(bits, errors, marker=marker, color=colour, markersize=4, linewidth=1.3, label=name)
        axes.set(xscale="log", yscale="log", xlabel="bits per example", ylabel="squared error per example")
        plain_log(
            axes.xaxis, *(float(f(bits for points in curves.values() for bits, _ in points)) for f in (min, max))
        )
        plain_log(axes.yaxis, min(shown), max(shown))
        axes.legend()


def detection(curve: dict[str, Any], path: Path, name: str) -> None:
    """The ROC curve, and precision against recall, of one score."""
    with figure(path, 8, 3.8) as drawn:
        left, right = drawn.subplots(1, 2)
        left.plot(curve["false"], curve["true"], color=BLUE, label=f"{name}: area {curve['auc']:.4f}")
        left.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="chance: 0.5")
        left.set(
            xlabel="false positives, share of the usual",
            ylabel="true positives, share of the unusual",
            aspect="equal",
        )
        base = float(curve["precision"][-1])
        right.plot(
            curve["recall"],
            curve["precision"],
            color=ORANGE,
            label=f"{name}: average {curve['average_precision']:.4f}",
        )
        right.axhline(base, color=GREY, linestyle=":", label=f"chance: {base:.3g}")
        right.set(xlabel="recall, share of the unusual found", ylabel="precision", ylim=(0, 1.03))
        for axes in (left, right):
            axes.legend(loc="lower right")
