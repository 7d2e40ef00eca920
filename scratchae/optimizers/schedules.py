"""Learning rates that change: functions of the number of updates done so far."""

from __future__ import annotations

import math

from ..arguments import number, refuse, whole
from ..description import Described


class Schedule(Described):
    """A learning rate that changes: `schedule(t)` is the rate for the update after t updates."""

    def __call__(self, t: int) -> float:
        raise NotImplementedError


class Step(Schedule):
    """The rate falls to `factor` of itself every `every` updates: lr · factor^⌊t / every⌋."""

    def __init__(self, lr: float, every: int, factor: float = 0.1):
        self.lr, self.every = number(self, "0 <= lr", lr), whole(self, "every", every)
        self.factor = number(self, "0 <= factor", factor)

    def __call__(self, t: int) -> float:
        times = whole(self, "t", t, least=0) // self.every
        try:
            return self.lr * self.factor**times
        except OverflowError:
            refuse(self, "t", t, f"fewer updates, as {self.factor}^{times} is more than a number can hold")


class Cosine(Schedule):
    """Half a cosine from lr down to 0 over `steps` updates, after a linear rise over the first `warmup` of
    them.

    lr · ½ (1 + cos(π (t - warmup) / (steps - warmup))) (Loshchilov and Hutter 2017, eq. 5, without restarts).
    """

    def __init__(self, lr: float, steps: int, warmup: int = 0):
        self.lr, self.steps = number(self, "0 <= lr", lr), whole(self, "steps", steps)
        self.warmup = whole(self, "warmup", warmup, least=0)
        if self.warmup >= self.steps:
            refuse(self, "warmup", warmup, f"fewer updates than steps={steps}")

    def __call__(self, t: int) -> float:
        if whole(self, "t", t, least=0) < self.warmup:
            return self.lr * (t + 1) / self.warmup
        progress = min((t - self.warmup) / (self.steps - self.warmup), 1.0)
        return self.lr * 0.5 * (1 + math.cos(math.pi * progress))
