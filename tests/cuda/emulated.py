"""The kernels of kernels.cu on the CPU: the same source, compiled by a C++ compiler as loops of one thread."""

import ctypes
import functools
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from scratchae.cuda.kernels import SOURCE, TYPES, Kernels

COMPILER = shutil.which("g++") or shutil.which("clang++")

# what CUDA gives a kernel: here one block of one thread, which goes through all numbers
SHIM = """
#include <cmath>
using namespace std;
#define __global__
#define __device__ static inline
static const struct { unsigned x; } blockIdx = {0}, threadIdx = {0}, blockDim = {1}, gridDim = {1};
"""


@functools.cache
def library(dtype):
    folder = (
        Path(tempfile.gettempdir()) / f"scratchae-kernels-{hashlib.sha256((SHIM + SOURCE).encode()).hexdigest()[:16]}"
    )
    folder.mkdir(exist_ok=True)
    built = folder / f"{dtype}.so"
    if not built.exists():
        source, made = folder / f"{dtype}.cpp", folder / f"{dtype}.{id(folder)}.so"
        source.write_text(SHIM + SOURCE)
        command = [COMPILER, "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]
        command += ["-shared", "-fPIC", f"-DREAL={TYPES[dtype]}", "-o", made, source]
        subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
        made.rename(built)
    return ctypes.CDLL(str(built))


def launch(name, dtype, n, *arguments):
    """As scratchae.cuda.kernels.launcher's, on arrays that lie in the host's memory."""

    def passed(value):
        held = getattr(value, "_array", value)  # a StrictArray's
        if isinstance(held, np.ndarray):
            assert held.flags.c_contiguous
            return ctypes.c_void_p(held.ctypes.data)
        return ctypes.c_double(value) if isinstance(value, float) else ctypes.c_longlong(value)

    getattr(library(str(dtype)), name)(ctypes.c_longlong(n), *map(passed, arguments))


def kernels(xp):
    return Kernels(xp, launch)
