"""Principal component analysis: the best linear code, to which every autoencoder is compared."""

from __future__ import annotations

import math

from ..arguments import whole
from ..backend import Array, require_examples, require_floats
from ..description import Described
from ..errors import DataError, OptionError, ShapeError


class PCA(Described):
    """z = (x - μ) Cᵀ, x̂ = z C + μ, where the rows of C are the directions in which x varies most.

    x (N, D) or (N, …), which is flattened; z (N, components); C (components, D). Of all linear codes of this
    size it has the least squared error (Baldi and Hornik 1989). `fit` finds C as the leading eigenvectors of
    the covariance matrix XᵀX, or, of fewer than half as many examples as features, from those of XXᵀ; in float64.
    """

    def __init__(self, components: int):
        self.components = whole(self, "components", components)

    def fit(self, x: Array) -> PCA:
        """Find the mean and the directions of x. Returns the PCA."""
        xp = require_examples(x)
        rows = x.reshape(len(x), -1)
        if not bool(xp.isfinite(rows).all()):
            raise DataError("PCA.fit: x holds NaN or infinity: repair or remove these rows")
        if self.components > rows.shape[1]:
            raise ShapeError(
                f"PCA(components={self.components}) on data of {rows.shape[1]} features: expected at most as many components"
            )
        mean = xp.mean(rows, axis=0, dtype=xp.float64)
        if 2 * len(rows) < len(mean) and self.components < len(rows):
            centred = rows - mean
            values, vectors = xp.linalg.eigh(
                xp.matmul(centred, centred.T)
            )  # XXᵀ u = λ u, so XᵀX (Xᵀu) = λ (Xᵀu), |Xᵀu|² = λ
            values, vectors = values[::-1][: self.components], vectors[:, ::-1][:, : self.components]
            found = values > 1e-10 * values[0]  # the others are 0 but for rounding: along them nothing varies
            lengths = xp.sqrt(xp.where(found, values, 1))
            directions = xp.matmul(vectors.T, centred) * (found / lengths)[:, None]
            self.mean, self.directions = mean.astype(x.dtype), directions.astype(x.dtype)
            return self
        covariance = xp.zeros((len(mean), len(mean)), dtype=xp.float64)  # (D, D), up to the factor 1 / N
        # in blocks, since a copy of all rows in float64 would take twice their memory
        for start in range(0, len(rows), 4096):
            centred = rows[start : start + 4096] - mean
            covariance += xp.matmul(centred.T, centred)
        self.mean = mean.astype(x.dtype)
        _, vectors = xp.linalg.eigh(covariance)  # in ascending order
        self.directions = vectors[:, ::-1][:, : self.components].T.astype(x.dtype)  # C
        return self

    def encode(self, x: Array) -> Array:
        """The code of x, (N, components)."""
        self.require_fit()
        xp = require_floats(x, self.directions)
        features = math.prod(x.shape[1:])
        if not x.ndim or features != len(self.mean):
            raise ShapeError(
                f"{self!r} was fitted to {len(self.mean)} features, and x of shape {tuple(x.shape)} has {features}"
            )
        return xp.matmul(x.reshape(len(x), features) - self.mean, self.directions.T)

    def decode(self, z: Array) -> Array:
        """The data that a code represents, (N, D)."""
        self.require_fit()
        xp = require_floats(z, self.directions, name="z")
        if z.shape[1:] != (self.components,):
            raise ShapeError(f"{self!r} expects z of shape (N, {self.components}), got {tuple(z.shape)}")
        return xp.matmul(z, self.directions) + self.mean

    def reconstruct(self, x: Array) -> Array:
        """decode(encode(x)), in the shape of x."""
        return self.decode(self.encode(x)).reshape(x.shape)

    def require_fit(self) -> None:
        """Raise OptionError if `fit` has not been called."""
        if not hasattr(self, "directions"):
            raise OptionError(f"PCA({self.components}) has not been fitted to data: call fit(x) first")
