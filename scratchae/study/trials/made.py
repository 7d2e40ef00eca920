"""Other objects of a learner's class, and functions with other options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..styles.layers.joined import Joined
from ..styles.objects.constructed import OTHER_SIZES, SIZES, Made, constructed
from ..styles.objects.copies import duplicate
from ..styles.text.calls import required
from .inputs import variants


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
        for key in sorted({"stride", "pad", "mode", "p"} & options.keys() if isinstance(options, dict) else ()):
            for changed in {"mode": ("test",), "p": (0.3,)}.get(key, (options[key] + 1,) if key != "mode" else ()):
                other = duplicate(value)
                getattr(other, name)[key] = changed
                yield Made(other, "", f"{name}[{key!r}] = {changed!r}")
