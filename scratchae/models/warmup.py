"""A weight that grows while training goes on: β of a VAE, so that the code is in use before its cost counts in full."""

from __future__ import annotations

import numpy as np

from ..arguments import number, whole
from ..backend import Array, array_module, move
from ..description import Described


class Warmup(Described):
    """`VAE(…, beta=Warmup(steps))`: β rises evenly to `weight` over the first steps of training, weight · min((t + 1) / steps, 1).

    With all of the KL term from the beginning, a code that still says nothing costs less if it says nothing at all, and may stay
    so (Bowman et al. 2016, section 3.1; Sønderby et al. 2016). Validation and `elbo` count the whole weight always.

    t, the number of steps done, lies on the model's device and is counted there, so that a recorded step sees it grow; it is
    saved with the model, and training that resumes goes on with it.
    """

    parameter_names = ()  # it is asked, as layers are, what of it training changes
    buffer_names = ("t",)

    def __init__(self, steps: int, weight: float = 1.0):
        self.steps = whole(self, "steps", steps)
        self.weight = number(self, "0 <= weight", weight)
        self.t = np.zeros((), np.float32)

    def now(self, in_step: bool) -> float | Array:
        """The weight of the next step of training, a single number on the device; elsewhere the whole weight."""
        if not in_step:
            return self.weight
        xp = array_module(self.t)
        return xp.minimum((self.t + 1) / self.steps, 1) * self.weight

    def advance(self) -> None:
        """A step was taken."""
        array_module(self.t).add(self.t, 1, out=self.t)

    def to(self, device: str | None = None, dtype: object = None) -> Warmup:
        """Move t to a device ("cpu", "gpu") and a dtype, in place."""
        self.t = move(self.t, device, dtype)
        return self

    def label(self) -> str:
        """What errors call it."""
        return repr(self)
