"""Data: the embedded `strokes`, the real MNIST and Fashion-MNIST files, and a person's own."""

from pathlib import Path

from ..errors import DataError
from .dataset import Dataset, pixels
from .examples import HELD_OUT, Examples, again, like, load_examples, split
from .idx import read_idx
from .mnist import FILES, load_mnist
from .own import KINDS
from .scaling import PIXELS, Scaling
from .sequences import padded
from .streaming import Stream
from .strokes import strokes

NAMES = ("strokes", *FILES)
DIGITS = tuple(map(str, range(10)))


def load_data(name: str, directory: str | Path | None = None) -> Dataset:
    """A dataset by name: "strokes" (drawn by code), "mnist" or "fashion-mnist".

    The files of the last two come from `directory`, or from the folder in $SCRATCHAE_DATA if that is not given, or from the
    user's cache folder, where they are downloaded if they are missing. Raises DataError. `load_examples` reads a person's own.
    """
    if not isinstance(name, str) or name not in NAMES:
        raise DataError(
            f"unknown data {name!r}: expected one of {', '.join(NAMES)}; your own, {KINDS}, is read by load_examples(path)"
        )
    return strokes() if name == "strokes" else load_mnist(name, directory)


def named_examples(name: str, directory: str | Path | None = None) -> Examples:
    """A dataset by name, split as it comes, and scaled: images (N, 28, 28, 1) in [0, 1]."""
    data = load_data(name, directory)
    train, test = (PIXELS.apply(images)[..., None] for images in (data.train_images, data.test_images))
    kept = {"source": name, "directory": None if directory is None else str(directory)}
    return split(train, test, data.train_labels, data.test_labels, shape=train.shape[1:], classes=DIGITS, kept=kept)


__all__ = [
    "HELD_OUT",
    "NAMES",
    "PIXELS",
    "Dataset",
    "Examples",
    "Scaling",
    "Stream",
    "again",
    "like",
    "load_data",
    "load_examples",
    "named_examples",
    "padded",
    "pixels",
    "read_idx",
    "split",
    "strokes",
]
