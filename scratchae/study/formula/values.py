"""The value of a formula, with NumPy, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...errors import FormulaError
from ...layers.patches import overlap_add, pad, patches
from .tree import Node

# One number of the result from one of each argument
ELEMENTWISE: dict[str, Callable[..., Any]] = {
    **{"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power, "neg": np.negative},
    **{"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal},
    **{"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs, "sign": np.sign, "tanh": np.tanh},
    **{"maximum": np.maximum, "minimum": np.minimum, "clip": np.clip, "where": np.where},
    **{"sigmoid": lambda x: np.exp(-np.logaddexp(0, -x)), "softplus": lambda x: np.logaddexp(0, x)},
}
REDUCTIONS = {"sum": np.sum, "mean": np.mean, "max": np.max}
DRAWS = ("normal", "uniform")  # drawn at random: a value is recorded, not computed
STILL = (*DRAWS, "sg")  # what does not move when something in it does

# Numbers in another place, or picked out; they cost nothing that is worth counting


def rows(x):
    """(…, D) as the rows of a matrix."""
    return x.reshape(-1, x.shape[-1])


def flat(x):
    """Each example as one row."""
    return x.reshape(len(x), -1)


def per_row(weights, x):
    """A weight for each example of x, in a shape that multiplies it."""
    return weights.reshape(len(x), *[1] * (x.ndim - 1))


def im2col(x, kernel, stride, padding):
    """The patches of images, (N, OH, OW, KH·KW·C)."""
    found = patches(pad(x, (padding[0],) * 2, (padding[1],) * 2), kernel, stride)
    return found.reshape(*found.shape[:3], -1)


def col2im(columns, size, kernel, stride, padding):
    """The adjoint of im2col: (N, OH, OW, KH·KW·C) added up in images of a size."""
    channels = columns.shape[-1] // (kernel[0] * kernel[1])
    return overlap_add(columns.reshape(*columns.shape[:3], *kernel, channels), size, stride, padding)


def windows(x, kernel, stride, counts):
    """The numbers of each window and channel, (N, OH, OW, KH·KW, C); -∞ where a window reaches beyond the image."""
    beyond = [
        max((n - 1) * s + k - size, 0) for n, s, k, size in zip(counts, stride, kernel, x.shape[1:3], strict=True)
    ]
    found = patches(pad(x, (0, beyond[0]), (0, beyond[1]), -np.inf), kernel, stride)
    return found.reshape(*found.shape[:3], -1, x.shape[-1])


def from_windows(w, size, kernel, stride):
    """The adjoint of windows: numbers added up where they lie in images of a size."""
    return overlap_add(w.reshape(*w.shape[:3], *kernel, w.shape[-1]), size, stride)


def spread(y, kernel):
    """Each number at every place of its window, (N, OH, OW, KH·KW, C)."""
    return np.repeat(y[:, :, :, None], math.prod(kernel), axis=3)


def first_max(w, axis=3):
    """1 at the first of the largest numbers along an axis, of each window or row, else 0."""
    first = np.zeros_like(w)
    np.put_along_axis(first, w.argmax(axis=axis, keepdims=True), 1, axis)
    return first


def earlier(x):
    """Sequences (N, T, D) one step earlier: 0 at the first step, then the x of the step before."""
    return np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)


def later(x, every=None):
    """Sequences (N, T, D) one step later: the x of the next step, 0 at the last, and where the next begins a stretch of so many."""
    found = np.concatenate([x[:, 1:], np.zeros_like(x[:, :1])], axis=1)
    if every is not None:
        found[:, every - 1 :: every] = 0
    return found


def at_last(x, steps):
    """x (N, D) at the last of so many steps, and 0 at the others."""
    found = np.zeros((len(x), steps, x.shape[1]), x.dtype)
    found[:, -1] = x
    return found


def each_step(x, shape):
    """x (N, D) at every step of sequences of this shape, (N, T, D)."""
    return np.repeat(x[:, None], shape[1], axis=1)


def upsample(x, scale):
    """Each pixel as scale × scale equal ones."""
    return x.repeat(scale[0], axis=1).repeat(scale[1], axis=2)


def largest(x, k):
    """1 where x is at least the k-th largest number of its example, else 0."""
    least = np.sort(flat(x), axis=1)[:, -k]
    return (flat(x) >= least[:, None]).astype(x.dtype).reshape(x.shape)


ARRANGEMENTS: dict[str, Callable[..., Any]] = {
    **{"rows": rows, "flat": flat, "per_row": per_row, "reshape": np.reshape, "expand": np.expand_dims, "joined": lambda *x: np.concatenate(x, -1), "stacked": lambda *x: np.concatenate(x, 0)},
    **{"earlier": earlier, "later": later, "at_last": at_last, "each_step": each_step},
    **{"im2col": im2col, "col2im": col2im, "windows": windows, "from_windows": from_windows, "spread": spread},
    **{"first_max": first_max, "area": math.prod, "upsample": upsample, "largest": largest, "repeat": lambda x, k: np.repeat(x, k, axis=0), "T": np.matrix_transpose},
    **{"tuple": lambda *numbers: numbers, "none": lambda: None, "sg": lambda x: x},
}  # fmt: skip


class Evaluation:
    """The value of a formula for values of its names; the shape of every node on the way, and the operations needed."""

    def __init__(self, tree: Node, names: Mapping[str, Any]):
        self.names = names
        self.shapes: dict[Node, tuple[int, ...]] = {}
        self.plain: dict[Node, Any] = {}  # what is no array: numbers, kernel sizes and the like
        self.flops = 0  # additions, multiplications, exponentials …: 2 for each pair of numbers in a matrix product
        try:
            with np.errstate(all="ignore"):
                self.value = self.of(tree)
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            if isinstance(error, FormulaError):
                raise
            shapes = ", ".join(f"{name} {np.shape(names[name])}" for name in tree.names() if name in names)
            raise FormulaError(f"a formula cannot be computed with {shapes}: {error}") from None

    def of(self, node: Node) -> Any:
        value = self.compute(node)
        self.shapes[node] = np.shape(value) if isinstance(value, np.ndarray) else ()
        if not isinstance(value, np.ndarray):
            self.plain[node] = value
        return value

    def compute(self, node: Node) -> Any:
        if node.op == "num":
            return node.value
        if node.op == "name":
            if node.value not in self.names:
                raise FormulaError(f"a formula speaks of {node.value!r}, of which nothing is known here")
            return self.names[node.value]
        args = [self.of(arg) for arg in node.args]
        options = dict(node.value or ())
        if node.op in ELEMENTWISE:
            value = ELEMENTWISE[node.op](*args)
            if getattr(value, "dtype", None) is np.dtype(bool):
                value = value.astype(np.float64)
            if isinstance(value, np.generic) and not any(isinstance(arg, np.ndarray) for arg in args):
                return value.item()
            self.flops += np.size(value)
            return np.asarray(value)
        if node.op in REDUCTIONS:
            self.flops += np.size(args[0])
            return np.asarray(REDUCTIONS[node.op](*args, **options))
        if node.op == "matmul":
            value = np.matmul(*args)
            self.flops += 2 * math.prod(value.shape) * args[0].shape[-1]
            return np.asarray(value)
        if node.op == "slice":
            bounds = zip(args[1::2], args[2::2], strict=True)
            return args[0][tuple(slice(*pair) for pair in bounds)]
        if node.op in ARRANGEMENTS:
            return ARRANGEMENTS[node.op](*args, **options)
        raise FormulaError(f"{node.op}(…) is no function of the language of formulas")
