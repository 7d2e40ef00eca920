"""The first input of a layer: that of its file, or one of a shape that its forward and backward take."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..diagnosis import GradientShapeError
from ..styles.layers.joined import Joined
from ..styles.objects.copies import duplicate
from ..styles.objects.held import held_by
from ..styles.text.written import notes_of, text_of
from .inputs import all_used, candidates, drawn
from .plan import COLUMNS, fits, forward_of, like, ready, takes
from .result import Result

# what a text says of layers that are meant for a single example: a vector or signal, or a column
ONE_AXIS = re.compile(
    r"\b(?:1-?d|one[- ]dimensional|(?:one|single) (?:vector|(?:example|sample) (?:at a time|only|per call))|(?:one|single|a|the) signal)\b|\bx\b[^.\n]{0,30}\(\w+, ?\)",
    re.I,
)
ONE_COLUMN = re.compile(
    r"\b(?:(?:one|single) (?:example\W+a )?column|column vector)\b|\bx\b[^.\n]{0,30}\(\w+, ?1\)", re.I
)
OF_MANY = re.compile(r"\bbatch|examples\b|\brows?\b|\(\w+, ?[a-z]\w*[,)]", re.I)
OF_VECTORS = re.compile(r"\b(?:np|numpy|xp)\.outer\(")  # which takes no account of rows
SINGLE = {
    "one axis": ((9,), (3,), (4,), (6,)),
    "one column": ((3, 1), (4, 1), (5, 1)),
    "one row": ((1, 3), (1, 4), (1, 5)),
}
# what a file says that trains with one example after the other
ONE_BY_ONE = re.compile(r"for \w+, ?\w+ in zip\(|for \w+ in range\((?:len\(\w+\)|\w*samples|\w+\.shape\[0\])\):")
# what says that the examples are the columns, however many there are
OF_COLUMNS = re.compile(
    r"\b(?:every|each|all|the) columns?\b[^.\n]{0,40}\b(?:example|sample|observation)|\bcolumns (?:\w+ )?(?:are|hold|=) (?:the )?(?:examples|samples)"
    r"|\b(?:examples|samples) (?:\w+ )?(?:are|as|in|along) (?:the |its )?columns|\b(?:example|sample) per column",
    re.I,
)
ALONG_COLUMNS = re.compile(r"axis\s*=\s*-?1\b|shape\[-?1\]|,\s*1,\s*keepdims|columns", re.I)


def begin(value: Any, given: np.ndarray | None) -> tuple[np.ndarray | None, Exception | None]:
    """The first input that forward and backward take; failing this, the first that forward takes; or the first error."""
    first, refused = None, None
    for x in candidates() if given is None else (given,):
        if x.dtype.kind in "iub" and given is None and first is not None:
            break  # numbers are taken, so that it does not want indices
        error = takes(value, x)
        if error is not None:
            refused = refused or error
        elif first is not None and (
            (x.ndim == 1 < first.ndim and first.shape != (*x.shape, 1))
            or x.shape[-1:] == x.shape[-2:-1]
            or (1 in x.shape[1:] and 1 not in first.shape and falls_short(value, first))
            or (x.ndim == 4 and x.shape[1] == x.shape[2])
        ):
            continue  # where an earlier input was taken, but not by backward, equal sizes or one axis fit by accident only
        elif fits(value, x):
            return several_columns(value, x), None
        elif first is None:
            first = x
    return of_one_number(value, first), refused


def of_one_number(value: Any, x: np.ndarray | None) -> np.ndarray | None:
    """x; or with one number along its last axis, if backward takes that alone: by broadcasting, forward may take more, and not mean it."""
    if x is None or x.ndim < 3 or x.dtype.kind != "f" or falls_short(value, x):
        return x
    one = like(x, (*x.shape[:-1], 1), 0)
    return one if takes(value, one) is None and fits(value, one) else x


def falls_short(value: Any, x: np.ndarray) -> bool:
    """Whether backward gives a gradient of another shape than x, of which forward uses all: then an axis of size 1 would hide that."""
    try:
        layer = ready(value, x)
        y = np.array(layer.forward(x.copy(), None))
        dx = np.shape(layer.backward(np.ones_like(y)))
        return len(dx) == x.ndim and dx != x.shape and all_used(lambda other: layer.forward(other, None), x)
    except Exception:
        return False


def several_columns(value: Any, x: np.ndarray) -> np.ndarray:
    """x, or several columns in place of one, if the text goes along its columns: a single example hides sums and averages. Backward has to
    take them too, unless the text says that each column is an example."""
    parts = (value._value, value._derivative) if isinstance(value, Joined) else (type(value),)
    told = any(OF_COLUMNS.search(notes_of(one)) for one in parts)
    if x.shape[1:] != (1,) or not (told or any(ALONG_COLUMNS.search(text_of(one)) for one in parts)):
        return x
    more = like(x, (len(x), COLUMNS), 0)
    return more if takes(value, more) is None and (told or fits(value, more)) else x


def one_column_only(value: Any, x: np.ndarray) -> bool:
    """Whether x is a single column, and forward takes several, of which it gives as many, and backward does not."""
    if x.ndim != 2 or x.shape[1] != 1:
        return False
    more = like(x, (len(x), COLUMNS), 0)
    return (
        takes(value, more) is None
        and np.shape(forward_of(duplicate(value), more))[1:] == (COLUMNS,)
        and not fits(value, more)
    )


def is_meant(value: Any, x: np.ndarray) -> bool:
    """Whether x is what a layer is meant for: forward takes any number of rows, of which y has as many, and no other number of features; or
    it is an activation, which holds no arrays."""
    if x.ndim != 2:
        return False
    if x.shape[1] == 1:  # one example as a column
        return takes(value, like(x, (len(x) + 1, 1), 0)) is not None
    for n in (2, 7):
        other = like(x, (n, x.shape[1]), n)
        if takes(value, other) is not None or len(np.atleast_1d(forward_of(duplicate(value), other))) != n:
            return False
    activation = np.shape(forward_of(duplicate(value), x)) == x.shape and not held_by(value)
    return activation or takes(value, like(x, (len(x), x.shape[1] + 1), 0)) is not None


def meant(value: Any, result: Result) -> Iterator[tuple[str, np.ndarray]]:
    """Single examples, in words and with an input, for a layer that is wrong for several: if its text or code says that it is meant for one, or if
    its gradient of x has not the shape of x, or if its backward does not run for several, and its file trains with one after the other."""
    text = notes_of(type(value))
    misshapen = isinstance(result.error, GradientShapeError) and result.error.finding.tensors == ("x",)
    broken = type(result.error) is ValueError and ONE_BY_ONE.search(text_of(sys.modules[type(value).__module__]))
    vectors = misshapen or ONE_AXIS.search(text) or OF_VECTORS.search(text_of(type(value)))
    told = {"one axis": vectors, "one column": ONE_COLUMN.search(text), "one row": broken}
    for words, shapes in SINGLE.items() if not OF_MANY.search(text) else ():
        inputs = map(drawn, shapes if told[words] else ())
        x = next((x for x in inputs if takes(value, x) is None and fits(value, x)), None)
        if x is not None:
            yield words, x


def small(x: np.ndarray) -> np.ndarray:
    """The first examples of a large x, such as a data set."""
    return x[: max(2, 600 // max(1, x[0].size))] if x.ndim and len(x) > 2 and x.size > 1200 else x
