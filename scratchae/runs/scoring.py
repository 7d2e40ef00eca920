"""The job `score`: how unusual each example is, where the limit lies, and where the model is mistaken."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import plots, uses
from ..errors import DataError, OptionError
from ..uses.anomaly import Scores
from .task import SHOWN, Task


def score(task: Task) -> str:
    """How unusual every example is, with a limit from the validation examples, and what is odd about it."""
    kind, quantile = task.options.get("kind"), task.options.get("quantile") or 0.99
    validation = uses.score(task.model, task.run.examples(task.options.get("data_dir")).validation, kind)
    found = uses.score(task.model, task.x, kind)
    limit = uses.threshold(validation.values, quantile)
    above = found.values > limit
    names, labels = task.known()
    header = ["row", *names, "score", "above"]
    columns: list[Any] = [task.numbers(), *labels, found.values.tolist(), above.astype(int).tolist()]
    odd = odd_columns(task, found, validation)
    if odd is not None:
        header, columns = [*header, "oddest_column", "times_its_usual_error"], [*columns, *odd]
    task.table("scores", header, columns)
    said = [
        f"{found.kind}: the limit {limit:.4g} is the {quantile:.1%} quantile of {len(validation.values):,} validation examples; "
        f"{above.sum():,} of {len(above):,} examples lie above it"
    ]
    task.figures |= {"kind": found.kind, "limit": limit, "above": above.sum()}
    unusual = which_are_unusual(task)
    if unusual is not None:
        curve = uses.roc(found.values, unusual)
        task.table("curve", ["false_positives", "true_positives"], [curve["false"].tolist(), curve["true"].tolist()])
        hits, missed = int((above & unusual).sum()), int((~above & unusual).sum())
        task.figures |= {"unusual": unusual.sum(), "found": hits, "missed": missed}
        task.figures |= {name: curve[name] for name in ("auc", "average_precision")}
        said += [
            f"{unusual.sum():,} are unusual by their class: area under the ROC curve {curve['auc']:.4f}, average precision "
            f"{curve['average_precision']:.4f}",
            f"above the limit: {hits:,} of these, and {int((above & ~unusual).sum()):,} of the {int((~unusual).sum()):,} usual ones",
        ]
        if missed:
            worst = np.flatnonzero(unusual)[np.argsort(found.values[unusual], kind="stable")][:5]
            rows = ", ".join(str(i + 1) for i in worst)
            said.append(
                f"{missed:,} unusual examples lie below it: the model explains them as well as usual ones, so their score cannot tell them "
                f"(rows {rows}{', …' * (missed > 5)})"
            )
        task.picture("curves", lambda path: plots.detection(curve, path, task.run.preset.name))
    groups = {"validation": validation.values}
    groups |= (
        {"given": found.values}
        if unusual is None
        else {"usual": found.values[~unusual], "unusual": found.values[unusual]}
    )
    task.picture("score", lambda path: plots.scores(groups, limit, path, found.kind))
    draw_extremes(task, found, unusual)
    return "\n".join(said)


def which_are_unusual(task: Task) -> np.ndarray | None:
    """The examples whose class is not one of the normal ones, (N,): those that are named, or those that the run was trained on.
    None if classes are unknown, or if all are normal.
    """
    labels, normal = task.given.labels, task.options.get("normal")
    if normal is not None and labels is None:
        raise OptionError(
            "--normal names classes, and the examples have none: name their column, --label COLUMN, or use subfolders"
        )
    if labels is None:
        return None
    usual = normal.split(",") if normal is not None else list(task.about.classes)
    if not usual:
        return None
    unknown = [one for one in usual if one not in set(labels.tolist())]
    if normal is not None and unknown:
        raise OptionError(
            f"--normal {normal}: there is no class {unknown[0]!r}, the classes are {', '.join(np.unique(labels)[:10])}"
        )
    unusual = ~np.isin(labels, usual)
    if normal is not None and not unusual.any():
        raise DataError(f"--normal {normal}: all examples are of these classes, so there is nothing to tell apart")
    return unusual if 0 < unusual.sum() < len(unusual) else None


def odd_columns(task: Task, found: Scores, validation: Scores) -> tuple[list[str], list[float]] | None:
    """For each row of a table the column that is rebuilt worst, as a multiple of its mean error on the validation examples."""
    if found.parts is None or task.about.images:
        return None
    usual = validation.parts.mean(axis=0) + 1e-6 * validation.parts.mean()
    times = found.parts / usual
    which = times.argmax(axis=1)
    names = task.about.columns or [f"x{i + 1}" for i in range(times.shape[1])]
    return [names[i] for i in which], times[np.arange(len(times)), which].astype(float).tolist()


def draw_extremes(task: Task, found: Scores, unusual: np.ndarray | None) -> None:
    """The most unusual examples, and what the model makes of them; if classes are known also its mistakes, of both kinds."""
    order = np.argsort(-found.values, kind="stable")
    groups = {"highest scores": order[:SHOWN]}
    if unusual is not None:
        groups = {
            "unusual, found": order[unusual[order]][:SHOWN],
            "unusual, missed": order[unusual[order]][::-1][:SHOWN],
            "usual, suspected": order[~unusual[order]][:SHOWN],
        }
    width = min(map(len, groups.values()))
    rows, below = {}, {}
    for name, places in groups.items():
        places = places[:width]
        rows[name] = task.target[places]
        rows[f"{name}: rebuilt"] = uses.rebuild(task.model, task.x[places])
        below[f"{name}: rebuilt"] = [f"{value:.3g}" for value in found.values[places].tolist()]
    caption = "Each example above what the model makes of it. An unusual example that is rebuilt well has a low score: here the method fails."
    caption = (
        caption
        if unusual is not None
        else "The examples with the highest scores, above what the model makes of them."
    )
    task.rows("extremes", rows, below=below, caption=caption)
