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


def columns(rows: Sequence[tuple[str, str]]) -> str:
    """Names and their meanings, aligned below each other."""
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join(f"  {name:<{width}}{meaning}" for name, meaning in rows)
