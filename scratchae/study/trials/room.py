"""How much memory code may take while it is tried. Shapes are guessed, and for some of them arrays grow with each step of a loop, as products
of arrays with several axes do, until the machine has no more. Only where the system tells what is taken, as Linux does, and only a process
that is limited already, as that of a file is, since others have work of their own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

try:
    import resource
except ImportError:  # there is none on Windows
    resource = None

WHOLE = 2**31  # bytes beside those that are taken when a file is loaded, and as much again
GUESSED = 2**27  # bytes for a call of functions with arrays of guessed shapes


def taken() -> int:
    """The bytes of data of this process. Raises OSError where they are not told."""
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[5]) * os.sysconf("SC_PAGE_SIZE")


def confined() -> None:
    """Limit this process: no file above 100 MB, no core dump, no more memory than the machine has."""
    if resource is not None:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        for name, most in {"FSIZE": 10**8, "CORE": 0, "AS": memory, "DATA": memory}.items():
            with contextlib.suppress(ValueError, OSError):
                kind = getattr(resource, f"RLIMIT_{name}")
                resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))


def limit(more: int) -> int | None:
    """Let this process take so many bytes more, within what it was allowed. Returns what it was allowed; None if that is not changed."""
    before, most = resource.getrlimit(resource.RLIMIT_DATA) if resource is not None else (-1, -1)
    if before >= 0:  # else there is no limit
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, (min(before, taken() + more), most))
            return before
    return None


def confine() -> None:
    """Limit what is taken from here on. What products of matrices need is taken before."""
    np.ones((300, 300)) @ np.ones((300, 300))
    with contextlib.suppress(OSError, ValueError):
        limit(WHOLE + taken())


@contextlib.contextmanager
def guessing() -> Iterator[None]:
    """In the block little memory is to be had: shapes that need more do not fit."""
    before = limit(GUESSED)
    try:
        yield
    finally:
        if before is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (before, resource.getrlimit(resource.RLIMIT_DATA)[1]))
