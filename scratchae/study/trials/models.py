"""The trials of a model of the library: batches of several sizes, with parameters moved off their start."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ...layers import Dense, Sequential, Sigmoid
from ...losses import MSE
from ...models import Model
from ..gradcheck import check_gradients
from ..styles.objects.copies import duplicate
from .result import RIGHT, UNUSABLE, WRONG, Result, Tried

# parts for a model that the file defines and does not make, by the names of its constructor's arguments
PARTS: dict[str, Callable[[], Any]] = {
    "encoder": lambda: Sequential(Dense(4, 3, rng=0), Sigmoid()),
    "decoder": lambda: Sequential(Dense(3, 4, rng=1), Sigmoid()),
    "mu": lambda: Dense(3, 2, rng=2),
    "log_var": lambda: Dense(3, 2, rng=3),
    "loss": MSE,
}


def constructed(cls: type) -> Model:
    words = {}
    for name, parameter in inspect.signature(cls).parameters.items():
        if name in PARTS and (parameter.default is parameter.empty or name == "loss"):
            words[name] = PARTS[name]()
    if "mu" in words:
        words["decoder"] = Sequential(Dense(2, 4, rng=1), Sigmoid())
    return cls(**words)


def examine(name: str, value: Model | None, cls: type, given: np.ndarray | None) -> Result:
    """Check a model's gradients of its own loss."""
    tried = Tried()
    model = constructed(cls) if value is None else value
    x = given if given is not None else np.random.default_rng(0).uniform(0.05, 0.95, (5, 4))
    report = None
    for moved, n in ((False, len(x)), (True, len(x)), (True, 3), (True, 2), (True, 7)):
        one = duplicate(model)
        if moved:
            one.to(dtype=np.float64)
            one.parameters[...] += 0.1 * np.random.default_rng(n).standard_normal(one.parameters.shape)
        batch = (
            x
            if n == len(x)
            else np.random.default_rng(n).uniform(
                max(float(x.min()), 0.01), max(float(x.max()), 0.99), (n, *x.shape[1:])
            )
        )
        try:
            found = check_gradients(one, batch)
        except NotImplementedError:
            raise
        except Exception as error:
            if report is None:
                return Result(UNUSABLE, "", error=error)
            continue
        tried.trials += 1
        tried.shapes += [str(batch.shape)] if str(batch.shape) not in tried.shapes else []
        tried.batches.add(len(batch))
        if not found.passed:
            return Result(
                WRONG,
                "",
                report=found,
                layer=model,
                tried=tried,
                where="" if report is None else f"for {len(batch)} examples, with its parameters moved",
            )
        report = report or found
    tried.moved = ["all parameters"]
    return Result(RIGHT, "", report=report, layer=model, tried=tried)
