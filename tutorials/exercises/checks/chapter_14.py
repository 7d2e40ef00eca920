"""The checks of the exercises of chapter 14."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from scratchae.tutorial.answers import equal

from .chapter_10 import sparse_kl
from .chapter_11 import kl, reparameterise
from .tools import normal


def heads(module: ModuleType) -> list[str]:
    a, eps, dz = normal(5, 6), normal(5, 3, seed=1), normal(5, 3, seed=2)
    mu, log_var = a[:, :3], a[:, 3:]
    drawn = lambda mu, log_var: mu + np.exp(log_var / 2) * eps  # noqa: E731
    mistakes = {
        "one mean and one spread are stretched over all numbers of the code": drawn(
            a[:, :1], a[:, 1:2]
        ),
        "one mean is stretched over all numbers of the code": drawn(a[:, :1], log_var),
        "one spread is stretched over all numbers of the code": drawn(mu, a[:, 3:4]),
        "μ and log σ² have changed places": drawn(log_var, mu),
        "μ is the first K columns, log σ² the last K: they do not alternate": drawn(
            a[:, ::2], a[:, 1::2]
        ),
        "e^(log σ²) is the variance σ²: σ is its root": mu + np.exp(log_var) * eps,
    }
    facts = [equal("z", module.forward(a.copy(), eps.copy()), drawn(mu, log_var), mistakes)]
    dlog_var = dz * eps * np.exp(log_var / 2) / 2
    beside = lambda dmu, dlog_var: np.concatenate([dmu, dlog_var], axis=1)  # noqa: E731
    only_first = np.zeros((5, 6))
    only_first[:, 0] = dz.sum(axis=1)
    only_first[:, 1] = (dz * eps * np.exp(a[:, 1:2] / 2)).sum(axis=1) / 2
    mistakes = {
        "it is that of one mean and one spread: all other columns get nothing": only_first,
        "the ½ of ∂σ/∂log σ² = σ / 2 is missing": beside(dz, 2 * dlog_var),
        "dμ and dlog σ² have changed places": beside(dlog_var, dz),
        "ε is missing": beside(dz, dz * np.exp(log_var / 2) / 2),
    }
    found = module.backward(dz.copy(), a.copy(), eps.copy())
    return [*facts, equal("da", found, beside(dz, dlog_var), mistakes)]


CHECKS = {
    "14_kl_mistake": kl,
    "14_sigma_mistake": reparameterise,
    "14_heads_mistake": heads,
    "14_sparsity_mistake": sparse_kl,
}
