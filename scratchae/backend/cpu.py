"""What makes plain expressions fast on a CPU: it reuses memory, works through vectors in blocks that stay in
the cache, and keeps all cores busy.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
from threadpoolctl import ThreadpoolController

from ..arguments import whole
from ..environment import available_cores
from . import kernels
from .arrays import array_module, kernel_for
from .types import Array


@functools.cache
def recycle_memory() -> None:
    """Let the process reuse freed memory instead of returning it to the operating system.

    glibc maps every array above 128 KiB afresh and unmaps it when it is freed, so a training step of plain
    expressions spends most of its time in page faults. Raising the two thresholds (mallopt(3)) keeps that
    memory in the process. `fit` and the benchmarks call it. It is never called on import, since it
    is a setting of the whole process. It does nothing if the C library is not glibc.
    """
    M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
    if (mallopt := c_function("mallopt")) is not None:
        mallopt(M_MMAP_THRESHOLD, 32 * 2**20)  # glibc's upper limit
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def c_function(name: str) -> Callable[..., int] | None:
    """A function of the C library; None where it has none of that name, as musl and macOS, or cannot be asked, as on Windows."""
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):
        return None


# in floats: a block of parameters, of the gradient and of Adam's m and v fits into a core's L2 cache
BLOCK = 32 * 1024
# for threads: blocks long enough that threads seldom wait for the interpreter
SHARED_BLOCK = 128 * 1024


def in_blocks(function: Callable[..., None], *vectors: Array, kernel: str = "") -> None:
    """Call an elementwise function on vectors of one length, block by block. On a GPU it is called once, on the whole vectors.

    The result is that of `function(*vectors)`. Long vectors are shared among the cores: NumPy releases the
    interpreter while it computes, but getting it back costs some microseconds, so one thread is faster for short
    vectors. kernel: the name of a kernel that computes the same in one pass over memory; it needs no blocks.
    """
    n = len(vectors[0])
    fused = kernel_for(kernel, vectors[0]) if kernel else None
    if array_module(vectors[0]) is not np or (fused and kernels.compiled.shares):
        function(*vectors)
        return

    def work(start: int, stop: int, block: int) -> None:
        for i in range(start, stop, block):
            function(*(v[i : min(i + block, stop)] for v in vectors))

    block, shared_block = (n, n) if fused else (BLOCK, SHARED_BLOCK)
    if n < 4 * SHARED_BLOCK:
        work(0, n, block)
        return
    share = -(-n // cores())
    on_all_cores([functools.partial(work, i, min(i + share, n), shared_block) for i in range(0, n, share)])


# in numbers: so many patches, and what a layer makes of them, stay in a core's cache
PATCHES = 512 * 1024


def example_blocks(x: Array, numbers: int) -> list[slice]:
    """All examples of x in turn, as slices: of so many that they make at most PATCHES numbers, `numbers` each. On a GPU all at once."""
    n = len(x)
    blocks = max(-(-n // max(PATCHES // numbers, 1)), 1) if array_module(x) is np else 1
    return [slice(i * n // blocks, (i + 1) * n // blocks) for i in range(blocks)]


# Threads

asked_for: contextvars.ContextVar[int | None] = contextvars.ContextVar("asked_for", default=None)


@contextlib.contextmanager
def threads(n: int) -> Iterator[None]:
    """While the block runs, compute on at most n threads, in training too: `with threads(1): fit(model, …)`.

    Raises OptionError unless n is a whole number, at least 1.
    """
    n = whole("threads", "n", n)
    token = asked_for.set(n)
    try:
        with blas_threads().limit(limits=n):
            yield
    finally:
        asked_for.reset(token)


@functools.cache
def blas_threads() -> ThreadpoolController:
    """The object that limits the threads of NumPy's matrix products: `with blas_threads().limit(limits=1)`."""
    return ThreadpoolController().select(user_api="blas")


def cores() -> int:
    """The number of threads to share work among: one for each CPU core of this process, or fewer inside `threads(n)`."""
    return min(available_cores(), asked_for.get() or available_cores())


def on_all_cores(tasks: Sequence[Callable[[], None]]) -> None:
    """Run the tasks, at most one for each core, at the same time: the first on this thread, the others on helper threads."""
    # NumPy's error settings are part of the context, and each thread needs its own copy of it
    helpers = [workers().submit(contextvars.copy_context().run, task) for task in tasks[1:]]
    try:
        tasks[0]()
    finally:
        wait(helpers)  # wait even after an error: the helpers may still write into the caller's arrays
    for helper in helpers:
        helper.result()


@functools.cache
def workers() -> ThreadPoolExecutor:
    """The helper threads: one for each core except the caller's."""
    return ThreadPoolExecutor(max(available_cores() - 1, 1), thread_name_prefix="scratchae")


if hasattr(os, "register_at_fork"):  # a forked child process has the executor but not its threads
    os.register_at_fork(after_in_child=workers.cache_clear)
