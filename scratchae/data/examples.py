"""Data ready for a model: split into training, validation and test, and scaled; decided once, told, and kept with a run."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..arguments import any_path, choice, pair
from ..errors import DataError, ShapeError
from .own import read_data
from .pictures import ENDINGS
from .scaling import PIXELS, Scaling, scaling_for
from .source import Source
from .streaming import Stream, affordable_rows, too_large

HELD_OUT = 60  # of the data that come with a test set, one in 60 training examples is for validation: 1,000 of MNIST's 60,000
SHARE = 10  # of a person's own data, one example in ten is for validation and one in ten for the test
MOST = 5000  # examples of each of these two at most, where the data are larger than memory


@dataclass(frozen=True)
class Examples:
    """Data ready for a model: float32 (N, D), or images (N, H, W, C), and the classes of the examples, if they are known.

    For a model that is told the class too, the last `labels` columns are the class, one-hot. shape: that of an example, as it
    was found: a row (D,) or an image (H, W, C). classes: their names. columns: the names of a table's features. train: an
    array, or a `Stream` of what is larger than memory. kept: what a run has to keep, so that everything later
    prepares data in the same way. told: what was understood, in sentences.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray | None = None
    labels: int = 0
    train_labels: np.ndarray | None = None
    validation_labels: np.ndarray | None = None
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    scaling: Scaling = PIXELS
    kept: dict[str, Any] = field(default_factory=dict)
    told: tuple[str, ...] = ()

    @property
    def features(self) -> int:
        """The number of numbers in an example, without the class."""
        return self.test[0].size - self.labels

    @property
    def images(self) -> bool:
        """Whether the examples are images, and not rows of a table."""
        return len(self.shape) == 3

    @property
    def some(self) -> np.ndarray:
        """The training examples; of a stream as many as fit into memory."""
        return self.train.some() if isinstance(self.train, Stream) else self.train


def load_examples(
    path: str | Path,
    *,
    label: str | None = None,
    missing: str | None = None,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
) -> Examples:
    """A person's data, split and scaled: rows (N, D) or images (N, H, W, C) from a file or a folder.

    `.npy`, `.npz`, `.csv`, IDX files, or a folder of images, with classes by subfolder. label: a table's column with the classes.
    missing="mean": missing cells of a table become the mean of their column. size: (height, width), or one number for both, to which images are fitted.
    The training examples alone decide the scaling. Raises DataError.
    """
    path = any_path("load_examples", "path", path)
    if missing is not None:
        choice("load_examples", "missing", missing, ["mean"])
    options = {
        "label": label,
        "missing": missing,
        "size": None if size is None else pair("load_examples", "size", size),
    }
    return prepared(read_data(path, **options), seed, {"source": str(path.resolve()), **options})


def split(
    train: np.ndarray,
    test: np.ndarray,
    train_labels: np.ndarray | None = None,
    test_labels: np.ndarray | None = None,
    **about: Any,
) -> Examples:
    """Keep the last sixtieth of the training rows for validation. The test rows are used for the final figures only."""
    held_out = max(len(train) // HELD_OUT, 1)
    learned, judged = (None, None) if train_labels is None else (train_labels[:-held_out], train_labels[-held_out:])
    scaling, shape = about.setdefault("scaling", PIXELS), list(about.get("shape", ()))
    about["kept"] = {"scaling": scaling.record(), "encoding": None, **about.get("kept", {}), "shape": shape}
    about["kept"]["classes"] = list(about.get("classes", ()))
    return Examples(
        **{"train": train[:-held_out], "validation": train[-held_out:], "test": test},
        **{"train_labels": learned, "validation_labels": judged, "test_labels": test_labels, **about},
    )


def prepared(source: Source, seed: int, origin: dict[str, Any], scaling: Scaling | None = None) -> Examples:
    """Split and scale what was read. scaling: as it was decided before; by default the training examples decide."""
    rows = split_rows(source, seed)
    scaling = scaling or scaling_for(source, rows["train"])
    x = dict.fromkeys(rows, source.x)
    labels = {part: None if source.labels is None else source.labels[chosen] for part, chosen in rows.items()}
    if source.test is not None:
        x["test"], labels["test"] = source.test
        rows["test"] = np.arange(len(source.test[0]))
    arrays = {part: scaling.apply(np.asarray(x[part][rows[part]])) for part in ("validation", "test")}
    if too_large(source.x):
        arrays["train"] = Stream(source.x, rows["train"], scaling)
    else:
        arrays["train"] = scaling.apply(np.asarray(source.x[rows["train"]]))
    counts = {part: len(rows[part]) for part in ("train", "validation", "test")}
    told = (*described(source), *source.notes, in_words(source, seed, counts, scaling))
    if too_large(source.x):
        told = (*told, arrays["train"].said(counts["validation"] + counts["test"]))
    kept = {
        **origin,
        **{"seed": seed, "shape": list(source.shape), "counts": counts, "scaling": scaling.record()},
        **{"classes": list(source.classes), "columns": list(source.columns), "encoding": source.encoding},
        "checksum": zlib.crc32(np.ascontiguousarray(arrays["test"])),
    }
    return Examples(
        **arrays,
        **{f"{part}_labels": each for part, each in labels.items()},
        **{"shape": source.shape, "classes": source.classes, "columns": source.columns},
        **{"scaling": scaling, "kept": kept, "told": told},
    )


def split_rows(source: Source, seed: int) -> dict[str, np.ndarray]:
    """The rows of training, validation and test examples, in order, drawn from the seed; by class, where there are labels.

    Raises DataError for fewer than three examples.
    """
    n, held_out = len(source.x), 2 if source.test is None else 1
    if n < 3:
        raise DataError(
            f"{source.name} holds {n} example{'s' * (n != 1)}: training needs some to learn from, and others for validation and test; "
            "expected at least 3. A trained model takes any number: scratchae use JOB RUN --data …"
        )
    rng = np.random.default_rng([seed, 2])
    groups = [np.arange(n)]
    if source.labels is not None and np.bincount(source.labels).min() >= SHARE:
        groups = [np.flatnonzero(source.labels == each) for each in range(len(source.classes))]
    most = affordable_rows(source.x, MOST) if too_large(source.x) else n
    chosen: list[np.ndarray] = [np.empty(0, np.int64)] * held_out
    for group in groups:
        count = min(max(round(len(group) / SHARE), 1), max(most * len(group) // n, 1))
        drawn = rng.choice(group, held_out * count, replace=False)
        chosen = [np.append(before, drawn[i::held_out]) for i, before in enumerate(chosen)]
    learned = np.ones(n, bool)
    for each in chosen:
        learned[each] = False
    parts = zip(("validation", "test"), map(np.sort, chosen), strict=False)
    return {"train": np.flatnonzero(learned), **dict(parts)}


def described(source: Source) -> list[str]:
    """What was found, in a sentence; and the classes in another."""
    n = len(source.x) + (len(source.test[0]) if source.test is not None else 0)
    if source.x.ndim == 4:
        H, W, C = source.shape
        colour = {1: "grey", 3: "in colour"}.get(C, f"of {C} channels")
        said = [f"{source.name}: {n:,} images of {H}×{W}, {colour}."]
    else:
        of = "columns" if source.columns else "numbers"
        said = [f"{source.name}: {n:,} rows of {source.x.shape[1]:,} {of}."]
    if source.labels is not None:
        counts = np.bincount(source.labels, minlength=len(source.classes))
        if source.test is not None:
            counts = counts + np.bincount(source.test[1], minlength=len(source.classes))
        shown = ", ".join(
            f"{name} ({count:,})" for name, count in zip(source.classes[:10], counts.tolist(), strict=False)
        )
        said.append(f"{len(source.classes)} classes: {shown}{', …' * (len(source.classes) > 10)}.")
    return said


def in_words(source: Source, seed: int, counts: dict[str, int], scaling: Scaling) -> str:
    """How the data are split and scaled, in a line."""
    parts = ", ".join(
        f"{count:,} {part}" for part, count in zip(("training", "validation", "test"), counts.values(), strict=True)
    )
    how = f"drawn with seed {seed}" if source.test is None else "the test examples are those of the files"
    return f"Scaling: {scaling.said}. Split: {parts}; {how}."


# What comes later


def again(kept: dict[str, Any]) -> Examples:
    """The data of a run, read, split and scaled as they were for it. Raises DataError if they have changed."""
    source = read_data(kept["source"], **options_of(kept), encoding=kept["encoding"])
    found = prepared(source, kept["seed"], {}, Scaling.from_record(kept["scaling"]))
    if found.kept["checksum"] != kept["checksum"]:
        raise DataError(
            f"{kept['source']} has changed since the model was trained on it, so its test examples can no longer be told from "
            "those that it learned: give the examples to use, --data FILE"
        )
    return found


def like(path: str | Path, kept: dict[str, Any], label: str | None = None, missing: str | None = None) -> Source:
    """Other data, read and scaled as those of a run were. Missing cells of a table may count as the mean of the run's column.

    Raises DataError and ShapeError for what does not fit.
    """
    shape = tuple(kept["shape"])
    options = options_of(kept) | {"label": label or kept.get("label"), "missing": missing or kept.get("missing")}
    if len(shape) == 1 and (Path(path).is_dir() or Path(path).suffix.lower() in ENDINGS) and Path(path).exists():
        raise ShapeError(
            f"{path} holds images, and the model was trained on rows of {shape[0]} numbers: give it a table or an array"
        )
    is_table = Path(path).suffix.lower() in (".csv", ".tsv", ".txt")
    if not is_table:
        options |= {"label": None, "missing": None}
    images = Path(path).suffix.lower() not in (".npy", ".npz") and len(shape) == 3 and not is_table
    options["size"] = shape[:2] if images else None
    source = read_data(
        path, **options, channels=shape[2] if images else None, encoding=kept["encoding"] if is_table else None
    )
    x = source.x if source.test is None else source.test[0]
    if source.test is not None:
        source.labels = source.test[1]
    if x.shape[1:] != shape and x[0].size == np.prod(shape):
        x = x.reshape(len(x), *shape)
    if x.shape[1:] != shape:
        hint = ": a single image is x[None]" if x.shape == shape[: x.ndim] else way_out(x.shape[1:], shape)
        raise ShapeError(
            f"{path} holds examples of {in_short(x.shape[1:])}, the model was trained on {in_short(shape)}{hint}"
        )
    x = np.asarray(x)
    wrong = (
        np.isinf(x) if options["missing"] else ~np.isfinite(x)
    )  # what is missing may stand as NaN until it is scaled
    if wrong.any():
        wrong = np.flatnonzero(wrong.reshape(len(x), -1).any(axis=1))
        raise DataError(
            f"{path} holds NaN or infinity in {len(wrong)} of {len(x)} rows, first in row {wrong[0]}: repair or remove them"
        )
    source.x, source.test = Scaling.from_record(kept["scaling"]).apply(x), None
    return source


def options_of(kept: dict[str, Any]) -> dict[str, Any]:
    """The options that data were read with."""
    size = kept.get("size")
    return {"label": kept.get("label"), "missing": kept.get("missing"), "size": None if size is None else tuple(size)}


def in_short(shape: tuple[int, ...]) -> str:
    if len(shape) == 1:
        return f"{shape[0]} numbers"
    H, W, C = shape
    return f"{H}×{W} pixels, {({1: 'grey', 3: 'in colour'}).get(C, f'{C} channels')}"


def way_out(found: tuple[int, ...], shape: tuple[int, ...]) -> str:
    if len(found) == len(shape) == 3 and found[:2] == shape[:2] and found[2] == 3:
        return ": make them grey, in Pillow image.convert('L'), or train a model on images in colour"
    return ": give data of the same shape, or train another model on them"
