"""A whole training step as one CUDA graph: recorded once, replayed with a single launch."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable
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
        stream = self.cupy.cuda.get_current_stream()
        graph = None
        with self.cupy.cuda.using_allocator(pool(self.cupy).malloc):
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
        else:
            warnings.warn(
                f"this training step cannot be recorded as a CUDA graph ({self.problem}): "
                "it runs eagerly, with the same results but slower",
                RuntimeWarning,
                stacklevel=3,
            )


@functools.cache
def pool(cupy: ModuleType) -> object:
    """The memory pool of all recordings. Graphs may share it: they run one after the other, and each writes its arrays before it
    reads them. One pool for each graph would waste memory: when a CuPy pool is deleted, its free memory is never given back.
    """
    return cupy.cuda.MemoryPool()
