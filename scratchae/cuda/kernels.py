"""The kernels of kernels.cu as functions of arrays: what `backend.one_kernel` calls on a GPU.

Nothing here asks what the arrays are. On a GPU `launch` runs a kernel through CuPy; in the tests it runs the same
source, compiled for the CPU.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from importlib import resources
from types import ModuleType

import numpy as np

from ..backend import Array
from ..layers.patches import Pair, count

SOURCE = resources.files(__package__).joinpath("kernels.cu").read_text(encoding="utf-8")
TYPES = {"float32": "float", "float64": "double"}  # what REAL is

Launch = Callable[..., None]  # launch(name, dtype, n, *arguments): arrays, and numbers as 64-bit ones


def launcher(cupy: ModuleType) -> Launch:
    """What runs a kernel on the current stream of the GPU."""
    threads = 256

    @functools.cache
    def module(dtype: str):
        return cupy.RawModule(code=SOURCE, options=("--std=c++17", f"-DREAL={TYPES[dtype]}"))

    @functools.cache
    def kernel(name: str, dtype: str):
        return module(dtype).get_function(name)

    def launch(name: str, dtype: object, n: int, *arguments: object) -> None:
        if n:
            blocks = min(-(-n // threads), 2**20)
            kernel(name, str(dtype))((blocks,), (threads,), (n, *arguments))

    return launch


class Kernels:
    """A function for each kernel, named like its plain twin and called with the same arguments."""

    def __init__(self, xp: ModuleType, launch: Launch):
        self.xp, self.launch = xp, launch

    def get(self, name: str, *arguments: object) -> Callable[..., Array] | None:
        """The function of this name; None if there is none, or none for these arguments' dtype."""
        if name.startswith("_") or str(arguments[0].dtype) not in TYPES:
            return None
        return getattr(self, name, None)

    def elementwise(self, name: str, *arrays: Array) -> Array:
        """A kernel of arrays of one shape and dtype, such as sigmoid(x)."""
        arrays = [*map(self.xp.ascontiguousarray, arrays)]
        y = self.xp.empty_like(arrays[0])
        self.launch(name, y.dtype, y.size, *arrays, y)
        return y

    # Activations and losses

    def sigmoid(self, x: Array) -> Array:
        return self.elementwise("sigmoid", x)

    def softplus(self, x: Array) -> Array:
        return self.elementwise("softplus", x)

    def sigmoid_backward(self, y: Array, dy: Array) -> Array:
        return self.elementwise("sigmoid_backward", y, dy)

    def relu_backward(self, y: Array, dy: Array) -> Array:
        return self.elementwise("relu_backward", y, dy)

    def pixel_costs(self, logits: Array, p: Array, target: Array) -> Array:
        return self.elementwise("pixel_costs", logits, p, target)

    # Images

    def im2col(self, x: Array, kernel: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0)) -> Array:
        x = self.xp.ascontiguousarray(x)
        N, H, W, C = x.shape
        OH, OW = (count(*axis) for axis in zip((H, W), kernel, stride, padding, strict=True))
        columns = self.xp.empty((N * OH * OW, kernel[0] * kernel[1] * C), dtype=x.dtype)
        self.launch("im2col", x.dtype, columns.size, x, columns, H, W, C, OH, OW, *kernel, *stride, *padding)
        return columns

    def col2im(
        self, columns: Array, size: Pair, kernel: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0)
    ) -> Array:
        columns = self.xp.ascontiguousarray(columns)
        OH, OW = (count(*axis) for axis in zip(size, kernel, stride, padding, strict=True))
        C = columns.shape[1] // (kernel[0] * kernel[1])
        x = self.xp.empty((len(columns) // (OH * OW), *size, C), dtype=columns.dtype)
        self.launch("col2im", x.dtype, x.size, columns, x, *size, C, OH, OW, *kernel, *stride, *padding)
        return x

    def matmul_col2im(self, y: Array, W: Array, size: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0)) -> Array:
        columns = self.xp.matmul(y.reshape(-1, y.shape[3]), W.reshape(-1, W.shape[3]).T)
        return self.col2im(columns, size, W.shape[:2], stride, padding)

    # Sparsity

    def among_largest(self, rows: Array, k: int) -> Array:
        rows = self.xp.ascontiguousarray(rows)
        mask = self.xp.empty(rows.shape, dtype=bool)
        self.launch("among_largest", rows.dtype, rows.size, rows, mask, rows.shape[1], k)
        return mask

    # Training

    def take_batch(self, x: Array, order: Array, position: Array, batch_size: int, rows: int) -> Array:
        batch = self.xp.empty((rows, *x.shape[1:]), dtype=x.dtype)
        width = math.prod(x.shape[1:])
        self.launch("take_batch", x.dtype, batch.size, x, order, position, batch, width, batch_size)
        return batch

    def adam(self, θ: Array, g: Array, m: Array, v: Array, coefficients: Array, beta1: float, beta2: float) -> None:
        self.launch("adam", θ.dtype, θ.size, θ, g, m, v, coefficients, beta1, beta2)


class Generator:
    """Random numbers on the device, by the Philox kernels: what the library needs of NumPy's Generator, of the same names.

    `position`, 0-d, counts training steps on the device. `advance` adds 1 to it and begins the draws of a step: a replayed
    step draws other numbers for its position alone. `reseed` starts over, in the same memory, as a recorded step needs.
    """

    def __init__(self, xp: ModuleType, launch: Launch, seed: object = None):
        self.xp, self.launch = xp, launch
        self.state = xp.zeros(3, dtype=np.uint32)  # the key's two words, and the position
        self.position = self.state[2:].reshape(())
        self.reseed(seed)

    def reseed(self, seed: object) -> None:
        sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        self.state[...] = self.xp.asarray(np.append(sequence.generate_state(2), 0).astype(np.uint32))
        self.draws = 0

    def advance(self) -> None:
        self.launch("advance", "float32", 1, self.state)
        self.draws = 0

    def random(self, size: object = None, dtype: object = np.float64) -> Array:
        """Uniform in [0, 1)."""
        return self.drawn("uniform", size, dtype)

    def standard_normal(self, size: object = None, dtype: object = np.float64) -> Array:
        """Normal, with mean 0 and variance 1."""
        return self.drawn("normal", size, dtype)

    def drawn(self, name: str, size: object, dtype: object) -> Array:
        y = self.xp.empty(() if size is None else size, dtype=dtype)
        self.launch(name, y.dtype, y.size, self.state, self.draws, y)
        self.draws += 1
        return y
