"""The arrays decide where the work is done: NumPy on the CPU, CuPy on the GPU, the same code on both.

`array_module(x)` gives the module that x belongs to. Nothing else in the library asks which device it runs
on. The rest of this file is what makes plain expressions fast on a CPU: memory that is used again, and
vectors worked through in blocks that stay in the cache, by all cores.
"""

from __future__ import annotations

import contextvars
import ctypes
import functools
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from threadpoolctl import ThreadpoolController

from .errors import ArrayTypeError, DeviceError, OptionError

Array: TypeAlias = Any  # a NumPy or a CuPy array: the library uses only what both have


def array_module(x: Array) -> ModuleType:
    """The array module that x belongs to: NumPy for a NumPy array, CuPy's for a GPU array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if type(x).__module__.partition(".")[0] == "cupy":
        return device_module("gpu")
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    raise ArrayTypeError(f"expected an array, got {type(x).__name__}: wrap it in numpy.asarray(...)")


def device_module(device: str) -> ModuleType:
    """The array module of a device, "cpu" or "gpu". Raises DeviceError where it cannot be used."""
    if device == "cpu":
        return np
    if device == "gpu":
        from . import cuda

        return cuda.module()
    raise DeviceError(f"device={device!r}: expected 'cpu' or 'gpu'")


def move(x: Array, device: str | None = None, dtype: Any = None) -> Array:
    """x on a device and in a dtype; None leaves the one or the other as it is."""
    if device is not None and array_module(x) is not device_module(device):
        x = device_module(device).asarray(to_numpy(x))
    return x if dtype is None else x.astype(dtype, copy=False)


def to_numpy(x: Array) -> np.ndarray:
    """x as a NumPy array, copied from the GPU if it lives there."""
    return np.asarray(x) if isinstance(x, np.ndarray | np.generic) else x.get()


def generator(rng: Any = None, like: Array | None = None) -> Any:
    """A generator of random numbers, of a seed; of None one that draws anew; a generator as it is.

    like: an array on whose device the numbers should lie; by default they are NumPy's. Raises OptionError for anything else.
    """
    xp = np if like is None else array_module(like)
    if rng is None or (isinstance(rng, int | np.integer | np.random.SeedSequence) and not isinstance(rng, bool)):
        return xp.random.default_rng(rng)
    if not (hasattr(rng, "random") or hasattr(rng, "standard_normal")):
        raise OptionError(f"rng={rng!r}: expected a seed, a generator such as numpy.random.default_rng(0), or None")
    return FromHost(rng, xp) if isinstance(rng, np.random.Generator) and xp is not np else rng


class FromHost:
    """NumPy's generator for arrays of another device: it draws on the host, and moves what it has drawn."""

    def __init__(self, rng: np.random.Generator, xp: ModuleType):
        self.rng, self.xp = rng, xp

    def random(self, *arguments: Any, **options: Any) -> Array:
        """Uniform numbers in [0, 1)."""
        return self.xp.asarray(self.rng.random(*arguments, **options))

    def standard_normal(self, *arguments: Any, **options: Any) -> Array:
        """Normal numbers."""
        return self.xp.asarray(self.rng.standard_normal(*arguments, **options))


@functools.cache
def recycle_memory() -> None:
    """Let freed memory be used again instead of going back to the kernel.

    glibc maps every array above 128 KiB afresh and unmaps it when it is freed, so a training step of plain
    expressions spends most of its time in page faults. Raising the two thresholds (mallopt(3)) keeps that
    memory in the process. Called by `fit` and the benchmarks, never on import, since it is a setting of the
    whole process; does nothing where the C library is not glibc.
    """
    M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return
    mallopt(M_MMAP_THRESHOLD, 32 * 2**20)  # glibc's upper limit
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def one_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, but where there is a kernel of its name for the device of its first argument, that kernel: one pass over
    the numbers for what else are several. On a GPU there are kernels (kernels/), on a CPU after `compile_kernels`.
    """
    name = function.__name__

    @functools.wraps(function)
    def chosen(x: Array, *others: Any, **options: Any) -> Any:
        return (kernel_for(name, x, others) or function)(x, *others, **options)

    return chosen


host_kernels = None  # set by kernels.host.compile_kernels


def kernel_for(name: str, x: Array, others: Sequence[object] = ()) -> Callable[..., Any] | None:
    """The kernel of this name for arrays like these, if there is one."""
    kernels = host_kernels if isinstance(x, np.ndarray) else getattr(array_module(x), "kernels", None)
    return None if kernels is None else kernels.get(name, x, others)


def channelwise(operation: Callable[..., Array], x: Array, v: Array, out: Array | None = None) -> Array:
    """operation(x, v), an elementwise one, with a number of v (C,) for each channel of x (…, C).

    NumPy goes along the last axis, and a run of a few channels is done before it has begun: so for it examples are laid out
    as rows, beside v as often as it goes into one.
    """
    if array_module(x) is not np:
        return operation(x, v, out=out)
    rows = x.reshape(len(x), math.prod(x.shape[1:]))
    v = np.tile(v, rows.shape[1] // len(v))
    return operation(rows, v, out=None if out is None else out.reshape(rows.shape)).reshape(x.shape)


def add_channels(y: Array, b: Array) -> Array:
    """y + b, with a number of b (C,) for each channel of y (…, C), written over y if that lies in memory in its own order."""
    return channelwise(array_module(y).add, y, b, out=y)


def channel_sums(x: Array, out: Array | None = None) -> Array:
    """Σ of x (…, C) over all axes but the last, (C,): as a product with ones, since NumPy is slow to add up many short rows."""
    xp = array_module(x)
    rows = x.reshape(-1, x.shape[-1])
    return xp.matmul(xp.ones(len(rows), dtype=x.dtype), rows, out=out)


# in floats: what is done to a block of parameters, gradient and Adam's m and v stays in a core's L2 cache
BLOCK = 32 * 1024
# with threads: long enough that they seldom wait for each other's turn with the interpreter
SHARED_BLOCK = 128 * 1024


def in_blocks(function: Callable[..., None], *vectors: Array, kernel: str = "") -> None:
    """Call an elementwise function on vectors of one length, block by block; on a GPU once, on the whole.

    The result is that of `function(*vectors)`. Long vectors are shared among the cores: NumPy lets go of the
    interpreter while it computes, but taking it back costs some microseconds, so that short ones are faster
    alone. kernel: what the function is by one pass over memory, where there is a kernel of that name; blocks save it nothing.
    """
    n = len(vectors[0])
    if array_module(vectors[0]) is not np:
        function(*vectors)
        return

    def work(start: int, stop: int, block: int) -> None:
        for i in range(start, stop, block):
            function(*(v[i : min(i + block, stop)] for v in vectors))

    block, shared_block = (n, n) if kernel and kernel_for(kernel, vectors[0]) else (BLOCK, SHARED_BLOCK)
    if n < 4 * SHARED_BLOCK:
        work(0, n, block)
        return
    share = -(-n // cores())
    on_all_cores([functools.partial(work, i, min(i + share, n), shared_block) for i in range(0, n, share)])


def on_all_cores(tasks: Sequence[Callable[[], None]]) -> None:
    """Run the tasks, at most one for each core, side by side: the first on this thread, the others on helpers."""
    # NumPy's error settings live in the context, of which each thread needs a copy of its own
    helpers = [workers().submit(contextvars.copy_context().run, task) for task in tasks[1:]]
    try:
        tasks[0]()
    finally:
        wait(helpers)  # also after an error: they may still be at work on the caller's arrays
    for helper in helpers:
        helper.result()


@functools.cache
def blas_threads() -> ThreadpoolController:
    """What limits the threads of NumPy's matrix products: `with blas_threads().limit(limits=1)`."""
    return ThreadpoolController().select(user_api="blas")


@functools.cache
def cores() -> int:
    """The number of CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def workers() -> ThreadPoolExecutor:
    """The helper threads, one for each core but the caller's own."""
    return ThreadPoolExecutor(max(cores() - 1, 1), thread_name_prefix="scratchae")


if hasattr(os, "register_at_fork"):  # a forked child has the executor but none of its threads
    os.register_at_fork(after_in_child=workers.cache_clear)
