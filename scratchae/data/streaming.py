"""Training examples that are larger than memory: read from the file in shuffled blocks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .scaling import Scaling

BLOCK = 2**20  # bytes that are read in one go: a disk reads neighbours fast
POOL = 32  # blocks in memory at a time, whose rows are shuffled together
SAMPLE = 10_000  # training examples that stand for all of them in figures
LOADED = 2**28  # bytes of examples that are held in memory for one purpose, such as the test


def too_large(x: np.ndarray) -> bool:
    """Whether an array in a file would, as float32, take more than a third of this machine's memory."""
    return isinstance(x, np.memmap) and 4 * x.size > memory() / 3


def memory() -> int:
    """The bytes of memory that this process may use: the machine's, or a container's limit."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return 8 * 2**30
    limit = Path("/sys/fs/cgroup/memory.max")
    words = limit.read_text(encoding="utf-8").split() if limit.is_file() else ["max"]
    return found if words == ["max"] else min(found, int(words[0]))


def affordable_rows(x: np.ndarray, most: int) -> int:
    """So many examples of x, as float32, are held in memory: at most `most`."""
    return max(min(most, LOADED // (4 * x[0].size)), 1)


class Stream:
    """Rows (N, …) of an array in a file, scaled on the way. `batches(size)` is what `fit` trains on.

    Blocks of neighbouring rows come in a new order in each epoch; the rows of some blocks at a time are shuffled together. So what
    lies far apart in the file meets in a batch, as long as the file is larger than the pool.
    """

    def __init__(self, x: np.ndarray, rows: np.ndarray, scaling: Scaling):
        self.x, self.rows, self.scaling = x, rows, scaling
        self.block = max(BLOCK // (x[0].size * x.itemsize), 1)
        self.shape = (len(rows), *x.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Some of the rows, for one of several ranks that hold them all together."""
        return self.scaling.apply(np.asarray(self.x[self.rows[rows]])).reshape(-1, *self.shape[1:])

    def said(self, held_out: int) -> str:
        """How it is read, and the memory that this takes beside so many examples for validation and test."""
        size = self.x[0].size
        parts = {
            "of blocks": POOL * self.block * size * self.x.itemsize,
            "of validation and test examples": 4 * held_out * size,
            "of a sample of the training examples for figures": 4
            * size
            * min(affordable_rows(self.x, SAMPLE), len(self)),
        }
        peak, *each = (f"{bytes / 1e6:,.0f} MB" for bytes in (sum(parts.values()), *parts.values()))
        shown = ", ".join(f"{mb} {what}" for mb, what in zip(each, parts, strict=True))
        return f"The file is larger than a third of memory: it is streamed in shuffled blocks, and takes about {peak} at most: {shown}."

    def some(self) -> np.ndarray:
        """Some examples, spread evenly over all of them."""
        count = min(affordable_rows(self.x, SAMPLE), len(self.rows))
        chosen = self.rows[np.linspace(0, len(self.rows) - 1, count).astype(np.int64)]
        return self.scaling.apply(np.asarray(self.x[chosen])).reshape(-1, *self.shape[1:])

    def shaped(self, shape: tuple[int, ...]) -> Stream:
        """The same with examples of another shape."""
        found = Stream(self.x, self.rows, self.scaling)
        found.shape = (len(self), *shape)
        return found

    def batches(self, size: int) -> Batches:
        return Batches(self, size)


class Batches:
    """The batches of a stream, epoch after epoch."""

    def __init__(self, stream: Stream, size: int):
        self.stream, self.size = stream, size
        self.begin(0, 0)

    def begin(self, seed: int, epoch: int) -> None:
        """The order of the next pass comes from these two alone."""
        self.rng = np.random.default_rng([seed, epoch, 0])

    def __len__(self) -> int:
        return -(-len(self.stream) // self.size)

    def __iter__(self) -> Iterator[np.ndarray]:
        stream = self.stream
        starts = self.rng.permutation(np.arange(0, len(stream), stream.block))
        left = np.empty((0, *stream.shape[1:]), np.float32)
        for first in range(0, len(starts), POOL):
            rows = np.concatenate([stream.rows[s : s + stream.block] for s in starts[first : first + POOL]])
            pool = None  # so that two are never held
            pool, order = stream.x[np.sort(rows)], self.rng.permutation(len(rows))
            last = first + POOL >= len(starts)
            for start in range(0, len(pool), self.size):
                batch = stream.scaling.apply(pool[order[start : start + self.size]]).reshape(-1, *stream.shape[1:])
                left = np.concatenate([left, batch])
                while len(left) >= self.size:
                    yield left[: self.size]
                    left = left[self.size :]
            if last and len(left):
                yield left
