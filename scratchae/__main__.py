"""The command `scratchae`, also as `python -m scratchae`."""

import os
import sys

from .cli import main

# OpenBLAS's threads spin for 2^26 cycles, some 20 ms, before they sleep, and so keep a core busy while Adam's threads
# could use it; 2^20 is still longer than the pause between two matrix products
SETTINGS = {"OPENBLAS_THREAD_TIMEOUT": "20"}


def run() -> None:
    """Run the command with these settings. They are read when NumPy is loaded, so the process starts itself again."""
    if sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK):
        # matplotlib's list of fonts: in the virtual environment, not in the user's home; what the user has set stays
        os.environ.setdefault("MPLCONFIGDIR", os.path.join(sys.prefix, "var", "matplotlib"))
    if os.name == "posix" and not SETTINGS.keys() <= os.environ.keys():
        os.environ.update(SETTINGS | os.environ)  # what the user has set stays
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    sys.exit(main())


if __name__ == "__main__":
    run()
