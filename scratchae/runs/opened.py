"""A run that was trained before: its model, its data and how these are prepared, found again from its folder."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data import NAMES, PIXELS, Scaling, again, like, named_examples
from ..errors import OptionError, RunError
from ..models import Model, with_labels
from ..presets import Examples, Preset, find_preset
from ..training import load
from .folder import MODEL, RECORD, read_record


@dataclass(frozen=True)
class Batch:
    """Examples to use a model on: x as the model takes it, classes by name if they are known, and notes on how they were read."""

    x: np.ndarray
    labels: np.ndarray | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Run:
    """A run's folder, its record, its preset and its model, on the CPU."""

    folder: Path
    record: dict[str, Any]
    preset: Preset
    model: Model

    @property
    def kept(self) -> dict[str, Any]:
        """How its data are prepared. Runs of a version that did not keep it were of data with a name."""
        return self.record.get("prepared") or {"source": self.record["data"]}

    @functools.lru_cache(maxsize=4)  # noqa: B019 (a job asks for them more than once; a process has few runs)
    def examples(self, data_dir: str | None = None) -> Examples:
        """Its training, validation and test examples, as they were."""
        kept = self.kept
        if kept["source"] == "synthetic":
            return self.preset.examples()
        if kept["source"] in NAMES:
            return self.preset.taking(named_examples(kept["source"], data_dir or kept.get("directory")))
        return self.preset.taking(again(kept))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of an example as the model takes it."""
        about = self.about(np.empty((0, 1), np.float32))
        return (math.prod(about.shape) + about.labels,) if about.labels else self.preset.taken(about.shape)

    def about(self, x: np.ndarray) -> Examples:
        """What is known of its data, with x in the place of the test examples: for pictures, and for numbers in their own units."""
        kept = self.kept
        scaling = Scaling.from_record(kept["scaling"]) if "scaling" in kept else PIXELS
        names = {"classes": tuple(kept.get("classes", ())), "columns": tuple(kept.get("columns", ()))}
        shape = tuple(kept.get("shape", (28, 28, 1)))
        labels = len(names["classes"] or range(10)) if self.preset.labels else 0
        return Examples(x[:0], x[:0], x, labels=labels, shape=shape, scaling=scaling, kept=kept, **names)

    def batch(
        self,
        data: str | None = None,
        label: str | None = None,
        data_dir: str | None = None,
        missing: str | None = None,
    ) -> Batch:
        """Examples from a file or folder of a person's own, or by name; by default its own test examples."""
        if data is None or (data in NAMES and data == self.kept["source"]):
            examples = self.examples(data_dir)
            return Batch(examples.test, names(examples.test_labels, examples.classes))
        if self.kept["source"] == "synthetic":
            raise OptionError(f"{self.folder} was trained on data that its preset makes: leave out --data")
        if data in NAMES:
            found = self.preset.taking(named_examples(data, data_dir))
            return Batch(found.test, names(found.test_labels, found.classes))
        kept = self.kept if "scaling" in self.kept else named_examples(self.kept["source"], data_dir).kept
        source = like(data, kept, label, missing)
        x = source.x.reshape(len(source.x), *self.preset.taken(source.x.shape[1:]))
        labels = names(source.labels, source.classes)
        if self.preset.labels:
            x = self.told(x, labels, kept, data)
        return Batch(x, labels, tuple(source.notes))

    def told(self, x: np.ndarray, labels: np.ndarray | None, kept: dict[str, Any], data: str) -> np.ndarray:
        """x with the class of each example behind it, for a model that is told the class."""
        classes = list(kept["classes"])
        unknown = sorted(set(labels.tolist()) - set(classes)) if labels is not None else ["none"]
        if unknown:
            raise OptionError(
                f"{self.preset.name} is told the class of each example, one of {', '.join(classes)}, and {data} has {unknown[0]}: "
                "give data of these classes, with --label COLUMN for a table"
            )
        return with_labels(x, np.array([classes.index(one) for one in labels]), len(classes), every_class=False)


def names(labels: np.ndarray | None, classes: tuple[str, ...]) -> np.ndarray | None:
    """Labels by name, (N,)."""
    return None if labels is None else np.array(classes)[labels]


def open_run(path: str | Path) -> Run:
    """The run in a folder that `scratchae train` wrote. Raises RunError if there is none, CheckpointError for a damaged model."""
    path = Path(path)
    folder, file = (path, path / MODEL) if path.is_dir() else (path.parent, path)
    try:
        record = read_record(folder)
    except RunError:
        raise RunError(
            f"{path} is not a run: expected a folder that `scratchae train` wrote, or the model file in it, because "
            f"{RECORD} beside it says which data it was trained on; in Python, load(file) takes any model"
        ) from None
    return Run(folder, record, find_preset(record["preset"]), load(file))
