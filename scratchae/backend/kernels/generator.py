"""Random numbers on the device."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from ..types import Array
from . import Launch


class Generator:
    """Random numbers on the device, by the Philox kernels: those methods of NumPy's Generator that the library uses.

    `position`, 0-d, counts training steps on the device. `advance` adds 1 to it and begins the draws of a step: a replayed step
    draws other numbers because its position differs. `reseed` starts again, in the same memory, as a recorded step needs.
    """

    def __init__(self, xp: ModuleType, launch: Launch, seed: object = None):
        self.xp, self.launch = xp, launch
        self.state = xp.zeros(3, dtype=np.uint32)  # the key's two words, and the position
        self.position = self.state[2:].reshape(())
        self.reseed(seed)

    def reseed(self, seed: object) -> None:
        sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        self.state[...] = self.xp.asarray(np.append(sequence.generate_state(2), 0).astype(np.uint32))
        self.draws = 0

    def advance(self) -> None:
        self.launch("advance", "float32", 1, self.state)
        self.draws = 0

    def random(self, size: object = None, dtype: object = np.float64) -> Array:
        """Uniform in [0, 1)."""
        return self.drawn("uniform", size, dtype)

    def standard_normal(self, size: object = None, dtype: object = np.float64) -> Array:
        """Normal, with mean 0 and variance 1."""
        return self.drawn("normal", size, dtype)

    def drawn(self, name: str, size: object, dtype: object) -> Array:
        y = self.xp.empty(() if size is None else size, dtype=dtype)
        self.launch(name, y.dtype, y.size, self.state, self.draws, y)
        self.draws += 1
        return y
