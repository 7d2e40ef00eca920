"""Matrix products by cuBLAS, called so that a CUDA graph can record them; CuPy's own calls cannot be recorded.

CuPy refuses any call of cuBLAS while a graph is recorded. cuBLAS itself allows it if its workspace was set before. So this
module uses ctypes to call the library that CuPy has loaded.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from types import ModuleType

from ...errors import DeviceError
from ..types import Array

WORKSPACE = 32 * 2**20  # bytes; NVIDIA's advice for Hopper, and more than enough for other GPUs
GEMM = {"float32": ("cublasSgemm_v2", ctypes.c_float), "float64": ("cublasDgemm_v2", ctypes.c_double)}
NOT_TRANSPOSED, TRANSPOSED = 0, 1


class Blas:
    """`matmul(a, b, out=None)` = a b, on the current stream of the GPU.

    library: cuBLAS, as ctypes loads it. Raises DeviceError if cuBLAS reports a failure.
    """

    def __init__(self, cupy: ModuleType, library: ctypes.CDLL):
        pointer, whole = ctypes.c_void_p, ctypes.c_int
        self.cupy, self.library = cupy, library
        library.cublasCreate_v2.argtypes = [ctypes.POINTER(pointer)]
        library.cublasDestroy_v2.argtypes = [pointer]
        library.cublasSetStream_v2.argtypes = [pointer, pointer]
        library.cublasSetWorkspace_v2.argtypes = [pointer, pointer, ctypes.c_size_t]
        self.gemm = {}
        for dtype, (name, number) in GEMM.items():
            function = getattr(library, name)
            function.argtypes = [
                *(pointer, whole, whole, whole, whole, whole, pointer, pointer, whole),
                *(pointer, whole, pointer, pointer, whole),
            ]
            self.gemm[dtype] = function, number(1), number(0)
        self.this_thread = threading.local()

    def matmul(self, a: Array, b: Array, out: Array | None = None) -> Array:
        dtype = str(a.dtype)
        if (
            dtype not in self.gemm
            or b.dtype != a.dtype
            or not a.size * b.size
            or (a.ndim, b.ndim) not in ((2, 2), (1, 2), (2, 1))
        ):
            return self.cupy.matmul(a, b, out=out)  # correct, but it cannot be recorded
        if a.ndim == 1:
            y = self.matmul(a[None], b, None if out is None else out[None])
            return y[0] if out is None else out
        if b.ndim == 1:
            y = self.matmul(a, b[:, None], None if out is None else out[:, None])
            return y[:, 0] if out is None else out
        (m, k), (inner, n) = a.shape, b.shape
        if inner != k:
            raise ValueError(f"matmul: a is {a.shape}, b is {b.shape}: the inner sizes must be equal")
        y = out
        if out is None or out.dtype != a.dtype or layout(out) is None or layout(out)[0] == TRANSPOSED:
            y = self.cupy.empty((m, n), dtype=a.dtype)
        a, b = (x if layout(x) else self.cupy.ascontiguousarray(x) for x in (a, b))
        (turned_a, step_a), (turned_b, step_b) = layout(a), layout(b)
        function, one, zero = self.gemm[dtype]
        handle = self.handle()
        # cuBLAS stores columns where we store rows. It takes b and a for bᵀ and aᵀ and computes (a b)ᵀ = bᵀ aᵀ
        checked(
            function(
                *(handle, turned_b, turned_a, n, m, k, ctypes.addressof(one), b.data.ptr, step_b),
                *(a.data.ptr, step_a, ctypes.addressof(zero), y.data.ptr, layout(y)[1]),
            )
        )
        if out is not None and y is not out:
            out[...] = y
            return out
        return y

    def handle(self) -> ctypes.c_void_p:
        """This thread's handle of cuBLAS, on CuPy's current stream. Threads that shared one would compute on each other's
        streams and in each other's workspace.
        """
        own, stream = self.this_thread, self.cupy.cuda.get_current_stream().ptr
        if not hasattr(own, "handle"):
            own.handle, own.stream = Handle(self.library), None
            own.workspace = self.cupy.empty(WORKSPACE, dtype="uint8")
        if stream != own.stream:  # setting the stream resets the workspace, so the workspace is set after it
            checked(self.library.cublasSetStream_v2(own.handle.pointer, stream))
            workspace = own.workspace.data.ptr, own.workspace.nbytes
            checked(self.library.cublasSetWorkspace_v2(own.handle.pointer, *workspace))
            own.stream = stream
        return own.handle.pointer


class Handle:
    """A handle of cuBLAS, which goes with the thread that it was made for."""

    def __init__(self, library: ctypes.CDLL):
        self.pointer = ctypes.c_void_p()
        checked(library.cublasCreate_v2(ctypes.byref(self.pointer)))
        weakref.finalize(self, library.cublasDestroy_v2, self.pointer).atexit = False  # by then CUDA may be gone


def layout(x: Array) -> tuple[int, int] | None:
    """How a matrix lies in memory: whether its rows, or its columns, are runs of neighbours, and how many numbers apart two of
    them begin. None if neither is the case.
    """
    (rows, columns), size = x.shape, x.itemsize
    for turned, length, number, (apart, along) in (
        (NOT_TRANSPOSED, columns, rows, x.strides),
        (TRANSPOSED, rows, columns, x.strides[::-1]),
    ):
        if (along == size or length == 1) and (number == 1 or (apart % size == 0 and apart // size >= length)):
            return turned, max(length, apart // size if number > 1 else 0)
    return None


def checked(status: int) -> None:
    if status:
        raise DeviceError(f"cuBLAS failed with status {status} (CUBLAS_STATUS_… in cublas_api.h)")


def load(cupy: ModuleType) -> Blas:
    """The cuBLAS library that CuPy uses."""
    from cuda import pathfinder

    return Blas(cupy, ctypes.CDLL(pathfinder.load_nvidia_dynamic_lib("cublas").abs_path))
