"""The command `scratchae`, also as `python -m scratchae`."""

import os
import sys

from .backend import SETTINGS
from .cli import main


def run() -> None:
    """Run the command with these settings. They are read when NumPy is loaded, so the process starts itself again."""
    if sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK):
        # keep matplotlib's list of fonts in the virtual environment, not in the user's home; the user's own setting stays
        os.environ.setdefault("MPLCONFIGDIR", os.path.join(sys.prefix, "var", "matplotlib"))
    if os.name == "posix" and not SETTINGS.keys() <= os.environ.keys():
        os.environ.update(SETTINGS | os.environ)  # the user's own settings stay
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    sys.exit(main())


if __name__ == "__main__":
    run()
