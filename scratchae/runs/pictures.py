"""Examples as pictures of what they are: images in ink or in colour, or rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import plots
from ..data import NAMES
from ..presets import Examples

COLUMNS = 10  # examples in a row of a picture
MNIST = Examples(*[np.empty((0, 784), np.float32)] * 3, shape=(28, 28, 1))


def pictures(x: np.ndarray, examples: Examples = MNIST) -> np.ndarray:
    """Examples as images to be drawn: (N, H, W) as ink on white for MNIST and its kin, (N, H, W, 3) for a person's own."""
    images, low, high = x.reshape(-1, *examples.shape), 0.0, 1.0
    if not examples.scaling.unit:  # from the darkest to the brightest pixel
        low, high = float(examples.test.min()), float(examples.test.max())
    images = np.clip((images - low) / max(high - low, 1e-12), 0, 1)
    if examples.kept.get("source") in (*NAMES, None):
        return images[..., 0]
    return np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images[..., :3]


def chosen(examples: Examples) -> np.ndarray:
    """The places of test examples that are worth showing: the first of each class, or the first ones."""
    labels = examples.test_labels
    if labels is None:
        return np.arange(min(COLUMNS, len(examples.test)))
    return np.array([int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)[:COLUMNS]])


def sheet(examples: Examples, path: Path) -> None:
    """A picture of some training examples: images, a row for each class if they have classes; or how the columns are spread."""
    x, labels = examples.some, examples.train_labels
    if not examples.images:
        plots.spread(x.reshape(len(x), -1), examples.columns, path)
        return
    labels = None if labels is None or len(labels) != len(x) else labels
    groups = (
        [np.arange(len(x))] * 4
        if labels is None
        else [np.flatnonzero(labels == each) for each in np.unique(labels)[:COLUMNS]]
    )
    names = [""] * len(groups) if labels is None else [examples.classes[labels[group[0]]] for group in groups]
    rng = np.random.default_rng(0)
    rows = {}
    for i, (name, group) in enumerate(zip(names, groups, strict=True)):
        places = rng.permutation(group)[:COLUMNS]
        shown = pictures(x[places], examples)
        blank = np.ones((COLUMNS - len(places), *shown.shape[1:])) * (shown.ndim == 4)
        rows[name or " " * i] = np.concatenate([shown, blank])
    plots.image_rows(rows, path, caption="Training examples, drawn at random, scaled as a network sees them.")
