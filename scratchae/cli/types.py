"""What arguments are made of."""

from __future__ import annotations

import argparse


def positive(kind: type) -> type:
    """A number above 0, for argparse."""

    def convert(text: str):
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text}: expected a number above 0")
        return value

    convert.__name__ = kind.__name__  # argparse says "invalid int value"
    return convert
