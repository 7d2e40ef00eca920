"""The peers' libraries, imported when they are asked for: scratchae needs none of them."""

from __future__ import annotations

import importlib
from types import ModuleType

from ..harness import BenchmarkError


def required(module: str) -> ModuleType:
    """Import a peer's library. Raises BenchmarkError if it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise BenchmarkError(f"{module} is not installed: in a checkout, pip install '.[peers]'") from None
