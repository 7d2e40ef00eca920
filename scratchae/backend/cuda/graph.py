"""A whole training step as one CUDA graph: recorded once, replayed with a single launch."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable
from types import ModuleType

WARM_UP = 2  # calls before the recording: kernels are compiled, libraries loaded, optimizers' vectors made


class Recorded:
    """`recorded()` does what `function()` does on the GPU; from the third call on by a graph of the third.

    The function takes its inputs from arrays that stay where they are, and leaves its results in such: a replay runs the
    same kernels on the same addresses, and nothing of Python. Whatever varies lies on the device. Arrays that it makes on
    the way come from a memory pool for recordings alone, so that nobody else gets their memory.

    Where recording fails, a warning says why, once, and every call runs the function itself.
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
        """Run the function while its work is only noted. Sets either `graph` or `problem`."""
        stream = self.cupy.cuda.get_current_stream()
        graph = None
        with self.cupy.cuda.using_allocator(pool(self.cupy).malloc):
            try:
                stream.begin_capture()
                self.function()
                graph = stream.end_capture()
            except BaseException as error:
                with contextlib.suppress(Exception):  # of a stream whose recording failed, ending it is an error too
                    stream.end_capture()
                if not isinstance(error, Exception):  # Ctrl-C, for a second time
                    raise
                self.problem = f"{type(error).__name__}: {error}".splitlines()[0]
        if self.problem is None:
            self.graph = graph
        else:
            warnings.warn(
                f"this training step cannot be recorded as a CUDA graph ({self.problem}): it runs eagerly, slower and with the same results",
                RuntimeWarning,
                stacklevel=3,
            )


@functools.cache
def pool(cupy: ModuleType) -> object:
    """Where all recordings take their memory from. Graphs may share it: they run one after the other, and each writes what it
    reads. A pool for each would be lost memory: when a CuPy pool goes, what it holds free is never given back.
    """
    return cupy.cuda.MemoryPool()
