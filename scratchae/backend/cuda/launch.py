"""Running a kernel on the GPU."""

from __future__ import annotations

import functools
from types import ModuleType

from ..kernels import SOURCE, TYPES, Launch


def launcher(cupy: ModuleType) -> Launch:
    """A function that runs a kernel on the current stream of the GPU."""
    threads = 256

    @functools.cache
    def module(dtype: str):
        return cupy.RawModule(code=SOURCE, options=("--std=c++17", f"-DREAL={TYPES[dtype]}"))

    @functools.cache
    def kernel(name: str, dtype: object):
        return module(str(dtype)).get_function(name)

    def launch(name: str, dtype: object, n: int, *arguments: object) -> None:
        if n:
            blocks = min(-(-n // threads), 2**20)
            kernel(name, dtype)((blocks,), (threads,), (n, *arguments))

    return launch
