"""Examples as they were found in a file or a folder, before they are split and scaled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Source:
    """x (N, D) or (N, H, W, C) in the numbers of the file, and what is known of them.

    labels (N,): whole numbers, which count `classes`. columns: the names of the features of a table; `encoding`: how they
    came about from its columns. test: x and labels of test examples, where the files hold them apart. notes: what was done
    while reading, in sentences, for the person whose data it is.
    """

    name: str
    x: np.ndarray
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    encoding: list[dict[str, Any]] | None = None
    test: tuple[np.ndarray, np.ndarray | None] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an example."""
        return self.x.shape[1:]


def numbered(labels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels of any kind as numbers (N,), and the names of the classes, in order."""
    classes, numbers = np.unique(labels, return_inverse=True)
    return numbers.astype(np.int64), tuple(str(one) for one in classes.tolist())
