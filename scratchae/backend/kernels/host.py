"""The kernels on the CPU: the C++ compiler of this machine makes a library from the same source, and from convolution.cpp.

NumPy reads and writes an array once for every operation of a formula. A kernel does so once for the whole formula.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...errors import DeviceError
from ...files import is_own, others_may_write, private_cache_folder, written_whole
from .. import kernels
from ..cpu import blas_threads
from . import SOURCE, TYPES, text
from .convolution import CONVOLUTION, HostKernels

# names that CUDA gives a kernel. glibc's libm has exp and the like for whole vectors, declared if this name is defined
SHIM = """
#define __FAST_MATH__ 1
#include <algorithm>
#include <cmath>
using namespace std;
#define __global__
#define __device__ static inline
// Threads may share the numbers of a kernel (shared.cpp). Each part but the last is whole vectors, of any processor: where a part
// ends does not change how a number is rounded.
static thread_local long long part = 0, parts = 1;
#define UP_TO(n, before) ((before) == parts ? (n) : (n) / parts * (before) / 64 * 64)
#define EACH(i, n) _Pragma("GCC ivdep") for (Index i = UP_TO(n, part), end = UP_TO(n, part + 1); i < end; ++i)
"""
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-pthread", "-shared", "-fPIC")
# kernels of formulas that need many passes in NumPy, or exp and log; for the others, measurements showed no gain
FASTER = {"sigmoid", "softplus", "relu", "relu_backward", "pixel_costs", "adam"}
# what each library is compiled from
SOURCES = {dtype: SHIM + SOURCE + text("shared.cpp") + text("convolution.cpp") for dtype in TYPES} | {
    "pool": text("pool.cpp")
}


def compile_kernels() -> contextlib.AbstractContextManager[object]:
    """Compute convolution, sigmoid, softplus, long ReLUs, cross-entropy and Adam on the CPU by compiled kernels: in this process
    from now on, or only for as long as a block runs, `with compile_kernels(): fit(model, …)`.

    The first call on a machine takes some seconds and keeps the library in the user's cache folder. The kernels round
    differently from NumPy: one step agrees in nearly all digits, but the differences grow from step to step, so that a long
    training ends at slightly different weights and figures, within what another seed would change. Kernels and matrix products
    then use the same threads (pool.cpp), if NumPy has an OpenBLAS that lets them. Raises DeviceError if there is no C++ compiler,
    or none that can do it, or if the cache folder cannot be written or is not the user's alone.
    """
    for dtype in TYPES:
        library(dtype)
    way_back = contextlib.ExitStack()
    way_back.callback(setattr, kernels, "compiled", kernels.compiled)
    set_callback = blas_function("openblas_set_threads_callback_function")
    if set_callback is not None:
        share_threads(set_callback)
        way_back.callback(keep_apart, set_callback)
    convolution = CONVOLUTION if use_products() else set()
    kernels.compiled = HostKernels(np, launch, only=FASTER | convolution, shares=set_callback is not None)
    return way_back


def use_products() -> bool:
    """Let the kernels of convolution.cpp multiply by NumPy's OpenBLAS; whether there is one."""
    for dtype, name in (("float32", "cblas_sgemm"), ("float64", "cblas_dgemm")):
        gemm = blas_function(name)
        if gemm is None:
            return False
        takes_long_sizes = "64" in gemm.__name__
        library(dtype).use_gemm(gemm, takes_long_sizes)
    return True


def share_threads(set_callback: Callable[..., object]) -> None:
    """Let the kernels and NumPy's OpenBLAS use the same threads (pool.cpp), as many as OpenBLAS may use."""
    users.append(set_callback)
    pool = library("pool")
    pool.pool_prepare(blas_function("openblas_get_num_threads"))
    for dtype in TYPES:
        library(dtype).use_pool(pool.pool_share)
    set_callback(pool.pool_blas)


def keep_apart(set_callback: Callable[..., object]) -> None:
    """Give OpenBLAS its own threads back, unless an earlier `compile_kernels` goes on."""
    users.remove(set_callback)
    if not users:
        set_callback(None)


users: list[object] = []  # one for each `compile_kernels` that goes on


def blas_function(name: str) -> Callable[..., object] | None:
    """A function of the OpenBLAS that NumPy multiplies by; None if NumPy does so by another library, or that one has no such function.

    Of an OpenBLAS that has its threads from OpenMP there is none either.
    """
    found = [lib for lib in blas_threads().lib_controllers if getattr(lib, "threading_layer", "") == "pthreads"]
    found.sort(key=lambda lib: "numpy" not in lib.filepath)  # SciPy's wheel brings another one
    names = [f"{prefix}{name}{suffix}" for prefix in ("", "scipy_") for suffix in ("", "64_", "_64")]
    return next((function for lib in found[:1] for n in names if (function := getattr(lib.dynlib, n, None))), None)


def launch(name: str, dtype: object, n: int, *arguments: object) -> None:
    """Run a kernel, on arrays in the host's memory."""
    kernel(name, dtype)(ctypes.c_longlong(n), *map(passed, arguments))


@functools.cache
def kernel(name: str, dtype: object) -> object:
    """A kernel, as ctypes calls it."""
    return getattr(library(str(dtype)), f"shared_{name}" if name in FASTER else name)


def passed(value: object) -> object:
    """An argument of a kernel as ctypes hands it on."""
    if value is None or isinstance(value, np.ndarray):
        return ctypes.c_void_p(None if value is None else value.ctypes.data)
    return ctypes.c_double(value) if isinstance(value, float) else ctypes.c_longlong(value)


@functools.cache
def library(name: str) -> ctypes.CDLL:
    """The kernels for a dtype, or the pool of threads: from the cache folder, or compiled now. Raises DeviceError if that fails."""
    compiler = shutil.which("g++")
    if compiler is None:
        raise DeviceError(
            "the kernels need the C++ compiler g++, which is not installed: install it, or work without compiled kernels"
        )
    try:
        built = private_cache_folder("kernels") / f"{fingerprint(compiler)}-{name}.so"
        if not is_whole(built):
            with written_whole(built) as path:
                build(compiler, name, path)
                seal(path)
        return ctypes.CDLL(str(built))
    except OSError as error:
        raise DeviceError(
            f"the compiled kernels cannot be kept in a folder that is yours alone, or not be loaded from it ({error}): set "
            "XDG_CACHE_HOME to such a folder, or do without compiled kernels"
        ) from None


def seal(path: Path) -> None:
    """Put the checksum of a library behind it, where the loader does not look; nobody else may write to it."""
    content = path.read_bytes()
    path.write_bytes(content + hashlib.sha256(content).digest())
    path.chmod(0o700)


def is_whole(path: Path) -> bool:
    """Whether this is a library as this user built it here: to load another one can end Python, or run a stranger's code."""
    if not path.is_file() or not is_own(path) or others_may_write(path):
        return False
    content = path.read_bytes()
    return content[-32:] == hashlib.sha256(content[:-32]).digest()


def build(compiler: str, name: str, path: Path) -> None:
    command = [compiler, *FLAGS, f"-DREAL={TYPES.get(name)}", "-x", "c++", "-", "-o", str(path)]
    try:
        subprocess.run(
            command,
            input=SOURCES[name],
            check=True,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=120,
        )
    except (subprocess.SubprocessError, OSError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise DeviceError(
            f"{compiler} cannot compile the kernels ({said[0]}): work without compiled kernels"
        ) from None


def fingerprint(compiler: str) -> str:
    """Everything that the library depends on: the source, the compiler, its options and the processor."""
    version = subprocess.run(
        [compiler, "--version"], capture_output=True, encoding="utf-8", errors="replace", check=False
    ).stdout
    parts = (*SOURCES.values(), *FLAGS, version, platform.machine(), processor())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def processor() -> str:
    """The instructions that this processor has, "flags" on x86 and "Features" on ARM: -march=native compiles for exactly these."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
