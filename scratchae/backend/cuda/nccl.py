"""Sums over the GPUs of several processes, by NVIDIA's NCCL as CuPy has it. No GPU has run this file yet."""

from __future__ import annotations

from ...errors import DeviceError
from ..types import Array
from . import module, usable_cupy


class Gpus:
    """The GPU of this rank among those of all ranks. local: the rank's number on its machine, which is the number of its GPU.

    Raises DeviceError if there is no such GPU, or no NCCL.
    """

    def __init__(self, rank: int, size: int, local: int):
        cupy = usable_cupy()
        from cupy.cuda import nccl

        if not nccl.available:
            raise DeviceError(
                f"distributed='nccl': CuPy {cupy.__version__} finds no NCCL here: pip install nvidia-nccl-cu13, or -cu12"
            )
        count = cupy.cuda.runtime.getDeviceCount()
        if local >= count:
            raise DeviceError(
                f"distributed='nccl': rank {rank} is number {local + 1} on its machine, which has {count} "
                f"GPU{'s' * (count > 1)}: start one rank for each GPU"
            )
        cupy.cuda.Device(local).use()
        self.rank, self.size = rank, size

    def connect(self) -> None:
        """Meet the other ranks, which all have to call this."""
        from cupyx.distributed import NCCLBackend

        self.backend = NCCLBackend(self.size, self.rank, use_mpi=True)

    def sum_(self, array: Array) -> None:
        """The sum over the ranks, in place, on this thread's stream: a CUDA graph can hold it."""
        module()  # back on our stream
        self.backend.all_reduce(array, array)
