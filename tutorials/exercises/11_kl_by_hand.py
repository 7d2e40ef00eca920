"""The KL divergence of any two normal distributions, derived and then drawn.

For q = N(μ, σ²) and p = N(m, v), where σ² and v are variances,

    KL(q ‖ p) = E_q[log q(z) - log p(z)].

1. Derive a formula without an integral, and write it as `kl`. Write both log-densities with their constants,
   take the difference, and use E_q (z - μ)² = σ² and E_q (z - m)² = σ² + (μ - m)².
2. A formula can be wrong in a way that no gradient check sees. So estimate the same number from its
   definition, as `estimate`: draw zᵢ = μ + σ εᵢ, and return the mean of log q(zᵢ) - log p(zᵢ) and the standard
   error of this mean, the standard deviation of its terms divided by √n.

mu, var, m, v are numbers, epsilon (n,). No number is averaged or summed over anything else.

Check:  scratchae check 11_kl_by_hand
"""

import numpy as np


def kl(mu, var, m, v):
    """KL(N(mu, var) ‖ N(m, v)), in nats."""
    raise NotImplementedError("the formula that you have derived")


def estimate(mu, var, m, v, epsilon):
    """(the mean of log q - log p over the draws, its standard error)."""
    raise NotImplementedError("the draws, both log-densities, the mean and its error")
