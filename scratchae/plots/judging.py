"""Pictures of how well scores, codes and settings do what they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .figure import BLUE, DIGITS, GREY, ORANGE, RED, figure, plain_log
from .figure import figure as figure_of


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


def accuracies(found: dict[str, dict[int, list[float]]], path: Path) -> None:
    """Accuracy against the number of labels, with its spread over draws of them: a colour for each code, a line for each way to read it."""
    ways = {"linear": ("-", "o"), "neighbours": ("--", "s"), "": ("-.", "^")}
    bases = list(dict.fromkeys(name.rpartition(", ")[0] or name for name in found))
    colours = dict(zip(bases, (BLUE, ORANGE, GREY, RED, DIGITS[3]), strict=False))
    caption = "Test accuracy; a bar is the standard deviation over draws of the labelled examples. With all labels there is one draw."
    with figure(path, 8, 4.4, caption) as drawn:
        axes = drawn.subplots()
        for name, row in found.items():
            base, _, way = name.rpartition(", ")
            line, marker = ways[way if base else ""]
            means, spreads = ([f(each) for each in row.values()] for f in (np.mean, np.std))
            look = {
                "color": colours[base or name],
                "linestyle": line,
                "marker": marker,
                "markersize": 4,
                "capsize": 2,
            }
            axes.errorbar(list(row), means, spreads, label=name, **look)
        axes.set(xscale="log", xlabel="labelled examples", ylabel="test accuracy")
        every = sorted({count for row in found.values() for count in row})
        axes.set_xticks(every, [f"{count:,}" for count in every])
        axes.minorticks_off()
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)


def trials(done: list[dict[str, Any]], names: list[str], figure: str, path: Path) -> None:
    """What each setting has to do with the figure: a panel for each setting, a point for each trial, the best as a star."""
    shown = [trial for trial in done if trial["figure"] is not None]
    with figure_of(path, 2.9 * max(len(names), 2), 3.2) as drawn:
        grid = drawn.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for axes, name in zip(grid, names, strict=True):
            values = [trial["settings"][name] for trial in shown]
            words = (
                sorted({str(value) for value in values}) if any(isinstance(value, str) for value in values) else []
            )
            places = [words.index(str(value)) for value in values] if words else values
            axes.plot(places, [trial["figure"] for trial in shown], "o", color=BLUE, markersize=4, alpha=0.7)
            if shown:
                axes.plot(places[:1], [shown[0]["figure"]], "*", color=RED, markersize=13, label="best")
            if words:
                axes.set_xticks(range(len(words)), words, rotation=45)
            elif places and min(places) > 0 and max(places) > 5 * min(places):
                axes.set_xscale("log")
                plain_log(axes.xaxis, min(places), max(places))
            axes.set_xlabel(name)
        grid[0].set_ylabel(f"{figure}, validation")


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
