"""What tensors are called in the mathematics: as their class says in `symbols`, or by a Greek letter that is spelled out."""

from __future__ import annotations

import unicodedata
from typing import Any

from ..formula import Symbol

COMMON = {"loss": "L", "value": "L", "N": "N", "tiny": "ε"}  # which every class may speak of


def said(thing: Any, name: str) -> str | None:
    """The letter that a class has for a name, if it has one."""
    return getattr(thing, "symbols", {}).get(name) or COMMON.get(name)


def letter(thing: Any, name: str) -> str:
    """How a name is written in the formulas of a layer, loss, model or optimizer."""
    return said(thing, name) or greek(name) or name


def greek(name: str) -> str | None:
    """γ for gamma."""
    try:
        return unicodedata.lookup(f"GREEK SMALL LETTER {name}")
    except KeyError:
        return None


class Symbols:
    """Hands out symbols, each once: a second a₁ is z′₁."""

    def __init__(self):
        self.taken: set[tuple[str, str]] = set()

    def new(self, letter: str, index: str = "") -> Symbol:
        """A symbol that no tensor has yet."""
        while (letter, index) in self.taken:
            letter += "′"
        self.taken.add((letter, index))
        return Symbol(letter, index)
