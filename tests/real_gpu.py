"""Whether there is a real GPU."""

import functools

from scratchae.backend import cuda
from scratchae.errors import DeviceError


@functools.cache
def gpu_problem():
    """Why there is no GPU, or None."""
    try:
        cuda.module()
    except DeviceError as error:
        return str(error)
    return None
