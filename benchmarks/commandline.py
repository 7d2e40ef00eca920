"""What the commands in this folder have in common: their options, and how they end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from scratchae.bench.harness import RESULTS
from scratchae.environment import open_streams
from scratchae.errors import ScratchaeError


def add_options(command: argparse.ArgumentParser, benchmark: str, *, steps: int, rounds: int) -> None:
    """The options that every script in benchmarks/ has, with these defaults."""
    command.add_argument(
        "--steps", type=positive, default=steps, metavar="N", help=f"timed steps a block (default: {steps})"
    )
    command.add_argument(
        "--rounds", type=positive, default=rounds, metavar="N", help=f"blocks of each peer (default: {rounds})"
    )
    command.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help=f"where to write everything (default: {RESULTS}/{benchmark}-DATE.json)",
    )


def positive(text: str) -> int:
    """A whole number above 0, for argparse."""
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected at least 1")
    return value


def exit_code(benchmark: str, run: Callable[[], None]) -> int:
    """Run a benchmark; its exit code: 0, 1 for an error, 130 after Ctrl-C."""
    open_streams()
    try:
        run()
    except ScratchaeError as error:
        print(f"{benchmark}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{benchmark}: interrupted, nothing was written", file=sys.stderr)
        return 130
    return 0
