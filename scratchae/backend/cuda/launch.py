"""Running a kernel on the GPU."""

from __future__ import annotations

import functools
from types import ModuleType

import numpy as np

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
            # a whole number of Python's is passed in 64 bits, as the kernels read it; one of NumPy's in its own width
            wholes = (int(a) if isinstance(a, np.integer) else a for a in (n, *arguments))
            kernel(name, dtype)((blocks,), (threads,), tuple(wholes))

    return launch
