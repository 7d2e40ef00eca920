"""Sparsity by rule: of each example, only the strongest units speak."""

from __future__ import annotations

import numpy as np

from ..arguments import whole
from ..backend import Array, array_module, one_kernel, require_floats
from .layer import Layer


class KSparse(Layer):
    """The k largest activations of each example stay, all others become 0; in inference too.

    y = x · mask, mask = 1 where x is at least the k-th largest number of its example, else 0. x (N, …), and the example
    is all of its units. Units that tie with the k-th largest all stay, so that none is preferred for its place: then more
    than k do, or, where the tie is at 0, as after ReLU, fewer than k are not 0.

    Raises ShapeError if examples have fewer than k numbers. Makhzani and Frey 2014, "k-Sparse Autoencoders", algorithm 1;
    in inference they let somewhat more than k stay.
    """

    examples_apart = True
    formulas = {"mask": "largest(x, k)", "y": "x * mask", "dx": "dy * mask"}

    def __init__(self, k: int):
        self.k = whole(self, "k", k)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        require_floats(x)
        rows = x.reshape(len(x), int(np.prod(x.shape[1:])))  # (N, D)
        if rows.shape[1] < self.k:
            self.refuse(x, f"(N, …) with {self.k} numbers or more an example", "choose a smaller k, or more units")
        self.mask = among_largest(rows, self.k).reshape(x.shape)
        return x * self.mask

    def backward(self, dy: Array) -> Array:
        # y = x mask
        return dy * self.mask  # the mask is constant until two units change places


@one_kernel
def among_largest(rows: Array, k: int) -> Array:
    """Whether a number is at least as large as the k-th largest of its row: (N, D) -> (N, D) of bool."""
    rest = rows.shape[1] - k
    least = array_module(rows).partition(rows, rest, axis=1)[:, rest]  # (N,), the k-th largest
    return rows >= least[:, None]
