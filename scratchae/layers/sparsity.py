"""Sparsity by a rule: of each example, only the strongest units stay on."""

from __future__ import annotations

import numpy as np

from ..arguments import whole
from ..backend import Array, array_module, one_kernel
from .layer import Layer


class KSparse(Layer):
    """The k largest activations of each example stay, and all others become 0, in training and in inference.

    x (N, …); y = x · mask; the mask is 1 where x is at least the k-th largest number of its example, and 0 elsewhere. Units
    that tie with the k-th largest all stay, so that no unit is preferred for its place. Then more than k units stay. If the
    tie is at 0, as it may be after ReLU, fewer than k units of y are not 0.

    Raises ShapeError if examples have fewer than k numbers. Makhzani and Frey 2014, "k-Sparse Autoencoders", algorithm 1;
    in inference they keep somewhat more than k units.
    """

    examples_apart = True
    symbol, symbols = "s", {"mask": "m"}
    flops = 2, 0, 1  # x >= the k-th largest, which is found by a selection and not counted, x mask; dy mask
    formulas = {
        "mask": "largest(x, k)  # The k largest numbers of an example are kept and the others are not, which makes a [sparse code](glossary.md#sparse-code). ([Chapter 10](10_sparse_contractive.py))",
        "y": "x * mask  # What is not among the largest becomes 0.",
        "dx": "dy * mask  # What was made 0 changes nothing when it moves a little, so nothing is asked of it.",
    }

    def __init__(self, k: int):
        self.k = whole(self, "k", k)

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        rows = x.reshape(len(x), int(np.prod(x.shape[1:])))  # (N, D)
        if rows.shape[1] < self.k:
            self.refuse(
                x, f"(N, …) with {self.k} or more numbers for each example", "choose a smaller k, or more units"
            )
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
