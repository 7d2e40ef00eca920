"""Where arrays are and what computes with them: NumPy or CuPy, memory, threads, kernels."""

from .arrays import (
    array_module,
    device_module,
    generator,
    kernel_for,
    move,
    noise_source,
    one_kernel,
    require_examples,
    require_floats,
    to_numpy,
)
from .cpu import (
    BLOCK,
    SHARED_BLOCK,
    asked_for,
    blas_threads,
    cores,
    in_blocks,
    on_all_cores,
    recycle_memory,
    threads,
    workers,
)
from .types import Array, Pair, count

__all__ = [
    "BLOCK",
    "SHARED_BLOCK",
    "Array",
    "Pair",
    "array_module",
    "asked_for",
    "blas_threads",
    "cores",
    "count",
    "device_module",
    "generator",
    "in_blocks",
    "kernel_for",
    "move",
    "noise_source",
    "on_all_cores",
    "one_kernel",
    "recycle_memory",
    "require_examples",
    "require_floats",
    "threads",
    "to_numpy",
    "workers",
]
