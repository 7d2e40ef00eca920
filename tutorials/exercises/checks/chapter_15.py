"""The checks of the exercises of chapter 15."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from scratchae.tutorial.answers import equal

from .tools import normal, several, sigmoid


def gan_step(module: ModuleType) -> list[str]:
    x, z = normal(6, 4), normal(6, 3, seed=1)
    V, w, b = normal(3, 4, seed=2), normal(4, 1, seed=3), normal(1, seed=4)
    copies = (array.copy() for array in (x, z, V, w, b))
    found = several("gan_step(x, z, V, w, b)", module.gan_step(*copies), 3)

    def step(saturating=False, through=w, made=True, n=6, sign=1):
        fake = z @ V
        real_logits, made_logits = x @ w + b, fake @ w + b
        da = -sigmoid(made_logits) if saturating else sigmoid(made_logits) - 1
        real, false = sigmoid(real_logits) - 1, made * sigmoid(made_logits)
        return (
            sign * z.T @ (da @ through.T) / n,
            sign * (x.T @ real + fake.T @ false) / n,
            sign * (real + false).sum(axis=0) / n,
        )

    right = step()
    mistakes = {
        "the sign is flipped": step(sign=-1),
        "the mean over the examples is missing": step(n=1),
        "it descends -L_D: the generator's own loss is -log σ(a), with (σ(a) - 1) / N": step(
            saturating=True
        ),
        "the way through the discriminator is missing: ∂L/∂x̃ is ∂L/∂a wᵀ": step(
            through=np.ones_like(w)
        ),
        "the made examples are missing in L_D": step(made=False),
    }
    return [
        equal(name, mine, expected, {text: wrong[k] for text, wrong in mistakes.items()})
        for k, (name, mine, expected) in enumerate(
            zip(("dV", "dw", "db"), found, right, strict=True)
        )
    ]


CHECKS = {
    "15_gan_step": gan_step,
}
