"""A person's arrays: `.npy`, also larger than memory, `.npz` and IDX files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import DataError
from .idx import read_idx
from .source import Source, numbered

# names that arrays have in .npz files: Keras's mnist.npz, scikit-learn's, and those that people choose
EXAMPLES = ("x", "images", "data", "X", "features", "arr_0")
LABELS = ("y", "labels", "target", "label", "arr_1")


def read_npy(path: Path) -> Source:
    """The array in a `.npy` file. It stays in the file, and is read where it is needed."""
    try:
        x = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(
            f"{path} cannot be read as .npy ({error}): write it by numpy.save(path, x), with x an array of numbers"
        ) from None
    return Source(path.stem, as_examples(x, path))


def read_npz(path: Path) -> Source:
    """The examples in a `.npz` file, and the labels and the test examples, if it holds them."""
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, KeyError) as error:
        raise DataError(
            f"{path} cannot be read as .npz ({error}): write it by numpy.savez(path, x=x, labels=labels)"
        ) from None
    x, test = named(found, EXAMPLES, ("_train", "")), named(found, EXAMPLES, ("_test",))
    if x is None and len(found) == 1:
        x = next(iter(found))
    if x is None:
        raise DataError(
            f"{path} holds the arrays {', '.join(found) or 'none'}: expected the examples under the name x (or x_train and x_test), and "
            "the classes, if there are any, under labels: numpy.savez(path, x=x, labels=labels)"
        )
    source = Source(path.stem, as_examples(found[x], path))
    y, y_test = named(found, LABELS, ("_train", "")), named(found, LABELS, ("_test",))
    if test is not None:
        source.test = as_examples(found[test], path), None
    labels = [found[name] for name in (y, y_test if test is not None else None) if name is not None]
    return labelled(source, labels, path)


def labelled(source: Source, labels: list[np.ndarray], path: Path) -> Source:
    """The source with labels of its examples and, where there are any, of its test examples."""
    if not labels:
        return source
    counts = [len(source.x)] + ([len(source.test[0])] if source.test is not None else [])
    if [len(each) for each in labels] != counts or any(each.ndim != 1 for each in labels):
        shapes = " and ".join(str(each.shape) for each in labels)
        raise DataError(
            f"{path} holds labels of shape {shapes}: expected one for each of {' and '.join(map(str, counts))} examples"
        )
    numbers, source.classes = numbered(np.concatenate(labels))
    source.labels = numbers[: counts[0]]
    if source.test is not None:
        source.test = source.test[0], numbers[counts[0] :]
    return source


def named(found: dict[str, np.ndarray], names: tuple[str, ...], endings: tuple[str, ...]) -> str | None:
    """The first of these names, with one of these endings, that is there."""
    return next((name + end for end in endings for name in names if name + end in found), None)


# IDX files, one by one or four in a folder


def read_idx_file(path: Path) -> Source:
    return Source(stem(path), as_examples(upright(path, read_idx(path)), path))


def idx_pairs(folder: Path, files: list[Path]) -> Source | None:
    """The data in a folder of IDX files with the names of MNIST, EMNIST, KMNIST or QMNIST; None if there are none.

    Training images are `…train-images-idx3-ubyte`, test images `t10k-…` or `…test-…`, packed (.gz) or not.
    """
    parts: dict[tuple[str, str], Path] = {}
    for path in files:
        name = path.name.lower()
        part = "train" if "train" in name else "test" if "t10k" in name or "test" in name else "train"
        what = "images" if "images" in name or "imgs" in name else "labels" if "labels" in name else None
        if what is None:
            continue
        other = parts.setdefault((part, what), path)
        if other is not path and stem(other) != stem(path):
            raise DataError(
                f"{folder} holds several data sets: {other.name} and {path.name}: give a folder with one of them"
            )
    if ("train", "images") not in parts:
        return None
    path = parts["train", "images"]
    source = Source(folder.resolve().name, as_examples(upright(path, read_idx(path)), path))
    labels = [(part, classes_in(parts[part, "labels"])) for part in ("train", "test") if (part, "labels") in parts]
    if ("test", "images") in parts:
        path = parts["test", "images"]
        source.test = as_examples(upright(path, read_idx(path)), path), None
        if len(labels) == 1:
            raise DataError(
                f"{folder} holds labels of the {labels[0][0]} images only: add the others, or take these away"
            )
    if path.name.lower().startswith("emnist"):
        source.notes.append("EMNIST's images lie on their side in its files: they were turned upright.")
    return labelled(source, [each for part, each in labels if part == "train" or source.test is not None], folder)


def classes_in(path: Path) -> np.ndarray:
    """Labels (N,). QMNIST's file has eight columns, of which the first is the class."""
    labels = read_idx(path)
    return labels[:, 0] if labels.ndim == 2 else labels


def upright(path: Path, x: np.ndarray) -> np.ndarray:
    """Images as a person sees them: EMNIST's files hold them transposed."""
    return x.transpose(0, 2, 1) if path.name.lower().startswith("emnist") and x.ndim == 3 else x


def stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".idx")


# Shapes


def as_examples(x: np.ndarray, path: Path) -> np.ndarray:
    """x as rows (N, D) or images (N, H, W, C). Raises DataError for anything else."""
    if x.dtype.kind not in "fiub":
        raise DataError(f"{path} holds {x.dtype}: expected numbers")
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim not in (2, 4) or not x.size:
        hint = "; a single row is x[None], a column of numbers x[:, None]" if x.ndim == 1 else ""
        raise DataError(
            f"{path} holds an array of shape {x.shape}: expected rows (N, D), or images (N, H, W) or (N, H, W, C), at least one{hint}"
        )
    if x.ndim == 4 and x.shape[1] in (1, 3, 4) and x.shape[3] > 4:
        raise DataError(
            f"{path} holds an array of shape {x.shape}, whose channels seem to come first: they should come last; "
            "numpy.save(path, x.transpose(0, 2, 3, 1))"
        )
    return x
