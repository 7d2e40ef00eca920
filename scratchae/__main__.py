"""The command `scratchae`, also as `python -m scratchae`."""

import sys

from .cli import main
from .openblas import restart_with_better_kernels


def run() -> None:
    """Run the command in a process whose matrix products use all that the processor has."""
    restart_with_better_kernels()
    sys.exit(main())


if __name__ == "__main__":
    run()
