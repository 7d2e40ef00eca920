"""All that only a GPU needs. The only file that imports cupy, and only when a GPU is asked for."""

from __future__ import annotations

import functools
from types import ModuleType

from .errors import DeviceError

INSTALL = 'install it for your driver: pip install "scratchae[cuda13]" (CUDA 13) or "scratchae[cuda12]" (CUDA 12), or use device="cpu"'


@functools.cache
def module() -> ModuleType:
    """CuPy, once it has proved that it can compute here. Raises DeviceError with the reason where it cannot."""
    try:
        import cupy
    except ImportError as error:
        raise DeviceError(f"device='gpu' needs CuPy, which cannot be imported ({error}); {INSTALL}") from None
    try:
        a = cupy.arange(4, dtype=cupy.float32).reshape(2, 2)
        float((a @ a + 1).sum())  # a driver, a device, cuBLAS and a compiler: all four, or it fails here
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DeviceError(
            f"device='gpu': CuPy {cupy.__version__} is installed but cannot compute here ({reason}); {INSTALL}"
        ) from None
    return cupy
