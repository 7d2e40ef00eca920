"""`scratchae data`."""

from __future__ import annotations

import argparse


def add(commands: argparse._SubParsersAction) -> None:
    from ..data.mnist import FILES

    parser = commands.add_parser(
        "data",
        help="download or verify MNIST and Fashion-MNIST",
        description="Download the original files of a dataset, or verify files that you have.",
    )
    parser.add_argument("action", choices=("download", "verify"))
    parser.add_argument("name", choices=tuple(FILES))
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="their folder (default: $SCRATCHAE_DATA, or the user's cache folder)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from ..data import mnist

    folder = mnist.given_folder(options.name, options.data_dir) or mnist.cache_folder(options.name)
    if options.action == "download":
        if folder.name != options.name:
            folder /= options.name  # the files of both datasets have the same names
        mnist.download(options.name, folder)
    for file in mnist.FILES[options.name]:
        path = mnist.checked(options.name, folder / file)
        print(f"{path}  {path.stat().st_size:,} bytes, SHA-256 as published")
    return 0
