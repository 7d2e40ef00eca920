"""Other objects of a learner's class, and functions with other options."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..styles.layers.joined import Joined
from ..styles.objects.constructed import OTHER_SIZES, SIZES, Made, constructed
from ..styles.objects.copies import duplicate
from ..styles.text.calls import required
from ..styles.text.written import text_of
from .inputs import variants

WINDOWS = {
    "pool_height",
    "pool_width",
    "pool_size",
    "size",
    "window",
    "f",
}  # sizes, which may have to divide those of x
VARIED = {"stride", "pad", "mode", "p", *WINDOWS}  # of what a dict of options may hold


def others(cls: type | None) -> Iterator[Made]:
    """Objects of the class with other options and other sizes."""
    if cls is None:
        return
    try:
        constructed(cls)
    except Exception:
        return
    for options in [{}, *variants(cls)]:
        alike = ((SIZES[0],) * 4,) if len(required(cls)) > 1 else ()
        for sizes in (SIZES, OTHER_SIZES, *alike) if not options else (SIZES,):
            try:
                yield replace(constructed(cls, sizes, **options), alike=len(set(sizes)) == 1)
            except Exception:
                continue


def with_other_options(value: Any) -> Iterator[Made]:
    """Two functions that are handed a dict of options, with others in it."""
    for name, options in vars(value).items() if isinstance(value, Joined) else ():
        for word in value.words_for(name) if isinstance(options, str) else ():
            other = duplicate(value)
            setattr(other, name, word)
            yield Made(other, "", f"{name}={word!r}")
        read = text_of(sys.modules.get(getattr(value._value, "__module__", "")))
        for key in sorted(VARIED & options.keys() if isinstance(options, dict) else ()):
            if not re.search(rf"['\"]{key}['\"]", read):
                continue
            other = duplicate(value)
            getattr(other, name)[key] = changed = {"mode": "test", "p": 0.3}.get(key) or options[key] + 1
            yield Made(other, "", f"{name}[{key!r}] = {changed!r}", alike=key in WINDOWS)
