"""A small prior over codes that are whole numbers: how probable each is at its place, given its neighbours."""

from __future__ import annotations

import math

import numpy as np

from ..arguments import affordable, number, whole
from ..backend import Array, generator, to_numpy
from ..errors import DataError, OptionError, ShapeError

Place = tuple[int, ...]


class CodePrior:
    """P(codes) = Π P(k at a place | its neighbours before it), place after place, row by row.

    codes (N, …) of whole numbers below K = `codes`, such as `VQVAE.codes` gives; a place's neighbours are those one step before it
    along each axis: left and above, in an image. Each conditional probability is counted from data, as if the neighbours
    were independent given k (naive Bayes):

        P(k | a, b) ∝ P(k) P(a | k) P(b | k), at this place.

    `smoothing` is how many examples the mean over all places counts for in the table of one, and a uniform one in that mean: a pair
    that was never seen is improbable, not impossible. So P is a distribution whatever the neighbours depend on, and its bits are
    bits of a real code. Made with NumPy, on the host.
    """

    def __init__(self, codes: int, *, smoothing: float = 1.0):
        self.codes = whole(self, "codes", codes)
        self.smoothing = number(self, "0 < smoothing", smoothing)

    def fit(self, codes: Array) -> CodePrior:
        """Count codes (N, …). Raises DataError for codes that are no whole numbers below K, or none at all."""
        k = self.checked(codes)
        self.shape = k.shape[1:]
        first = {place: self.counted(k[:, *place]) for place in np.ndindex(self.shape)}
        pairs = {
            (place, axis): self.counted(k[:, *before] * self.codes + k[:, *place], pairs=True)
            for place in first
            for axis, before in self.before(place)
        }
        mean_first = self.smoothed(sum(first.values()), 1 / self.codes)
        self.first = {place: np.log(self.smoothed(counts, mean_first)) for place, counts in first.items()}
        self.given: dict[tuple[Place, int], np.ndarray] = {}  # log P(neighbour | k), (K of the neighbour, K)
        for axis in range(len(self.shape)):
            here = {key: counts for key, counts in pairs.items() if key[1] == axis}
            mean = self.smoothed(sum(here.values()), 1 / self.codes) if here else None
            self.given |= {key: np.log(self.smoothed(counts, mean)) for key, counts in here.items()}
        return self

    def bits(self, codes: Array) -> np.ndarray:
        """-log₂ P of each of codes (N, …), (N,): what an arithmetic coder needs for it."""
        self.require_fitted()
        k = self.checked(codes)
        if k.shape[1:] != self.shape:
            raise ShapeError(f"CodePrior was fitted to codes of shape {self.shape}, got {k.shape[1:]}")
        rows = np.arange(len(k))
        return -sum(self.log_p(k, place)[rows, k[:, *place]] for place in np.ndindex(self.shape)) / np.log(2)

    def sample(self, n: int, rng: int | np.random.Generator | None = None) -> np.ndarray:
        """n new codes (n, …), drawn place after place."""
        self.require_fitted()
        n, *_ = affordable("sample", whole("sample", "n", n), max(self.codes, 2 * math.prod(self.shape)))
        rng, k = generator(rng), np.zeros((n, *self.shape), np.int64)
        for place in np.ndindex(self.shape):
            upto = np.cumsum(np.exp(self.log_p(k, place)), axis=1)
            k[:, *place] = np.minimum((upto < rng.random((n, 1)) * upto[:, -1:]).sum(axis=1), self.codes - 1)
        return k

    def log_p(self, k: np.ndarray, place: Place) -> np.ndarray:
        """log P(k | neighbours) at a place, (N, K)."""
        found = self.first[place] + sum(self.given[place, axis][k[:, *before]] for axis, before in self.before(place))
        found = np.broadcast_to(found, (len(k), self.codes))
        return found - np.logaddexp.reduce(found, axis=1, keepdims=True)

    def before(self, place: Place) -> list[tuple[int, Place]]:
        """The neighbours of a place that come before it, each with its axis."""
        return [
            (axis, tuple(p - (a == axis) for a, p in enumerate(place))) for axis in range(len(place)) if place[axis]
        ]

    def counted(self, k: np.ndarray, pairs: bool = False) -> np.ndarray:
        """How often each code occurs, (K,); of pairs, numbered neighbour · K + code, (K, K)."""
        shape = (self.codes, self.codes) if pairs else (self.codes,)
        return np.bincount(k, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)

    def smoothed(self, counts: np.ndarray, towards: np.ndarray | float) -> np.ndarray:
        """Counts as shares of their column, with so many examples more that are distributed otherwise."""
        return (counts + self.smoothing * towards) / (counts.sum(axis=0) + self.smoothing)

    def require_fitted(self) -> None:
        """Raises OptionError before `fit`."""
        if not hasattr(self, "shape"):
            raise OptionError("this CodePrior has counted no codes yet: fit(codes) comes first")

    def checked(self, codes: Array) -> np.ndarray:
        """Codes on the host. Raises DataError for others than whole numbers below K, (N, …)."""
        k = to_numpy(codes)
        whole_numbers = k.dtype.kind in "iu" and k.size
        if k.ndim < 2 or not whole_numbers or k.min() < 0 or k.max() >= self.codes:
            found = f" from {k.min()} to {k.max()}" if whole_numbers else ""
            raise DataError(
                f"CodePrior({self.codes}) expects codes (N, …), whole numbers from 0 to {self.codes - 1}, got {k.dtype} of shape "
                f"{k.shape}{found}: model.codes(x) makes them"
            )
        return k.astype(np.int64)
