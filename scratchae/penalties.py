"""Penalties on a code, `penalty(z) -> (value, dz)`, added to the loss. They are summed over units and averaged over the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .arguments import number
from .backend import Array, require_examples
from .description import Described
from .errors import DataError
from .losses import checked, name_of, require_made


class Penalty(Described):
    """`penalty(z) -> (value, dz)` for a code z (N, D).

    A penalty of your own can be a function, `Autoencoder(…, penalty=small)`:

        def small(z):
            return (z * z).sum() / len(z), 2 * z / len(z)

    A subclass can check the code before training.
    """

    # whether it is a mean over examples, each with its own penalty, so that a batch may be split (models/parallel.py);
    # not inherited
    examples_apart = False
    # how names in the formulas are written; settings that are not here are written as numbers
    symbols: Mapping[str, str] = {}
    # value and dz as expressions that study/formula/ reads; N is the number of examples
    formulas: Mapping[str, str] = {}

    def __call__(self, z: Array) -> tuple[Array, Array]:
        raise NotImplementedError

    def check_code(self, z: Array) -> None:
        """Raise DataError if this penalty cannot act on z. `fit` calls it once."""


class OwnPenalty(Penalty):
    """A function `f(z) -> (value, dz)` as a penalty. Raises an error if it returns something else."""

    def __init__(self, function: Callable[[Array], tuple[Array, Array]]):
        self.function = function

    def __call__(self, z: Array) -> tuple[Array, Array]:
        return checked(self.function, self.function(z), z, "code")

    def __repr__(self) -> str:
        return name_of(self.function)


def as_penalty(penalty: Any) -> Penalty:
    """The penalty itself, or a function as a penalty. Raises OptionError for a class or an object that cannot be called."""
    require_made(penalty, Penalty, "penalty")
    return penalty if isinstance(penalty, Penalty) else OwnPenalty(penalty)


class L1(Penalty):
    """weight · 1/N Σₙ Σⱼ |zₙⱼ|: pulls activations towards 0 and leaves many there. dz = weight · sign(z) / N."""

    examples_apart = True
    symbols = {"weight": "λ"}
    formulas = {
        "value": "weight * sum(abs(z)) / N  # Every number of the code costs its size, so that codes become [sparse](glossary.md#sparse-code). ([Chapter 10](10_sparse_contractive.py))",
        "dz": "weight * sign(z) / N  # The slope of |z| is its sign: each number is pulled towards 0 with the same force, however small it is.",
    }

    def __init__(self, weight: float):
        self.weight = number(self, "0 <= weight", weight)

    def __call__(self, z: Array) -> tuple[Array, Array]:
        xp = require_examples(z, "z")
        scale = self.weight / len(z)
        return xp.sum(xp.abs(z)) * scale, xp.sign(z) * scale


class SparseKL(Penalty):
    """weight · Σⱼ KL(ρ ‖ ρ̂ⱼ): it pulls every unit towards being on in a share ρ = `target` of the examples of
    the batch.

    ρ̂ⱼ = 1/N Σₙ zₙⱼ; KL(ρ ‖ ρ̂) = ρ log(ρ / ρ̂) + (1 - ρ) log((1 - ρ) / (1 - ρ̂));
    ∂/∂zₙⱼ = weight / N · (-ρ / ρ̂ⱼ + (1 - ρ) / (1 - ρ̂ⱼ)), the same for every example n.
    z must lie in [0, 1], as a sigmoid's output does. Ng 2011, CS294A lecture notes, "Sparse autoencoder".
    """

    symbols = {"mean": "μ", "target": "ρ", "weight": "λ"}
    formulas = {
        "mean": "clip(mean(z, axis=0), 1e-6, 1 - 1e-6)  # The mean of a unit over the batch says how often it is on.",
        "value": "weight * sum(target * log(target / mean) + (1 - target) * log((1 - target) / (1 - mean)))  # It costs the more, the further a unit is from being on in the wanted share ρ of the examples. ([Chapter 10](10_sparse_contractive.py))",
        "dz": "weight * ((1 - target) / (1 - mean) - target / mean) / N  # A unit that is on too rarely gets a negative gradient, which raises it, in all examples alike, because all of them share its mean.",
    }

    def __init__(self, target: float, weight: float):
        self.target = number(self, "0 < target < 1", target)
        self.weight = number(self, "0 <= weight", weight)

    def __call__(self, z: Array) -> tuple[Array, Array]:
        xp = require_examples(z, "z")
        n, rho = len(z), self.target
        # for a unit that is always or never on, the gradient would divide by zero: keep the mean a little away from 0 and 1
        mean = xp.clip(xp.mean(z, axis=0), 1e-6, 1 - 1e-6)  # ρ̂ (D,)
        value = self.weight * xp.sum(rho * xp.log(rho / mean) + (1 - rho) * xp.log((1 - rho) / (1 - mean)))
        dmean = self.weight * ((1 - rho) / (1 - mean) - rho / mean)
        return value, xp.zeros_like(z) + dmean / n

    def check_code(self, z: Array) -> None:
        require_examples(z, "z")
        if not (float(z.min()) >= 0 and float(z.max()) <= 1):
            raise DataError(
                f"SparseKL needs a code in [0, 1], got min {float(z.min()):g}, max {float(z.max()):g}: end the encoder with Sigmoid(), or use L1"
            )
