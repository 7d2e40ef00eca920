"""What a measurement was made on: processor, libraries, settings, and how fast the machine multiplies matrices."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..backend import blas_threads, cores, device_module, in_blocks
from ..training.progress import since
from .harness import synchronise

# Settings of OpenBLAS, OpenMP, MKL, oneDNN, XLA, PyTorch and glibc's allocator that change speed
PREFIXES = (
    *("OPENBLAS_", "GOTO_", "OMP_", "GOMP_", "KMP_", "MKL_", "DNNL_", "ONEDNN_", "BLIS_"),
    *("XLA_", "JAX_", "TORCH_", "TORCHINDUCTOR_", "ATEN_", "NPY_", "MALLOC_", "GLIBC_", "LD_PRELOAD"),
)
ALWAYS_SHOWN = ("OPENBLAS_CORETYPE", "OMP_NUM_THREADS")


def record(benchmark: str, **settings: Any) -> dict[str, Any]:
    """What the record of a benchmark begins with, where no peers bring versions of their own."""
    return {
        "benchmark": benchmark,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": facts(),
        "versions": {"scratchae": __version__, "numpy": np.__version__},
        "settings": settings,
    }


def facts() -> dict[str, Any]:
    """Processor, cores, system, Python, and the environment variables that matter."""
    return {
        "processor": processor(),
        "cores_used": cores(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "environment": dict.fromkeys(ALWAYS_SHOWN)
        | {name: value for name, value in sorted(os.environ.items()) if name.startswith(PREFIXES)},
    }


def processor() -> str:
    """The processor's name, with family and model, as virtual machines often hide the number in the name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    info = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = info.get("model name") or platform.machine()
    if "cpu family" in info:
        name += f" (family {info['cpu family']}, model {info['model']})"
    widest = next((v for v in ("avx512f", "avx2") if v in info.get("flags", "").split()), None)
    return f"{name}, {widest}" if widest else name


def blas() -> dict[str, Any]:
    """NumPy's BLAS: name, version, and, where threadpoolctl knows it, the kernels it chose and its threads."""
    build = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    loaded = next(iter(blas_threads().info()), {})
    return {
        "name": build.get("name"),
        "version": build.get("version"),
        "kernels": loaded.get("architecture"),
        "threads": loaded.get("num_threads"),
    }


def gpu() -> dict[str, Any]:
    """The GPU that CuPy uses: its name, memory, driver and library versions. Raises DeviceError if there is none."""
    cupy = device_module("gpu")
    runtime = cupy.cuda.runtime
    properties = runtime.getDeviceProperties(runtime.getDevice())
    return {
        "name": properties["name"].decode(),
        "compute_capability": f"{properties['major']}.{properties['minor']}",
        "memory_gib": properties["totalGlobalMem"] / 2**30,
        "cuda_driver": version(runtime.driverGetVersion()),
        "cuda_runtime": version(runtime.runtimeGetVersion()),
        "cupy": cupy.__version__,
    }


def version(number: int) -> str:
    """CUDA's 13010 as 13.1."""
    return f"{number // 1000}.{number % 1000 // 10}"


def free_memory() -> float | None:
    """Bytes that processes could still have without swapping; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return None
    return next((1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


# How fast it is: what a step is held against

SQUARES = {"cpu": (256, 512, 768, 1024, 1536, 2048), "gpu": (1024, 2048, 4096, 8192)}
STREAM_MIB = {"cpu": 128, "gpu": 1024}  # of one vector: larger than any cache


def roofs(device: str, seconds: float = 0.1) -> dict[str, Any]:
    """The device's best rates: float32 matrix products, over squares of several sizes, and memory, by adding long vectors."""
    xp = device_module(device)
    found: dict[str, Any] = {"gflops_per_second": 0.0}
    rng = np.random.default_rng(0)
    for n in SQUARES[device]:
        a, b = map(xp.asarray, rng.random((2, n, n), dtype=np.float32))
        product = xp.matmul(a, b)
        best = shortest(lambda a=a, b=b, c=product: xp.matmul(a, b, out=c), device, seconds)
        if (rate := 2e-9 * n**3 / best) > found["gflops_per_second"]:
            found |= {"gflops_per_second": rate, "size": n}
    n = STREAM_MIB[device] * 2**18
    a, b, c = (xp.ones(n, dtype=xp.float32) for _ in range(3))
    best = shortest(lambda: in_blocks(lambda a, b, c: xp.add(a, b, out=c), a, b, c), device, seconds)
    return found | {"gb_per_second": 1e-9 * 3 * 4 * n / best}  # two vectors read, one written


def shortest(work: Callable[[], Any], device: str, seconds: float) -> float:
    """Seconds of the fastest of many runs, for so long, and of at least three."""
    best, end = float("inf"), time.perf_counter() + seconds
    runs = 0
    while runs < 4 or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        synchronise(device)
        if runs:  # the first one may have to find its kernels
            best = min(best, since(start))
        runs += 1
    return best
