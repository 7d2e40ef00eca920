"""Examples as pictures of what they are: images in ink or in colour, or rows."""

from __future__ import annotations

import numpy as np

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
