"""Runs side by side: what differs between them, their figures, their curves, and the same examples rebuilt by each."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .. import plots, uses
from ..errors import OptionError, RunError
from .opened import Run, open_run
from .pictures import chosen, pictures
from .run import HISTORY

SETTINGS = (
    "data",
    "epochs",
    "batch_size",
    "lr",
    "seed",
    "device",
    "chosen",
    "parameters",
    "training_seconds",
    "one_thread",
    "compiled",
)


def compare(
    folders: Sequence[str | Path], *, out: str | Path = "compared", data_dir: str | None = None, format: str = "png"
) -> str:
    """Print runs side by side and leave pictures in a folder; returns the table. Raises OptionError for fewer than two runs, or runs of
    data of different shapes.
    """
    plots.require_format(format)
    runs = [open_run(folder) for folder in folders]
    if len(runs) < 2:
        raise OptionError(f"compare: {len(runs)} run: expected at least two folders")
    names = named(runs)
    shapes = [tuple(run.about(np.empty((0, 1))).shape) for run in runs]
    if len(set(shapes)) > 1:
        found = ", ".join(f"{name}: {'×'.join(map(str, shape))}" for name, shape in zip(names, shapes, strict=True))
        raise OptionError(
            f"compare: the runs are of data of different shapes ({found}), so their errors cannot be compared"
        )
    table = side_by_side(runs, names)
    print(table)
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [f"loss.{format}", f"reconstructions.{format}"]
        curves = {name: losses(run) for name, run in zip(names, runs, strict=True)}
        plots.several_losses({name: each for name, each in curves.items() if each}, folder / written[0])
        draw(runs, names, folder / written[1], data_dir)
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error.strerror or error}: choose another --out") from None
    print(f"{folder}/ holds {', '.join(written)}")
    return table


def named(runs: list[Run]) -> list[str]:
    """The folders' names, with as much of their paths as tells them apart."""
    names = [run.folder.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.folder) for run in runs]


def side_by_side(runs: list[Run], names: list[str]) -> str:
    """A table: the settings in which the runs differ, and every figure that one of them has."""
    rows = [("preset", [run.preset.name for run in runs])]
    for key in SETTINGS:
        values = [run.record.get(key, "") for run in runs]
        if any(value != values[0] for value in values):
            rows.append((key.replace("_", " "), [in_short(value) for value in values]))
    figures = [run.record.get("figures", {}).get(run.preset.name, {}) for run in runs]
    rows += [
        (key.replace("_", " "), [f"{each[key]:.4f}" if key in each else "" for each in figures])
        for key in dict.fromkeys(key for each in figures for key in each)
    ]
    first = max(len(name) for name, _ in rows)
    widths = [max(len(name), *(len(values[i]) for _, values in rows)) for i, name in enumerate(names)]
    lines = ["  ".join([" " * first, *(name.rjust(width) for name, width in zip(names, widths, strict=True))])]
    for name, values in rows:
        lines.append(
            "  ".join([name.ljust(first), *(value.rjust(width) for value, width in zip(values, widths, strict=True))])
        )
    return "\n".join(lines)


def in_short(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={each}" for key, each in value.items()) or "the preset's"
    return Path(value).name if isinstance(value, str) else f"{value}"


def losses(run: Run) -> dict[str, list[float]]:
    """The columns of a run's history by name; none if it was stopped in its first epoch."""
    try:
        with open(run.folder / HISTORY, encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        return {}
    return {
        name: [float(row[name]) for row in rows]
        for name in ("epoch", "loss", "validation_loss")
        if rows and name in rows[0]
    }


def draw(runs: list[Run], names: list[str], path: Path, data_dir: str | None) -> None:
    """The same test examples, those of the first run, rebuilt by each."""
    examples = runs[0].examples(data_dir)
    places = chosen(examples)
    bare = examples.test[places][:, : -examples.labels] if examples.labels else examples.test[places]
    rows = {"original": bare.reshape(len(bare), -1)}
    below = {}
    for name, run in zip(names, runs, strict=True):
        theirs = run.examples(data_dir)
        x = theirs.test[places] if len(theirs.test) == len(examples.test) else None
        if x is None:
            raise OptionError(
                f"compare: {names[0]} and {name} have other test examples: they were trained on other data or with another seed"
            )
        rows[name] = uses.rebuild(run.model, x).reshape(len(x), -1)
        errors = ((rows[name] - rows["original"]) ** 2).sum(axis=1)
        below[name] = [f"{error:.3g}" for error in errors.tolist()]
    caption = "The same test examples, rebuilt by each run; the number below is the squared error."
    if examples.images:
        plots.image_rows(
            {name: pictures(x, examples) for name, x in rows.items()}, path, below=below, caption=caption
        )
    else:
        plots.cells(rows, path, examples.columns, caption="The same test examples, rebuilt by each run.")
