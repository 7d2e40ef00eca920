"""The arithmetic of one number, with the numbers in it: 0.15·0.05 + 0.20·0.10 + 0.35 = 0.3775."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from .values import ELEMENTWISE

SUM, PRODUCT, POWER, ATOM = range(1, 5)  # how strongly the outermost operator of a text binds
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# How a function of numbers is written, how strongly that binds, and how strongly each argument must; others as f(a, b)
FORMS: dict[str, tuple[str, int, tuple[int, ...]]] = {
    "add": ("{} + {}", SUM, (SUM, SUM)),
    "sub": ("{} − {}", SUM, (SUM, PRODUCT)),
    "neg": ("−{}", SUM, (PRODUCT,)),
    "mul": ("{}·{}", PRODUCT, (PRODUCT, PRODUCT)),
    "div": ("{} / {}", PRODUCT, (PRODUCT, POWER)),
    "pow": ("{}^{}", POWER, (ATOM, ATOM)),
    "exp": ("e^{}", POWER, (ATOM,)),
    "sqrt": ("√{}", POWER, (ATOM,)),
    "abs": ("|{}|", ATOM, (SUM,)),
    "sigmoid": ("1 / (1 + e^−{})", PRODUCT, (ATOM,)),
    **{
        op: (f"[{{}} {sign} {{}}]", ATOM, (SUM, SUM))
        for op, sign in zip(("lt", "le", "gt", "ge"), "<≤>≥", strict=True)
    },
}


def number(value: float, digits: int = 6) -> str:
    """A number for a text: so many decimals, but at least two, and four digits of a small one; else with a power of ten."""
    value = float(value)
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "NaN")
    if 1e-5 <= abs(value) < 1:
        digits = max(digits, 3 - math.floor(math.log10(abs(value))))
    elif value != 0 and not 1e-5 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.{min(digits, 4)}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    whole, _, decimals = f"{value:.{digits}f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}".replace("-", "−")


def constant(value: float) -> str:
    """A number that is written in a formula, as it is written there; 10⁻⁶ for 1e-6."""
    mantissa, _, exponent = f"{value:g}".replace("-", "−").partition("e")
    if not exponent:
        return mantissa
    power = "10" + str(int(exponent.replace("−", "-"))).translate(RAISED)
    return power if mantissa == "1" else f"{mantissa}·{power}"


class Arithmetic:
    """The value and the text of a resolved recipe (see cells.py), and the numbers of the operands that are in it."""

    def __init__(self, resolved: list, values: Mapping[str, np.ndarray], digits: int, terms: int):
        self.values, self.digits, self.terms = values, digits, terms
        self.cells: list[tuple[str, tuple[int, ...]]] = []
        self.value, self.text, _ = self.of(resolved)
        self.cells = list(dict.fromkeys(self.cells))

    def of(self, item: list) -> tuple[float, str, int]:
        """Value, text, and how strongly the text's outermost operator binds."""
        op = item[0]
        if op == "cell":
            self.cells.append((item[1], item[2]))
            return self.leaf(float(self.values[item[1]][item[2]]))
        if op in ("num", "absent", "option"):
            return item[-1], constant(item[-1]), ATOM if item[-1] >= 0 else SUM
        if op in ("sum", "mean", "max"):
            return self.reduction(op, item[1])
        if op == "first_max":
            found = [self.of(term)[0] for term in item[1]]
            first = int(np.argmax(found)) == item[2]
            return float(first), f"[{'' if first else 'not '}the first maximum]", ATOM
        if op == "largest":
            return self.largest(*item[1:])
        values, texts, strengths = zip(*(self.of(arg) for arg in item[1:]), strict=True)
        with np.errstate(all="ignore"):
            value = float(ELEMENTWISE[op](*values))
        form, strength, least = FORMS.get(op, ("", ATOM, ()))
        if not form:
            return value, f"{op.removesuffix('imum')}({', '.join(texts)})", ATOM
        if op == "pow" and values[1] == 2:
            form = "{}²"
        written = form.format(*map(guarded, texts, strengths, least))
        return value, re.sub(r"e\^−\(−([^() ]+)\)", r"e^\1", written.replace("+ −", "− ")), strength

    def leaf(self, value: float) -> tuple[float, str, int]:
        return value, number(value, self.digits), ATOM if value >= 0 and math.isfinite(value) else SUM

    def reduction(self, op: str, items: list[list]) -> tuple[float, str, int]:
        parts = [self.of(item) for item in items]
        if not parts:
            return 0.0, "0", ATOM
        values = [value for value, _, _ in parts]
        if op == "max":
            return max(values), f"max({', '.join(self.shortened([text for _, text, _ in parts]))})", ATOM
        total, texts = math.fsum(values) if all(map(math.isfinite, values)) else sum(values), []
        for _, text, strength in self.shortened(parts):
            texts.append(guarded(text, strength, SUM))
        text = " + ".join(texts).replace("+ −", "− ")
        if op == "mean":
            text = f"({text}) / {len(parts)}" if len(parts) > 1 else text
            return total / len(parts), text, PRODUCT
        return total, text, SUM if len(parts) > 1 else parts[0][2]

    def shortened(self, parts: list) -> list:
        """No more than so many terms: the first ones and the last, and how many there are in all."""
        if len(parts) <= self.terms:
            return parts
        gap: Any = f"… ({len(parts)} terms) …"
        return [*parts[: self.terms - 2], gap if isinstance(parts[0], str) else (0.0, gap, ATOM), parts[-1]]

    def largest(self, terms: list[list], own: list, k: int) -> tuple[float, str, int]:
        value, text, _ = self.of(own)
        before, least = len(self.cells), sorted((self.of(term)[0] for term in terms), reverse=True)[k - 1]
        del self.cells[before:]  # all of the example is compared, but one number is passed on
        kept = value >= least
        sign = "≥" if kept else "<"
        return float(kept), f"[{text} {sign} {number(least, self.digits)}]", ATOM


def guarded(text: str, strength: int, least: int) -> str:
    """A text in parentheses, if it binds less than where it stands."""
    return text if strength >= least else f"({text})"
