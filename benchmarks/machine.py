"""What a measurement was made on: processor, libraries, settings, and how fast the machine multiplies matrices."""

from __future__ import annotations

import ctypes
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from scratchae.backend import cores

# Settings of OpenBLAS, OpenMP, MKL, oneDNN, XLA, PyTorch and glibc's allocator that change speed
PREFIXES = (
    *("OPENBLAS_", "GOTO_", "OMP_", "GOMP_", "KMP_", "MKL_", "DNNL_", "ONEDNN_", "BLIS_"),
    *("XLA_", "JAX_", "TORCH_", "TORCHINDUCTOR_", "ATEN_", "NPY_", "MALLOC_", "GLIBC_", "LD_PRELOAD"),
)
ALWAYS_SHOWN = ("OPENBLAS_CORETYPE", "OMP_NUM_THREADS")


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
        lines = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    info = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = info.get("model name") or platform.machine()
    if "cpu family" in info:
        name += f" (family {info['cpu family']}, model {info['model']})"
    widest = next((v for v in ("avx512f", "avx2") if v in info.get("flags", "").split()), None)
    return f"{name}, {widest}" if widest else name


def blas() -> dict[str, Any]:
    """NumPy's BLAS: name, version, and, where it is an OpenBLAS, the kernels it chose and its threads."""
    build = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    found: dict[str, Any] = {"name": build.get("name"), "version": build.get("version")}
    library = loaded_openblas()
    for name in ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}"):
        if hasattr(library, name.format("get_corename")):
            kernels = getattr(library, name.format("get_corename"))
            kernels.restype = ctypes.c_char_p
            threads = getattr(library, name.format("get_num_threads"))
            return found | {"kernels": kernels().decode(), "threads": threads()}
    return found | {"kernels": None, "threads": None}


def loaded_openblas() -> ctypes.CDLL | None:
    """The OpenBLAS that this process has loaded, if any and if Linux can tell."""
    try:
        files = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
    except OSError:
        return None
    found = sorted(file for file in files if "openblas" in Path(file).name)
    return ctypes.CDLL(found[0]) if found else None


def sgemm_rate(seconds: float = 0.1) -> dict[str, Any]:
    """NumPy's best rate of float32 matrix multiplication, over squares of several sizes, each tried for so long."""
    best, size = 0.0, 0
    rng = np.random.default_rng(0)
    for n in (256, 512, 768, 1024, 1536, 2048):
        a, b = rng.random((2, n, n), dtype=np.float32)
        product = np.matmul(a, b)
        end = time.perf_counter() + seconds
        while (start := time.perf_counter()) < end:
            np.matmul(a, b, out=product)
            rate = 2e-9 * n**3 / (time.perf_counter() - start)
            best, size = max((best, size), (rate, n))
    return {"gflops_per_second": best, "size": size}
