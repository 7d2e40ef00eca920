"""What the environment of a process should say before NumPy and matplotlib are loaded."""

from __future__ import annotations

import os
import sys

# OpenBLAS's threads spin for 2^26 cycles, some 20 ms, before they sleep, and so keep a core busy while Adam's threads could
# use it; 2^20 is still longer than the pause between two products
SETTINGS = {"OPENBLAS_THREAD_TIMEOUT": "20"}


def prepare() -> None:
    """Make these settings in this process; what the user has set stays, but for matplotlib's window, as no picture has one."""
    os.environ["MPLBACKEND"] = "agg"
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    if sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK):
        # matplotlib's list of fonts: in the virtual environment, not in the user's home
        os.environ.setdefault("MPLCONFIGDIR", os.path.join(sys.prefix, "var", "matplotlib"))


def open_streams() -> None:
    """Let no output fail: what a console has no letters for is replaced, and a stream that was closed leads nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # and its number is free, for a file of ours to get all that a library writes there
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (it is open to the end)
        elif mode == "w" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def on_terminal() -> bool:
    """Whether a person looks on at what is written to stderr. In a program without windows or streams there is none."""
    return sys.stderr is not None and sys.stderr.isatty()
