"""Data: the embedded `strokes`, and the real MNIST and Fashion-MNIST files."""

from pathlib import Path

from ..errors import DataError
from .dataset import Dataset, pixels
from .mnist import FILES, load_mnist
from .sequences import padded
from .strokes import strokes

NAMES = ("strokes", *FILES)


def load_data(name: str, directory: str | Path | None = None) -> Dataset:
    """A dataset by name: "strokes" (drawn by code), "mnist" or "fashion-mnist".

    The files of the last two come from `directory`, or from the folder in $SCRATCHAE_DATA if that is not given, or from the
    user's cache folder, where they are downloaded if they are missing. Raises DataError.
    """
    if not isinstance(name, str) or name not in NAMES:
        raise DataError(f"unknown data {name!r}: expected one of {', '.join(NAMES)}")
    return strokes() if name == "strokes" else load_mnist(name, directory)


__all__ = ["NAMES", "Dataset", "load_data", "padded", "pixels", "strokes"]
