"""The measurements of a training, epoch by epoch."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from ..arguments import file_path, refuse
from ..files import written_whole


class History:
    """Columns of equal length, with one entry for each epoch: `history["loss"]`, `history["validation_loss"]`,
    `history["seconds"]`, …

    `interrupted` says that Ctrl-C came, `stopped_early` that patience ran out, `crowded` that other processes kept the cores busy, so
    that one thread did the matrix products.
    """

    def __init__(self, columns: dict[str, list[Any]] | None = None):
        self.columns = {} if columns is None else columns
        if not isinstance(self.columns, dict) or not all(isinstance(c, list) for c in self.columns.values()):
            refuse(self, "columns", columns, 'lists by name, such as {"loss": [0.5, 0.4]}')
        if len({len(column) for column in self.columns.values()}) > 1:
            refuse(self, "columns", columns, "lists of one length, with a number for each epoch")
        self.interrupted = False
        self.stopped_early = False
        self.crowded = False

    def __getitem__(self, column: str) -> list[Any]:
        return self.columns[column]

    def __contains__(self, column: str) -> bool:
        return column in self.columns

    def __len__(self) -> int:
        """The number of epochs."""
        return len(next(iter(self.columns.values()), []))

    def __repr__(self) -> str:
        return f"History({len(self)} epochs: {', '.join(self.columns)})"

    def append(self, row: dict[str, Any]) -> None:
        """Add an epoch."""
        if not isinstance(row, dict):
            refuse("append", "row", row, "numbers by name, of one epoch")
        for name, value in row.items():
            self.columns.setdefault(name, []).append(value)

    def to_csv(self, path: str | Path) -> None:
        """Write a line of names, then a line for each epoch."""
        path = file_path("to_csv", "path", path)
        with written_whole(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(self.columns)
            writer.writerows(zip(*self.columns.values(), strict=True))
