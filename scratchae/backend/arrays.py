"""The arrays decide where the work is done: NumPy on the CPU, CuPy on the GPU, the same code on both.

`array_module(x)` gives the module that x belongs to. Nothing else in the library asks which device it runs on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import ArrayTypeError, DeviceError
from . import kernels
from .types import Array


def array_module(x: Array) -> ModuleType:
    """The array module that x belongs to: NumPy for a NumPy array, CuPy's for a GPU array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if type(x).__module__.partition(".")[0] == "cupy":
        return device_module("gpu")
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    raise ArrayTypeError(f"expected an array, got {type(x).__name__}: wrap it in numpy.asarray(...)")


def device_module(device: str) -> ModuleType:
    """The array module of a device, "cpu" or "gpu". Raises DeviceError where it cannot be used."""
    if device == "cpu":
        return np
    if device == "gpu":
        from . import cuda

        return cuda.module()
    raise DeviceError(f"device={device!r}: expected 'cpu' or 'gpu'")


def move(x: Array, device: str | None = None, dtype: Any = None) -> Array:
    """x on a device and in a dtype; None leaves the one or the other as it is."""
    if device is not None and array_module(x) is not device_module(device):
        x = device_module(device).asarray(to_numpy(x))
    return x if dtype is None else x.astype(dtype, copy=False)


def to_numpy(x: Array) -> np.ndarray:
    """x as a NumPy array, copied from the GPU if it lives there."""
    return np.asarray(x) if isinstance(x, np.ndarray | np.generic) else x.get()


def one_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Use the compiled kernel of the same name, if the device of the first argument has one: one pass over the numbers
    instead of several. A GPU has kernels (kernels/), a CPU after `compile_kernels`.
    """
    name = function.__name__

    @functools.wraps(function)
    def chosen(x: Array, *others: Any, **options: Any) -> Any:
        return (kernel_for(name, x, others) or function)(x, *others, **options)

    return chosen


def kernel_for(name: str, x: Array, others: Sequence[object] = ()) -> Callable[..., Any] | None:
    """The kernel of this name for arrays like these, if there is one."""
    found = kernels.compiled if isinstance(x, np.ndarray) else getattr(array_module(x), "kernels", None)
    return None if found is None else found.get(name, x, others)
