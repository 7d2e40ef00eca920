"""A codebook: each vector is replaced by the nearest of a few vectors that are learned."""

from __future__ import annotations

import numpy as np

from ..arguments import number, whole
from ..backend import Array, array_module, require_floats
from ..errors import DataError
from .initial import normal
from .layer import Layer

AVERAGED = 0.99  # how much of `share` stays in a step, where no `decay` says
UNUSED = 1e-6  # a share below which a code stays where it is, as a mean over so few vectors tells nothing


class Codebook(Layer):
    """Each vector is replaced by the nearest of the K = `codes` vectors in E: y = e_k with the k that minimises |x - e_k|².

    x (N, …, features), such as (N, features), or (N, H, W, features) with a vector for each pixel; y of the same shape;
    E (codes, features). Of codes at the same distance, the first is taken. k is found as the largest closeness
    c_k = x · e_k - ½ |e_k|², since |x - e_k|² = |x|² - 2 c_k; with x and e_k counted from μ, the middle of the codebook, so that little is
    rounded where all of them are far from 0.

    Its derivative by x is 0, since the nearest vector does not move with x. So by itself it passes no gradient to the layers
    before it: `VQVAE` leads the gradient past it.

    decay: None trains E by its gradient. A number makes E the moving average of the vectors that chose each code, without a
    gradient (van den Oord et al. 2017, appendix A.1); 0.99 is usual. `share` is the moving average of how often each code is
    chosen, as a share of all. A code whose share falls below dead / K is dead: `follow` moves it to a vector of the batch. With
    dead=0 none is.

    Raises ShapeError for vectors of another size, OptionError for arguments that cannot be.
    """

    parameter_names = ("E",)
    symbol = "e"
    symbols = {"middle": "μ", "closeness": "c", "chosen": "k", "share": "s"}
    formulas = {
        "middle": "mean(E, axis=0)  # Distances stay the same when all is moved by the same vector, and rounding is smallest around the middle.",
        "closeness": "(rows(x) - middle) @ (E - middle).T - sum((E - middle) ** 2, axis=1) / 2  # The entry at the smallest distance is the one with the largest x·e − ½‖e‖², because ‖x‖² is the same for all entries. ([Chapter 18](18_codebooks_and_masks.py))",
        "chosen": "first_max(closeness, axis=1)  # Each vector is replaced by its nearest entry of the [codebook](glossary.md#codebook): a 1 stands at that entry.",
        "y": "reshape(chosen @ E, x_shape)  # The product with a row that holds a single 1 takes the chosen entry out of E.",
        "dE": "chosen.T @ rows(dy)  # An entry gets what was asked of all the vectors that chose it, because each of them is a copy of it.",
        "dx": "0 * dy  # A choice jumps, so its slope is 0 wherever it has one; that is why the model goes [straight through](glossary.md#straight-through).",
    }

    def __init__(
        self,
        codes: int,
        features: int,
        *,
        decay: float | None = None,
        dead: float = 0.03,
        rng: int | np.random.Generator | None = None,
    ):
        self.codes, self.features = whole(self, "codes", codes), whole(self, "features", features)
        self.decay = None if decay is None else number(self, "0 <= decay < 1", decay)
        self.dead = number(
            self, "0 <= dead < 1", dead, ": the share of use, as a part of an equal one, below which a code is dead"
        )
        self.E = normal(self, (self.codes, self.features), 1, rng)
        # so little that a code which nothing chooses at first is moved soon
        self.share = np.full(self.codes, 2 * self.dead / self.codes, np.float32)
        self.buffer_names = ("share",)
        if decay is None:
            self.dE = np.zeros_like(self.E)
        else:
            self.parameter_names, self.buffer_names = (), ("E", "share")

    @property
    def flops(self) -> tuple[float, float, float]:
        """For each of K codes x · e, and of a vector also - ½ |e|², the largest, and whether it is that; chosenᵀ dy; 0 dy."""
        return 2 * self.codes + 3 * self.codes / self.features, 2 * self.codes * bool(self.parameter_names), 1

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        xp = require_floats(x, self.E)
        if x.ndim < 2 or x.shape[-1] != self.features:
            self.refuse(x, f"(N, …, {self.features})", "the vectors of x must be as long as those of the codebook")
        self.rows = x.reshape(-1, self.features)  # (M, D)
        middle = xp.mean(self.E, axis=0)
        e = self.E - middle
        closeness = xp.matmul(self.rows - middle, e.T)
        closeness -= xp.sum(e * e, axis=1) / 2  # (M, K)
        self.k = xp.argmax(closeness, axis=1)  # (M,)
        self.chosen = (self.k[:, None] == xp.arange(self.codes)).astype(x.dtype)  # 1 at k (M, K)
        return xp.take(self.E, self.k, axis=0).reshape(x.shape)  # y

    def backward(self, dy: Array) -> Array:
        self.backward_parameters(dy)
        return 0 * dy  # dx

    def backward_parameters(self, dy: Array) -> None:
        # y = chosen E
        if self.parameter_names:
            array_module(dy).matmul(self.chosen.T, dy.reshape(-1, self.features), out=self.dE)

    def vectors(self, k: Array) -> Array:
        """The vectors of codes k (N, …): (N, …, features). Raises DataError for others than whole numbers below K."""
        xp = array_module(self.E)
        k = xp.asarray(k)  # a `CodePrior` draws on the host
        if k.dtype.kind not in "iu" or not bool(xp.all((k >= 0) & (k < self.codes))):
            raise DataError(
                f"{self!r}.vectors expects codes, whole numbers from 0 to {self.codes - 1}, got {k.dtype} of shape {k.shape}: "
                "model.codes(x) makes them"
            )
        return xp.take(self.E, k, axis=0)

    def follow(self, rng: np.random.Generator) -> Array:
        """After a step: move the averages, and E if it is one, towards the vectors of the last forward, and each dead code to
        one of them, drawn by rng. The number of codes that were dead.

        share ← γ share + (1 - γ) 1/M Σₘ kₘ,  share E ← γ share E + (1 - γ) 1/M Σₘ kₘ xₘ.
        """
        xp = array_module(self.E)
        M, rate = len(self.rows), AVERAGED if self.decay is None else self.decay
        before = self.share[:, None].copy()
        self.share *= rate
        self.share += (1 - rate) * xp.mean(self.chosen, axis=0)
        share = self.share[:, None]
        if self.decay is not None:
            total = rate * before * self.E + (1 - rate) / M * xp.matmul(self.chosen.T, self.rows)  # share E
            self.E[...] = xp.where(share > UNUSED, total / xp.maximum(share, UNUSED), self.E)
        dead = self.share < self.dead / self.codes  # no branches: on a GPU the step is recorded
        places = xp.minimum((rng.random(self.codes, dtype=self.E.dtype) * M).astype(np.int64), M - 1)
        self.E[...] = xp.where(dead[:, None], xp.take(self.rows, places, axis=0), self.E)
        self.share[...] = xp.where(dead, 1 / self.codes, self.share)
        return xp.sum(dead)


def perplexity(chosen: Array) -> Array:
    """How many codes are in use: e to the entropy of their shares, of choices (M, K). It is K where all are used alike."""
    xp = array_module(chosen)
    p = xp.mean(chosen, axis=0)
    return xp.exp(-xp.sum(p * xp.log(xp.maximum(p, float(np.finfo(p.dtype).tiny)))))


def require_enough(codes: int, vectors: int, examples: int) -> None:
    """Raise DataError if there are more codes than vectors to choose them."""
    if codes > vectors:
        raise DataError(
            f"the codebook holds {codes} vectors and the data only {vectors} ({examples} examples of {vectors // examples}), so that "
            "some would never be used: train on more examples, or make it smaller, Codebook(codes, features)"
        )
