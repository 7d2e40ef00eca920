"""A whole training step as one CUDA graph: recorded once, replayed with a single launch."""

from __future__ import annotations

import contextlib
import functools
import gc
import warnings
import weakref
from collections.abc import Callable, Iterator
from types import ModuleType

# calls before the recording, in which kernels are compiled, libraries loaded and optimizers' vectors made
WARM_UP = 2


class Recorded:
    """`recorded()` does the same GPU work as `function()`. The third call is recorded as a graph and replayed from then on.

    The function reads its inputs from arrays that keep their addresses, and writes its results into such arrays: a replay runs
    the same kernels on the same addresses, without any Python. Every value that changes is on the device. Arrays that the
    function makes come from a memory pool that only recordings use, so that their memory is given to nothing else.

    If recording fails, one warning says why, and every call runs the function itself.
    """

    def __init__(self, cupy: ModuleType, function: Callable[[], None]):
        self.cupy, self.function = cupy, function
        self.calls = 0
        self.graph = self.problem = None

    def __call__(self) -> None:
        if self.graph is None and self.problem is None and self.calls >= WARM_UP:
            self.record()
        if self.graph is not None:
            self.graph.launch()
        else:
            self.function()
            self.calls += 1

    def record(self) -> None:
        """Run the function while its GPU work is recorded instead of done. Sets either `graph` or `problem`."""
        cuda, room = self.cupy.cuda, memory(self.cupy)
        stream = cuda.get_current_stream()
        stream.synchronize()
        with collected():
            room.make_space()
            graph = None
            with cuda.using_allocator(room.pool.malloc):
                try:
                    stream.begin_capture()
                    self.function()
                    graph = stream.end_capture()
                except BaseException as error:
                    with contextlib.suppress(Exception):  # if recording failed on a stream, ending it is an error too
                        stream.end_capture()
                    if not isinstance(error, Exception):  # a second Ctrl-C
                        raise
                    self.problem = f"{type(error).__name__}: {error}".splitlines()[0]
        if self.problem is None:
            self.graph = graph
            room.users.add(self)
        else:
            warnings.warn(
                f"this training step cannot be recorded as a CUDA graph ({self.problem}): "
                "it runs eagerly, with the same results but slower",
                RuntimeWarning,
                stacklevel=3,
            )


@contextlib.contextmanager
def collected() -> Iterator[None]:
    """Python's collector runs now and then waits: if it deleted an old graph during a recording, that would spoil the recording."""
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Memory:
    """The memory of all recordings, for as long as there are any.

    Graphs may share it: they run one after the other, and each writes its arrays before it reads them. When CuPy's pool runs
    out of memory it gives back to the driver what no array uses; but a graph still uses it. So the blocks are held here.
    """

    def __init__(self, cupy: ModuleType):
        self.cupy = cupy
        self.users: weakref.WeakSet[Recorded] = weakref.WeakSet()
        self.blocks: list[object] = []
        self.pool = cupy.cuda.MemoryPool(self.block)

    def block(self, size: int) -> object:
        """New memory for the pool."""
        self.blocks.append(self.cupy.cuda.Memory(size))
        return self.cupy.cuda.MemoryPointer(self.blocks[-1], 0)

    def make_space(self) -> None:
        """Give back what nothing uses: what eager steps left in CuPy's own pool, and all of this if no recording is left."""
        self.cupy.get_default_memory_pool().free_all_blocks()
        if not self.users:
            self.blocks.clear()
            self.pool.free_all_blocks()


@functools.cache
def memory(cupy: ModuleType) -> Memory:
    """The memory of all recordings."""
    return Memory(cupy)
