"""The command `scratchae`, also as `python -m scratchae`."""

import sys

from .environment import open_streams, prepare


def run() -> None:
    """Run the command with our settings of the environment."""
    prepare()
    open_streams()
    from .cli import main  # only now, since it loads NumPy, which reads them

    sys.exit(main())


if __name__ == "__main__":
    run()
