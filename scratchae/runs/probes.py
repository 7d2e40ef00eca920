"""The jobs `probe` and `embed`: what a run's code is worth, and what lies near what in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import plots, uses
from ..data import named_examples
from ..errors import OptionError
from ..models import PCA
from ..presets import Examples
from ..uses.probing import PROBES, few, fine_tuned, k_means, nearest, purity
from .task import SHOWN, Task

COUNTS = (10, 100, 1000)  # labels; and all of them
SEEDS = 5
TUNED = 3  # seeds for the classifiers, which take longer
MOST = 20_000  # training examples that the nearest neighbours are looked for among


def probe(task: Task) -> str:
    """How well classes can be read from the code: by a linear function, by neighbours, by a classifier that starts from the encoder."""
    examples = labelled(task)
    shapes = {part: getattr(examples, part) for part in ("train", "test")}
    labels, test_labels = examples.train_labels, examples.test_labels
    size = min(uses.encode(task.model, shapes["test"][:1]).shape[1], shapes["test"][0].size)
    rows = {part: x.reshape(len(x), -1) for part, x in shapes.items()}
    pca = PCA(min(size, len(rows["train"]))).fit(rows["train"][:MOST])
    seen = {
        task.run.preset.name: {part: uses.encode(task.model, x) for part, x in shapes.items()},
        f"PCA-{pca.components}": {part: pca.encode(x) for part, x in rows.items()},
        "the data themselves": rows,
    }
    counts = [count for count in COUNTS if count < len(labels)] + [len(labels)]
    found: dict[str, dict[int, list[float]]] = {}
    for name, codes in seen.items():
        for kind, measure in PROBES.items():
            found[f"{name}, {kind}"] = {
                count: [
                    measure(codes["train"][chosen], labels[chosen], codes["test"], test_labels)
                    for chosen in draws(labels, count, SEEDS, MOST if kind == "neighbours" else len(labels))
                ]
                for count in counts
            }
    for count in counts[:-1]:
        for name, model in (("classifier from the code", task.model), ("classifier from scratch", None)):
            each = []
            for seed, chosen in enumerate(draws(labels, count, TUNED, len(labels))):
                start = model or fresh(task, seed)
                given = shapes["train"][chosen], labels[chosen], shapes["test"][:2000], test_labels[:2000]
                each.append(fine_tuned(start, *given, seed=seed))
            found.setdefault(name, {})[count] = each
    lines = [
        [name, count, float(np.mean(each)), float(np.std(each)), len(each)]
        for name, row in found.items()
        for count, each in row.items()
    ]
    task.table("probe", ["what", "labels", "accuracy", "spread", "draws"], list(zip(*lines, strict=True)))
    task.picture("probe", lambda path: plots.accuracies(found, path))
    task.figures |= {"accuracy": {name: {n: np.mean(each) for n, each in row.items()} for name, row in found.items()}}
    return table(found, counts)


def labelled(task: Task) -> Examples:
    """Training and test examples with classes: those of the run, or of another dataset that has a name. Raises OptionError."""
    data, source = task.options.get("data"), task.run.kept["source"]
    if data is None or data == source:
        examples = task.run.examples(task.options.get("data_dir"))
    else:
        examples = task.run.preset.taking(named_examples(data, task.options.get("data_dir")))
    if examples.train_labels is None:
        raise OptionError(
            "probe: the run's data have no classes: train it with --label COLUMN, or on images in a subfolder for each class"
        )
    if examples.labels:
        raise OptionError(
            f"probe: {task.run.preset.name} is told the class, so its code need not hold it: choose another model"
        )
    if not isinstance(examples.train, np.ndarray):
        raise OptionError("probe: the run's data are larger than memory: probe a model on a part of them")
    return examples


def draws(labels: np.ndarray, count: int, seeds: int, most: int) -> list[np.ndarray]:
    """Places of so many labelled examples, several times over; once where it is all of them, or the most that can be used."""
    if count == len(labels):
        return [np.arange(len(labels))] if len(labels) <= most else [few(labels, most, np.random.default_rng(0))]
    return [few(labels, count, np.random.default_rng(seed)) for seed in range(seeds)]


def fresh(task: Task, seed: int) -> Any:
    """The same network with random weights: the weights of each layer drawn anew, with the spread that they had at the beginning."""
    kept = task.run.record.get("chosen") or {}
    chosen = {"code": int(kept["code"])} if "code" in kept else {}
    if "hidden" in kept:
        chosen["hidden"] = tuple(int(part) for part in kept["hidden"].strip("()").split(",") if part.strip())
    form = task.run.preset.form(task.run.examples(task.options.get("data_dir")), **chosen)
    return task.run.preset.build(np.random.default_rng([seed, 11]), form)


def table(found: dict[str, dict[int, list[float]]], counts: list[int]) -> str:
    """Accuracies by the number of labels, with their spread over the draws."""
    width = max(map(len, found))
    lines = [f"{'test accuracy, by labels':<{width}}" + "".join(f"{count:>16,}" for count in counts)]
    for name, row in found.items():
        cells = [f"{np.mean(row[count]):.1%} ± {np.std(row[count]):.1%}" if count in row else "" for count in counts]
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def embed(task: Task) -> str:
    """The codes as points in the plane, their groups, and the nearest neighbours of some examples."""
    z = uses.encode(task.model, task.x)
    if len(z) < 12:
        raise OptionError(f"embed: {len(z)} examples are too few to have neighbours: give at least 12, --data …")
    labels = task.given.labels
    classes, numbers = ((), None) if labels is None else np.unique(labels, return_inverse=True)
    task.picture("embed", lambda path: plots.latent_scatter(z, numbers, path, classes))
    order = (
        np.arange(len(z)) if labels is None else np.array([int(np.flatnonzero(labels == one)[0]) for one in classes])
    )
    places = order[: min(SHOWN, len(order))]
    close = nearest(z, z[places], SHOWN + 1)
    rows = {
        str(place + 1) if labels is None else str(labels[place]): task.target[each[: SHOWN + 1]]
        for place, each in zip(places, close, strict=True)
    }
    task.rows(
        "neighbours",
        rows,
        above=["example", "nearest", *[""] * (SHOWN - 1)],
        caption="An example of each row, and those whose codes lie nearest to its own, the nearest first.",
    )
    groups = k_means(z[:10_000], len(classes) or 10)
    task.table("groups", ["row", "group"], [task.numbers()[:10_000], groups.tolist()])
    if labels is None:
        return f"{len(z):,} codes of {z.shape[1]} numbers; k-means has put them into 10 groups"
    raw = k_means(task.target[:10_000].reshape(len(task.target[:10_000]), -1), len(classes))
    pure, plain = purity(groups, labels[:10_000]), purity(raw, labels[:10_000])
    task.figures |= {"groups": len(classes), "purity": pure, "purity_of_the_data": plain}
    return f"{len(classes)} groups by k-means: {pure:.1%} of the codes have the most frequent class of their group (of the data themselves: {plain:.1%})"
