"""A person's own data: what a file or a folder holds is found out from what is in it, and its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import DataError
from .arrays import as_examples, idx_pairs, read_idx_file, read_npy, read_npz
from .idx import is_idx
from .pictures import ENDINGS, images_in, read_images
from .source import Source
from .table import read_table

KINDS = "a .npy, .npz, .csv or IDX file, an image, or a folder of images or of IDX files"


def read_data(
    path: str | Path,
    *,
    label: str | None = None,
    missing: str | None = None,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    encoding: list[dict[str, Any]] | None = None,
) -> Source:
    """The examples in a file or a folder. See `read_table` and `read_images` for the options. Raises DataError."""
    path = Path(path)
    if not path.exists():
        raise DataError(f"there is no data {str(path)!r}: expected strokes, mnist, fashion-mnist, or {KINDS}")
    ending = path.suffix.lower()
    if path.is_dir():
        source = read_folder(path, size, channels)
    elif ending in (".csv", ".tsv", ".txt"):
        source = read_table(path, label, missing, encoding)
    elif ending == ".npy":
        source = read_npy(path)
    elif ending == ".npz":
        source = read_npz(path)
    elif ending in ENDINGS:
        source = read_images(path.parent, [path], size, channels)
        source.labels, source.classes = None, ()
    elif is_idx(path):
        source = read_idx_file(path)
    else:
        raise DataError(f"{path} is of no known kind: expected {KINDS}")
    if label is not None and ending not in (".csv", ".tsv", ".txt"):
        raise DataError(
            f"{path} is no table with columns: leave --label out; classes are found in subfolders, or under `labels` in a .npz"
        )
    if size is not None and source.x.ndim == 2:
        return shaped(source, size, path)
    if size is not None and source.shape[:2] != size:
        raise DataError(
            f"{path} holds images of {source.shape[0]}×{source.shape[1]}: --size scales image files only, leave it out"
        )
    return source


def read_folder(folder: Path, size: tuple[int, int] | None, channels: int | None) -> Source:
    """The images or IDX files in a folder; or its only file, if that is data."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    source = idx_pairs(folder, [path for path in files if is_idx(path)])
    if source is not None:
        return source
    pictures = images_in(folder)
    if pictures:
        source = read_images(folder, pictures, size, channels)
        others = [path.name for path in files if path not in pictures]
        if others:
            source.notes.append(
                f"Passed over, as they are no images: {', '.join(others[:3])}{', …' * (len(others) > 3)}."
            )
        return source
    raise DataError(f"{folder} holds {', '.join(path.name for path in files[:3]) or 'nothing'}: expected {KINDS}")


def shaped(source: Source, size: tuple[int, int], path: Path) -> Source:
    """Rows as images of this size."""
    pixels = size[0] * size[1]
    if source.x.shape[1] % pixels or source.columns:
        raise DataError(
            f"{path} holds rows of {source.x.shape[1]} numbers, which are no images of {size[0]}×{size[1]}: leave --size out"
        )
    source.x = as_examples(source.x.reshape(len(source.x), *size, -1), path)
    if source.test is not None:
        source.test = source.test[0].reshape(len(source.test[0]), *size, -1), source.test[1]
    return source
