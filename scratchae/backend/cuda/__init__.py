"""Everything that only a GPU needs. Only this package imports cupy, and only when a GPU is asked for.

`module()` is the GPU's array module: CuPy, with a few names replaced or added:

- `matmul` calls cuBLAS in a way that a CUDA graph can record (blas.py), and `vdot` is a sum for the same reason;
- `kernels`: one launch instead of several (../kernels/, launch.py; called by `backend.one_kernel`);
- `random.default_rng`: random numbers that are new in each replay of a graph (../kernels/generator.py);
- `recorded`: a function whose work is recorded once and replayed (graph.py).
"""

from __future__ import annotations

import functools
import threading
from types import ModuleType, SimpleNamespace

from ...errors import DeviceError
from ..types import Array

# from a checkout: the package is on no index, where its name may be somebody else's
EXTRAS = 'in a checkout, pip install ".[cuda13]" (CUDA 13) or ".[cuda12]" (CUDA 12)'
INSTALL = f'install it for your driver: {EXTRAS}, or use device="cpu"'


def module() -> ModuleType:
    """The GPU's array module, once it has proved that it can compute here. Raises DeviceError with the reason if not.

    Each thread works on a stream of its own from then on: CuPy's first stream cannot be recorded as a graph. Whoever leaves
    a `with stream:`, as some of CuPy's own functions do, is back on that first one, so the stream is looked at each time.
    """
    xp = loaded()
    if not hasattr(this_thread, "stream"):
        this_thread.stream = xp.cuda.Stream(non_blocking=True)
    if xp.cuda.get_current_stream().ptr != this_thread.stream.ptr:
        xp.cuda.Device().synchronize()  # what was begun on another stream, this one may use
        this_thread.stream.use()
    return xp


this_thread = threading.local()


@functools.cache
def loaded() -> ModuleType:
    """CuPy with the names that differ, for all threads."""
    cupy = usable_cupy()
    from . import blas, graph, launch

    try:
        matmul = blas.load(cupy).matmul
    except Exception as error:
        raise DeviceError(
            f"device='gpu': cuBLAS cannot be used ({first_line(error)}); {EXTRAS} installs it, or use device=\"cpu\""
        ) from None
    return assembled(cupy, matmul, launch.launcher(cupy), functools.partial(graph.Recorded, cupy))


def assembled(cupy: ModuleType, matmul: object, launch: object, recorded: object) -> ModuleType:
    """CuPy, with the names that are replaced or added."""
    from ..kernels import Kernels
    from ..kernels.generator import Generator

    def vdot(a: Array, b: Array) -> Array:
        return cupy.sum(a * b)

    def default_rng(seed: object = None) -> Generator:
        return seed if isinstance(seed, Generator) else Generator(xp, launch, seed)

    xp = GPUModule(cupy)
    xp.matmul, xp.vdot, xp.recorded = matmul, vdot, recorded
    xp.random = SimpleNamespace(Generator=Generator, default_rng=default_rng)
    xp.kernels = Kernels(xp, launch)
    return xp


class GPUModule(ModuleType):
    """A name of CuPy, unless it is set here."""

    def __init__(self, cupy: ModuleType):
        super().__init__("scratchae.backend.cuda.module")
        self.cupy = cupy

    def __getattr__(self, name: str) -> object:
        value = getattr(self.cupy, name)
        setattr(self, name, value)  # so that Python finds it directly the next time
        return value


def usable_cupy() -> ModuleType:
    """CuPy, if there are a driver, a device and a compiler. Otherwise raises DeviceError, which says what is missing."""
    try:
        import cupy
    except ImportError as error:
        raise DeviceError(f"device='gpu' needs CuPy, which cannot be imported ({error}); {INSTALL}") from None
    try:
        devices = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        if "NoDevice" in str(error):
            devices = 0
        else:
            raise DeviceError(
                f"device='gpu': CuPy {cupy.__version__} finds no usable NVIDIA driver ({first_line(error)}); "
                'install a driver for your CUDA version (nvidia-smi shows it), or use device="cpu"'
            ) from None
    if devices == 0:
        raise DeviceError(
            f"device='gpu': CuPy {cupy.__version__} sees no CUDA device: does this machine have one, and does CUDA_VISIBLE_DEVICES "
            'hide it? nvidia-smi lists the devices; or use device="cpu"'
        )
    try:
        float((cupy.arange(4, dtype=cupy.float32) + 1).sum())  # compiles a kernel and runs it
    except Exception as error:
        raise DeviceError(
            f"device='gpu': CuPy {cupy.__version__} sees a device but cannot compile or run a kernel on it "
            f'({first_line(error)}); {EXTRAS} installs the compiler, or use device="cpu"'
        ) from None
    return cupy


def synchronize() -> None:
    """Wait until the GPU has finished its work."""
    module().cuda.get_current_stream().synchronize()


def first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
