"""Arrays and source code for a page in a browser: as JSON values, and small."""

from __future__ import annotations

import base64
import io
import keyword
import math
import tokenize
from collections.abc import Collection, Mapping
from html import escape
from typing import Any

import numpy as np

PRECISE = 256  # arrays up to this size keep all digits of float64
EXACT = 4096  # arrays up to this size keep the digits of float32
BUDGET = 4_200_000  # the number of characters for all arrays together, so that a page stays under 5 MB
LARGEST = 2**20  # the most numbers to keep of one array, even if there is room for more


# those with an f have kinds of their own
STRINGS = {number for number, name in tokenize.tok_name.items() if "STRING" in name}


def whole(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]] | None:
    """Each array with all of its digits, as `embed` gives them; None where that is more than the budget."""
    records, room = {}, BUDGET
    for name, array in arrays.items():
        with np.errstate(over="ignore"):
            short = array.astype("<f4")
        exact = short if np.array_equal(short, array) else array.astype("<f8")  # data and weights of float32 are
        data = base64.b64encode(np.ascontiguousarray(exact).tobytes()).decode() if array.any() else ""
        records[name] = {
            "shape": array.shape,
            "kept": None,
            "type": exact.dtype.str[1:] if data else "zeros",
            "data": data,
        }
        room -= len(data)
        if room < 0:
            return None
    return records


def embed(arrays: Mapping[str, np.ndarray], minor: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """Each array as {"shape", "kept", "type", "unit", "data"}, all together within the budget.

    A small array keeps its digits. A larger one is rounded to 16 bits: to multiples of `unit`, the 32,767th part of its largest
    number. If that is still too much, the largest arrays are thinned out, starting with those named in `minor`: `kept` holds,
    axis by axis, the indices that stay, evenly spaced (None: all). They are the multiples of a power of 2, so that two arrays
    keep the same indices for a sum over an axis that both have.
    """
    limits = dict.fromkeys(arrays, LARGEST)
    for thinned in (minor, arrays):
        while sum(characters(array, limits[name]) for name, array in arrays.items()) > BUDGET:
            limit = max((limits[name] for name in thinned), default=EXACT)
            if limit <= EXACT:
                break
            limits |= {name: min(limits[name], limit // 2) for name in thinned}
    return {name: packed(array, limits[name]) for name, array in arrays.items()}


def characters(array: np.ndarray, limit: int) -> float:
    """The length of an array in base64."""
    if not array.any():
        return 0
    number = 8 if array.size <= PRECISE else 4 if array.size <= EXACT else 2
    return number * 4 / 3 * math.prod(map(len, kept_indices(array.shape, limit)))


def kept_indices(shape: tuple[int, ...], limit: int) -> list[range]:
    """The indices of each axis that stay, for at most `limit` numbers: every second index of the longest axis is dropped, until
    the numbers fit."""
    kept = [range(size) for size in shape]
    while math.prod(map(len, kept)) > limit:
        longest = max(range(len(kept)), key=lambda axis: len(kept[axis]))
        kept[longest] = kept[longest][::2]
    return kept


def packed(array: np.ndarray, limit: int = LARGEST) -> dict[str, Any]:
    kept = kept_indices(array.shape, limit)
    record: dict[str, Any] = {"shape": array.shape, "kept": None, "type": "f8", "unit": None}
    if not array.any():
        return record | {"type": "zeros", "data": ""}
    if any(len(indices) < size for indices, size in zip(kept, array.shape, strict=True)):
        record["kept"] = [
            list(indices) if len(indices) < size else None for indices, size in zip(kept, array.shape, strict=True)
        ]
        array = array[np.ix_(*kept)]
    largest = float(np.abs(array).max(initial=0))
    if array.size > EXACT and 0 < largest < math.inf:
        record |= {"type": "i2", "unit": largest / 32767}
        numbers = np.rint(array / record["unit"]).astype("<i2")
    elif array.size <= PRECISE:
        numbers = array.astype("<f8")
    else:
        record["type"] = "f4"
        numbers = array.astype("<f4")
    return record | {"data": base64.b64encode(np.ascontiguousarray(numbers).tobytes()).decode()}


def as_lines(code: str) -> list[str]:
    """Python code as lines of HTML, with comments, strings and keywords in a <span class="…">."""
    lines = code.expandtabs(4).splitlines()
    spans: list[list[tuple[int, int, str]]] = [[] for _ in lines]
    for token in tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline):
        kind = kind_of(token)
        (top, left), (bottom, right) = token.start, token.end
        if kind:
            for row in range(top, bottom + 1):
                start, end = left if row == top else 0, right if row == bottom else len(lines[row - 1])
                spans[row - 1].append((start, end, kind))
    return [coloured(line, found) for line, found in zip(lines, spans, strict=True)]


def kind_of(token: tokenize.TokenInfo) -> str | None:
    if token.type == tokenize.COMMENT:
        return "comment"
    if token.type in STRINGS:
        return "string"
    return "keyword" if token.type == tokenize.NAME and keyword.iskeyword(token.string) else None


def coloured(line: str, spans: list[tuple[int, int, str]]) -> str:
    html, at = "", 0
    for start, end, kind in spans:
        html += f'{escape(line[at:start])}<span class="{kind}">{escape(line[start:end])}</span>'
        at = end
    return html + escape(line[at:])
