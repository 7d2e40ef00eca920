"""The command `scratchae`, with one module for each of its commands."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

from .. import __version__
from ..environment import open_streams, silent
from ..errors import ScratchaeError, printable
from ..files import OF_THE_DISK, cannot_write
from . import bench, check, compare, data, export, search, study, train, tutorial, use
from .types import as_json

# each has add(commands), which defines its arguments, and run(options), which returns an exit code and what --json prints
COMMANDS = (train, search, use, compare, export, study, check, bench, data, tutorial)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Exit code 0 if all is well, 1 if a check failed, 2 for a mistake of the caller, 130 after Ctrl-C, 141 if
    nothing reads the output any more."""
    open_streams()
    try:
        top = parser()
        if "_ARGCOMPLETE" in os.environ:  # the shell asks what may come next
            import argcomplete

            argcomplete.autocomplete(top)
        options = top.parse_args(arguments)
        with silent() if options.quiet or options.json else contextlib.nullcontext():
            code, figures = options.run(options)
        if options.json and figures is not None:
            print(as_json(figures))
        sys.stdout.flush()  # here and not when Python ends, where a closed pipe could not be caught
        return code
    except BrokenPipeError:  # the reader of the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python would write out the rest when it ends
        return 128 + 13  # the exit code that a shell gives for a program that SIGPIPE ended
    except (ScratchaeError, OSError) as error:  # OSError: a full disk, or a folder that vanished
        disk = isinstance(error, OSError) and error.filename and error.errno in OF_THE_DISK
        said = cannot_write(error.filename, error) if disk else error
        print(f"scratchae: {printable(said)}", file=sys.stderr)
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
    for command in commands.choices.values():
        command.add_argument("--quiet", action="store_true", help="print nothing but errors")
        command.add_argument("--json", action="store_true", help="print nothing but the figures, as JSON")
    return top
