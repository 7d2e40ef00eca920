"""What arguments may be: each function gives back what it was given, as a plain number or word, or raises OptionError.

All of them take whose argument it is (an object, or the name of a function), its name and its value. The error names these,
and says what was expected.
"""

from __future__ import annotations

import functools
import math
import numbers
import operator
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, NoReturn

from .description import plain
from .errors import OptionError


def whole(owner: Any, name: str, value: Any, least: int = 1, hint: str = "", most: int | None = None) -> int:
    """A whole number of at least so much, and at most so much if that is given."""
    if not is_number(value, numbers.Integral) or value < least or (most is not None and value > most):
        limit = "" if most is None else f" and at most {most}"
        refuse(owner, name, value, f"a whole number, at least {least}{limit}{hint}")
    return int(value)


def number(owner: Any, limits: str, value: Any, hint: str = "") -> float:
    """A finite number within limits, which are written with its name: "0 <= rate < 1"."""
    low, above, name, below, high = LIMITS.fullmatch(limits).groups()
    value = plain(value)
    if not (
        is_number(value, numbers.Real)
        and math.isfinite(value)
        and (low is None or COMPARE[above](float(low), value))
        and (high is None or COMPARE[below](value, float(high)))
    ):
        refuse(owner, name, value, f"a number, {limits}{hint}")
    return value


LIMITS = re.compile(r"(?:(\S+) (<=?) )?([a-z]\w*)(?: (<=?) (\S+))?")
COMPARE = {"<": operator.lt, "<=": operator.le}


def choice(owner: Any, name: str, value: Any, options: Collection[str]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in options:
        refuse(owner, name, value, " or ".join(map(repr, options)))
    return value


def flag(owner: Any, name: str, value: Any) -> bool:
    """True or False."""
    value = plain(value)
    if not isinstance(value, bool):
        refuse(owner, name, value, "True or False")
    return value


def pair(owner: Any, name: str, value: Any, least: int = 1) -> tuple[int, int]:
    """A size as (height, width): a whole number of at least so much for both, or two of them."""
    sizes = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(sizes) != 2 or not all(is_number(size, numbers.Integral) and size >= least for size in sizes):
        refuse(owner, name, value, f"a whole number, at least {least}, or a pair of them for height and width")
    return int(sizes[0]), int(sizes[1])


def any_path(owner: Any, name: str, value: Any) -> Path:
    """The path of a file or a folder: text or a Path."""
    if not isinstance(value, str | os.PathLike):
        refuse(owner, name, value, "the path of a file or a folder")
    return Path(value)


def file_path(owner: Any, name: str, value: Any) -> Path:
    """The path of a file: text or a Path that ends in a file's name."""
    path = Path(value) if isinstance(value, str | os.PathLike) else Path()
    if not path.name or path.is_dir():
        refuse(owner, name, value, "the path of a file")
    return path


def sizes(owner: Any, name: str, value: Any, count: int = 1) -> tuple[int, ...]:
    """Whole numbers of at least 1, and so many of them or more."""
    given = value if isinstance(value, tuple | list) else ()
    if len(given) < count or not all(is_number(size, numbers.Integral) and size >= 1 for size in given):
        refuse(owner, name, value, f"a tuple of at least {count} whole numbers, each at least 1")
    return tuple(map(int, given))


def interval(owner: Any, name: str, value: Any) -> tuple[float, float]:
    """(low, high), two numbers of which the first is the smaller."""
    ends = as_given(value) if isinstance(value, tuple | list) else ()
    if len(ends) != 2 or not all(is_number(end, numbers.Real) for end in ends) or not ends[0] < ends[1]:
        refuse(owner, name, value, "(low, high) with low < high")
    return ends


def affordable(owner: Any, *shape: int) -> tuple[int, ...]:
    """The shape of an array of floats. Raises OptionError if this machine has less memory than it would take."""
    needed, there = 4 * math.prod(map(int, shape)), memory()
    if needed > there:
        raise OptionError(
            f"{owner!r} needs an array of shape {shape}, at least {needed / 2**30:.3g} GiB, and this machine has "
            f"{there / 2**30:.3g} GiB: choose smaller sizes"
        )
    return shape


@functools.cache
def memory() -> int:
    """The bytes of memory that this machine has; without limit where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return 2**63


def as_given(value: Any) -> Any:
    """A size as the caller wrote it, in Python's own numbers."""
    return tuple(map(plain, value)) if isinstance(value, tuple | list) else plain(value)


def is_number(value: Any, kind: type) -> bool:
    """Whether it is such a number. True and False are none here, though Python counts with them."""
    return isinstance(value, kind) and not isinstance(value, bool)


def refuse(owner: Any, name: str, value: Any, expected: str) -> NoReturn:
    """Raise OptionError about an argument."""
    call = owner if isinstance(owner, str) else type(owner).__name__
    raise OptionError(f"{call}({name}={value!r}): expected {expected}")
