"""The OpenBLAS inside NumPy, asked which kernels it runs.

OpenBLAS chooses its matrix kernels by processor when it is loaded, and takes one that it does not know for an old
one: on AMD's Zen 5, NumPy 2.4's runs AVX2 kernels at half the speed of its AVX-512 ones. Only the environment variable
OPENBLAS_CORETYPE, set before NumPy is loaded, changes that: so the command `scratchae` starts itself again with it,
while a program that imports scratchae as a library keeps its own environment.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from pathlib import Path

AVX512 = {
    "avx512f",
    "avx512dq",
    "avx512cd",
    "avx512bw",
    "avx512vl",
}  # what OpenBLAS's "SkylakeX" kernels need


@functools.cache
def kernels() -> str | None:
    """The family of kernels in use, such as "Haswell" (AVX2) or "SkylakeX" (AVX-512); None where it cannot be told."""
    try:
        maps = Path("/proc/self/maps").read_text()
        library = next(line.split()[-1] for line in maps.splitlines() if "openblas" in line.rpartition("/")[2])
        loaded = ctypes.CDLL(library)
    except (OSError, StopIteration):
        return None
    for name in ("scipy_openblas_get_corename64_", "scipy_openblas_get_corename", "openblas_get_corename"):
        if hasattr(loaded, name):
            function = getattr(loaded, name)
            function.restype = ctypes.c_char_p
            return function().decode()
    return None


def better_kernels() -> str | None:
    """The kernels that the processor could run where OpenBLAS has chosen lesser ones; None where its choice is right."""
    if "OPENBLAS_CORETYPE" in os.environ or kernels() != "Haswell":
        return None
    flags = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), "")
    return "SkylakeX" if set(flags.split()) >= AVX512 else None


def restart_with_better_kernels() -> None:
    """Start this very command again, in the same process, with better kernels if there are any."""
    if better := better_kernels():
        os.environ["OPENBLAS_CORETYPE"] = better
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
