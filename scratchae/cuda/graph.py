"""A whole training step as one CUDA graph: recorded once, replayed with a single launch."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from types import ModuleType

WARM_UP = 2  # calls before the recording: kernels are compiled, libraries loaded, optimizers' vectors made


class Recorded:
    """`recorded()` does what `function()` does on the GPU; from the third call on by a graph of the third.

    The function takes its inputs from arrays that stay where they are, and leaves its results in such: a replay runs the
    same kernels on the same addresses, and nothing of Python. Whatever varies lies on the device. Arrays that it makes on
    the way come from a memory pool of its own, which lives as long as the graph, so that nobody else gets their memory.

    Where recording fails, a warning says why, once, and every call runs the function itself.
    """

    def __init__(self, cupy: ModuleType, function: Callable[[], None]):
        self.cupy, self.function = cupy, function
        self.calls = 0
        self.graph = self.pool = self.problem = None

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
        stream, self.pool = self.cupy.cuda.get_current_stream(), self.cupy.cuda.MemoryPool()
        graph = None
        with self.cupy.cuda.using_allocator(self.pool.malloc):
            try:
                stream.begin_capture()
                self.function()
                graph = stream.end_capture()
            except Exception as error:
                self.problem = f"{type(error).__name__}: {error}".splitlines()[0]
                with contextlib.suppress(Exception):  # of a stream whose recording failed, ending it is an error too
                    stream.end_capture()
        if self.problem is None:
            self.graph = graph
        else:
            self.pool = None
            warnings.warn(
                f"this training step cannot be recorded as a CUDA graph ({self.problem}): it runs eagerly, slower and with the same results",
                RuntimeWarning,
                stacklevel=3,
            )
