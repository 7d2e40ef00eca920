"""Optimizers: each changes a flat vector of parameters in place, given the gradient.

`lr` is a number or a schedule: a function of the number of updates done so far.
"""

from .descent import SGD, Adam, adam
from .optimizer import Optimizer, clip_norm
from .own import OwnOptimizer, as_optimizer
from .parts import Parts
from .schedules import Cosine, Schedule, Step

__all__ = [
    "SGD",
    "Adam",
    "Cosine",
    "Optimizer",
    "OwnOptimizer",
    "Parts",
    "Schedule",
    "Step",
    "adam",
    "as_optimizer",
    "clip_norm",
]
