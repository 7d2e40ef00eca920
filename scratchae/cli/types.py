"""Types of arguments, and the layout of lists in the help."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def positive(kind: type) -> type:
    """A number above 0, for argparse."""

    def convert(text: str):
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text}: expected a number above 0")
        return value

    convert.__name__ = kind.__name__  # argparse says "invalid int value"
    return convert


def whole_numbers(text: str) -> tuple[int, ...]:
    """Numbers above 0 with commas between them, in their order, for argparse."""
    try:
        values = tuple(int(part) for part in text.split(","))
    except ValueError:
        values = (0,)
    if min(values) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected whole numbers above 0 with commas, such as 512,128")
    return values


def size(text: str) -> tuple[int, int]:
    """A height and a width as 28x32, or one number for both, for argparse."""
    try:
        values = tuple(int(part) for part in text.lower().replace("×", "x").split("x"))
    except ValueError:
        values = (0,)
    if len(values) > 2 or min(values) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a size in pixels, such as 64, or height and width, 48x64"
        )
    return values[0], values[-1]


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """The option that says where the MNIST files are."""
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="folder of the MNIST files (default: $SCRATCHAE_DATA, or they are downloaded)",
    )


def add_table(parser: argparse.ArgumentParser) -> None:
    """The options that say how a person's table is read."""
    parser.add_argument("--label", metavar="COLUMN", help="the column of your table that holds the class of each row")
    parser.add_argument(
        "--missing", choices=("mean",), help="let missing cells of your table be the mean of their column"
    )


def add_own_data(parser: argparse.ArgumentParser) -> None:
    """The options that say how a person's own data are read."""
    add_table(parser)
    parser.add_argument("--size", type=size, metavar="N|HxW", help="fit your images to this height and width")


def columns(rows: Sequence[tuple[str, str]]) -> str:
    """Names and their meanings, aligned below each other."""
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join(f"  {name:<{width}}{meaning}" for name, meaning in rows)
