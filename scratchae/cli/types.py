"""Types of arguments, and the layout of lists in the help."""

from __future__ import annotations

import argparse
import glob
import json
import math
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


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


def given(options: argparse.Namespace, *apart: str) -> dict[str, Any]:
    """The options of a command by name, without those named here and those that every command has."""
    return {name: value for name, value in vars(options).items() if name not in ("run", "quiet", "json", *apart)}


def as_json(figures: Any) -> str:
    """What a command found, as JSON in ASCII, which any console can print; numbers that are not finite become null."""

    def plain(value: Any) -> Any:
        if hasattr(value, "tolist"):  # an array, or a number of NumPy's
            value = value.tolist()
        if isinstance(value, Mapping):
            return {str(key): plain(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [plain(each) for each in value]
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        return value if value is None or isinstance(value, str | int) else str(value)

    return json.dumps(plain(figures), indent=2)


def spelled_out(names: Sequence[str]) -> list[str]:
    """The names, with what each pattern such as *.py stands for: the shells of Windows hand patterns on as they are."""
    found = [[name] if Path(name).exists() else sorted(glob.glob(name)) or [name] for name in names]
    return [name for some in found for name in some]


class ListBelow(argparse.HelpFormatter):
    """Wraps the help as usual, but for a list below it, which is laid out already."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


def columns(rows: Sequence[tuple[str, str]]) -> str:
    """Names and their meanings, aligned below each other, as wide as the terminal or as $COLUMNS says."""
    indent = max(len(name) for name, _ in rows) + 4
    width = max(shutil.get_terminal_size().columns - 2, indent + 20)
    return "\n".join(
        textwrap.fill(
            f"{f'  {name}':<{indent}}{meaning}", width, subsequent_indent=" " * indent, break_on_hyphens=False
        )
        for name, meaning in rows
    )
