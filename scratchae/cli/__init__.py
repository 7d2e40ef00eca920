"""The command `scratchae`: a module for each of its commands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import ScratchaeError
from . import bench, check, data, study, train, tutorial

COMMANDS = (
    train,
    study,
    check,
    bench,
    data,
    tutorial,
)  # each with add(commands), its arguments, and run(options), which returns an exit code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Exit code 0; 1 where a check failed; 2 for a mistake of the caller; 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    try:
        code = options.run(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ScratchaeError, OSError) as error:  # the latter: a full disk, a folder that vanished
        print(f"scratchae: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nscratchae: interrupted", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="scratchae",
        description="Autoencoders from scratch in NumPy: train them, look at them, check every gradient.",
        epilog="start with:  scratchae train deep",
    )
    top.add_argument("--version", action="version", version=f"scratchae {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return top
