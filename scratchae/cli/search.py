"""`scratchae search`."""

from __future__ import annotations

import argparse
from typing import Any

from .types import add_data_dir, add_own_data, given, positive


def add(commands: argparse._SubParsersAction) -> None:
    from ..plots import FORMATS

    parser = commands.add_parser(
        "search",
        help="try many settings of a preset, and find the best on the validation examples",
        description="Train a preset with many settings, each on the training examples, and compare them on the validation examples. With values "
        "only, every combination is tried; with a range, or --trials, settings are drawn at random. It can be stopped: the same command goes on.",
        epilog="example:  scratchae search deep --data mnist --over code=16,32,64 --over lr=3e-4..1e-2 --trials 20 --epochs 3",
    )
    parser.add_argument("preset", metavar="PRESET", help="as in `scratchae train`")
    parser.add_argument(
        "--over",
        action="append",
        required=True,
        metavar="SETTING=VALUES",
        help="code, lr, batch_size, beta, noise or hidden (512-128,256), with values (8,16,32) or a range (1e-4..1e-2); may be given again",
    )
    parser.add_argument("--data", metavar="NAME|FILE|FOLDER", help="as in `scratchae train`")
    add_data_dir(parser)
    add_own_data(parser)
    parser.add_argument(
        "--trials",
        type=positive(int),
        metavar="N",
        help="how many settings to draw (default: all combinations, or 20)",
    )
    parser.add_argument("--epochs", type=positive(int), metavar="N", help="of each trial (default: the preset's)")
    parser.add_argument(
        "--jobs", type=positive(int), default=1, metavar="N", help="trials at a time, each in a process (default: 1)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="seed of weights, order, noise and settings (default: 0)"
    )
    parser.add_argument("--out", metavar="DIR", help="folder to write to (default: searches/PRESET-DATA)")
    parser.add_argument("--format", choices=FORMATS, default="png", help="format of the picture (default: png)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> tuple[int, Any]:
    from ..arguments import whole
    from ..runs.searching import read_space, search

    whole("search", "seed", options.seed, least=0)
    return 0, search(options.preset, read_space(options.over), **given(options, "preset", "over"))
