"""`python -m scratchae`: the command `scratchae`."""

import sys

from .cli import main

sys.exit(main())
