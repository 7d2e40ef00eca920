"""Mend a sampler: σ from a log-variance.

The encoder gives log_var = log σ², the KL term takes it as that, and the sampler below draws

    z = μ + e^log_var ε        ε ~ N(0, 1)

Every gradient of it is right: no gradient check sees the mistake. Measure the spread of z and compare it
with σ; then mend forward and backward.

Check:  scratchae check 14_sigma_mistake
"""

import numpy as np


def forward(mu, log_var, eps):
    """z (N, D)."""
    return mu + np.exp(log_var / 2) * eps


def backward(dz, mu, log_var, eps):
    """(dmu, dlog_var), both (N, D)."""
    return dz, dz * eps * np.exp(log_var / 2) / 2
