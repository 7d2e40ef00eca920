"""`scratchae compare`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .types import add_data_dir, spelled_out


def add(commands: argparse._SubParsersAction) -> None:
    from ..plots import FORMATS

    parser = commands.add_parser(
        "compare",
        help="runs side by side: figures, curves, reconstructions of the same examples",
        description="Compare runs of the same data: what differs in how they were trained, their figures, their losses, and what each makes "
        "of the same test examples.",
    )
    parser.add_argument("folders", nargs="+", metavar="RUN", help="two or more folders that `scratchae train` wrote")
    parser.add_argument("--out", default="compared", metavar="DIR", help="folder to write to (default: compared)")
    add_data_dir(parser)
    parser.add_argument("--format", choices=FORMATS, default="png", help="format of the pictures (default: png)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> tuple[int, Any]:
    from ..runs.comparing import compare
    from ..runs.folder import read_record

    folders = spelled_out(options.folders)
    compare(folders, out=options.out, data_dir=options.data_dir, format=options.format)
    return 0, {folder: read_record(Path(folder)) for folder in folders}
