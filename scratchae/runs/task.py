"""What a job of `scratchae use` works with: the run, the examples, and the files that it leaves."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import plots
from ..files import written_whole
from ..models import CVAE
from ..presets import Examples
from .opened import Batch, Run
from .pictures import pictures

SHOWN = 10  # examples in a picture


@dataclass
class Task:
    """A job's run, its examples, the folder for what it makes, the options that it was given, and what it found."""

    run: Run
    given: Batch
    out: Path
    form: str = "png"
    options: dict[str, Any] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)  # what was found, in numbers

    @property
    def model(self) -> Any:
        return self.run.model

    @property
    def x(self) -> np.ndarray:
        return self.given.x

    @property
    def about(self) -> Examples:
        return self.run.about(self.x)

    @property
    def target(self) -> np.ndarray:
        """The examples without the class, for a model that is told it."""
        return self.x[:, : -self.model.labels] if isinstance(self.model, CVAE) else self.x

    def picture(self, name: str, draw: Callable[[Path], object]) -> None:
        draw(self.out / f"{name}.{self.form}")
        self.written.append(f"{name}.{self.form}")

    def array(self, name: str, x: np.ndarray) -> None:
        """An array, as .npy."""
        with written_whole(self.out / f"{name}.npy") as temporary, open(temporary, "wb") as file:
            np.save(file, x)
        self.written.append(f"{name}.npy")

    def table(self, name: str, header: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
        """Columns as .csv; numbers with seven digits."""
        with (
            written_whole(self.out / f"{name}.csv") as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(header)
            for row in zip(*columns, strict=True):
                writer.writerow([f"{value:.7g}" if isinstance(value, float) else value for value in row])
        self.written.append(f"{name}.csv")

    def data(self, name: str, x: np.ndarray) -> None:
        """Examples in the units of the data: a table as .csv with its columns, everything else as .npy."""
        made = self.about.scaling.undo(x.reshape(len(x), *self.about.shape))
        if self.about.columns:
            self.table(name, self.about.columns, made.T.tolist())
        else:
            self.array(name, made)

    def rows(self, name: str, rows: dict[str, np.ndarray], **words: Any) -> None:
        """Rows of examples: as images, or as coloured cells where they are none."""
        if self.about.images:
            self.picture(
                name,
                lambda path: plots.image_rows({k: pictures(x, self.about) for k, x in rows.items()}, path, **words),
            )
        else:
            cells = {k: x.reshape(len(x), -1) for k, x in rows.items()}
            self.picture(
                name, lambda path: plots.cells(cells, path, self.about.columns, caption=words.get("caption", ""))
            )

    def numbers(self) -> list[int]:
        """The rows' numbers, from 1."""
        return list(range(1, len(self.x) + 1))

    def known(self) -> tuple[list[str], list[Any]]:
        """The column of the classes, if they are known."""
        return ([], []) if self.given.labels is None else (["class"], [self.given.labels.tolist()])
