"""What the environment of a process should say before NumPy and matplotlib are loaded."""

from __future__ import annotations

import os
import sys

# OpenBLAS's threads spin for 2^26 cycles, some 20 ms, before they sleep, and so keep a core busy while Adam's threads could
# use it; 2^20 is still longer than the pause between two products
SETTINGS = {"OPENBLAS_THREAD_TIMEOUT": "20"}


def prepare() -> None:
    """Make these settings in this process; what the user has set stays."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    if sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK):
        # matplotlib's list of fonts: in the virtual environment, not in the user's home
        os.environ.setdefault("MPLCONFIGDIR", os.path.join(sys.prefix, "var", "matplotlib"))
