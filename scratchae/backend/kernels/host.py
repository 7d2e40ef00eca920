"""The kernels on the CPU: the C++ compiler of this machine makes a library from the same source.

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
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from ...errors import DeviceError
from ...files import is_own, others_may_write, private_cache_folder, written_whole
from .. import kernels
from . import SOURCE, TYPES, Kernels

from importlib import resources
POOL = resources.files(__package__).joinpath("pool.cpp").read_text(encoding="utf-8")
# names that CUDA gives a kernel. glibc's libm has exp and the like for whole vectors, declared if this name is defined
SHIM = """
#define __FAST_MATH__ 1
#include <cmath>
using namespace std;
#define __global__
#define __device__ static inline
static thread_local long long part = 0, parts = 1;  // which of the parts of a kernel this thread computes
// where a part ends does not change how its numbers are rounded: parts hold whole vectors, of any processor
#define UP_TO(n, parts_before) (parts_before == parts ? n : n / parts * parts_before / 64 * 64)
#define EACH(i, n) _Pragma("GCC ivdep") for (Index i = UP_TO((n), part), end = UP_TO((n), (part + 1)); i < end; ++i)
"""
# the kernels that are used here, each shared among the threads of pool.cpp
SHARED = """
static void (*pool_share)(void (*work)(void*, int, int), void* data, int most) = nullptr;

extern "C" void use_pool(decltype(pool_share) share) {
    pool_share = share;
}

template <typename... Arguments>
void share(void (*kernel)(Index, Arguments...), Index n, Arguments... arguments) {
    auto work = [&](int of_this_thread, int of_all) {
        part = of_this_thread, parts = of_all;
        kernel(n, arguments...);
        part = 0, parts = 1;
    };
    using Work = decltype(work);
    auto call = [](void* work, int part, int parts) { (*(Work*)work)(part, parts); };
    if (pool_share) pool_share(call, &work, n / 8192); else work(0, 1);
}

KERNEL shared_sigmoid(Index n, const T* x, T* y) {
    share(sigmoid, n, x, y);
}

KERNEL shared_softplus(Index n, const T* x, T* y) {
    share(softplus, n, x, y);
}

KERNEL shared_pixel_costs(Index n, const T* logits, const T* p, const T* target, T* cost) {
    share(pixel_costs, n, logits, p, target, cost);
}

KERNEL shared_adam(Index n, T* theta, const T* g, T* m, T* v, const T* coefficients, double beta1, double beta2) {
    share(adam, n, theta, g, m, v, coefficients, beta1, beta2);
}
"""
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC")
# kernels of formulas that need many passes in NumPy, or exp and log; for the others, measurements showed no gain
FASTER = {"sigmoid", "softplus", "pixel_costs", "adam"}


def compile_kernels() -> contextlib.AbstractContextManager[object]:
    """Compute sigmoid, softplus, cross-entropy and Adam on the CPU by compiled kernels: in this process from now on, or
    only for as long as a block runs, `with compile_kernels(): fit(model, …)`.

    The first call on a machine takes some seconds and keeps the library in the user's cache folder. The kernels round
    differently from NumPy: one step agrees in nearly all digits, but the differences grow from step to step, so that a long
    training ends at slightly different weights and figures, within what another seed would change. Raises DeviceError if there
    is no C++ compiler, or none that can do it, or if the cache folder cannot be written or is not the user's alone.
    """
    for dtype in TYPES:
        library(dtype)
    pool = library("pool")
    blas = next(iter(ThreadpoolController().select(internal_api="openblas").lib_controllers))
    get_num_threads = blas._get_symbol("openblas_get_num_threads")
    set_callback = blas._get_symbol("openblas_set_threads_callback_function")
    pool.pool_prepare(get_num_threads)
    set_callback(pool.pool_blas)
    for dtype in TYPES:
        library(dtype).use_pool(pool.pool_share)
    way_back = contextlib.ExitStack()
    way_back.callback(setattr, kernels, "compiled", kernels.compiled)
    kernels.compiled = Kernels(np, launch, only=FASTER)
    return way_back


def launch(name: str, dtype: object, n: int, *arguments: object) -> None:
    """Run a kernel, on arrays in the host's memory."""
    kernel(name, dtype)(ctypes.c_longlong(n), *map(passed, arguments))


@functools.cache
def kernel(name: str, dtype: object) -> object:
    """A kernel, as ctypes calls it."""
    return getattr(library(str(dtype)), f"shared_{name}" if name in FASTER else name)


def passed(value: object) -> object:
    """An argument of a kernel as ctypes hands it on."""
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    return ctypes.c_double(value) if isinstance(value, float) else ctypes.c_longlong(value)


@functools.cache
def library(dtype: str) -> ctypes.CDLL:
    """The kernels for a dtype: from the cache folder, or compiled now. Raises DeviceError if that fails."""
    compiler = shutil.which("g++")
    if compiler is None:
        raise DeviceError(
            "the kernels need the C++ compiler g++, which is not installed: install it, or work without compiled kernels"
        )
    try:
        built = private_cache_folder("kernels") / f"{fingerprint(compiler)}-{dtype}.so"
        if not is_whole(built):
            with written_whole(built) as path:
                build(compiler, dtype, path)
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


def build(compiler: str, dtype: str, path: Path) -> None:
    real = [] if dtype == "pool" else [f"-DREAL={TYPES[dtype]}"]
    command = [compiler, *FLAGS, *real, "-x", "c++", "-", "-o", str(path)]
    try:
        subprocess.run(
            command,
            input=POOL if dtype == "pool" else SHIM + SOURCE + SHARED,
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
    parts = (SHIM, SOURCE, SHARED, POOL, *FLAGS, version, platform.machine(), processor())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def processor() -> str:
    """The instructions that this processor has, "flags" on x86 and "Features" on ARM: -march=native compiles for exactly these."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
