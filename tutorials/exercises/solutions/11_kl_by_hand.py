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
    return 0.5 * ((var + (mu - m) ** 2) / v - np.log(var / v) - 1)


def estimate(mu, var, m, v, epsilon):
    """(the mean of log q - log p over the draws, its standard error)."""
    z = mu + np.sqrt(var) * epsilon
    log_q = -0.5 * np.log(2 * np.pi * var) - (z - mu) ** 2 / (2 * var)
    log_p = -0.5 * np.log(2 * np.pi * v) - (z - m) ** 2 / (2 * v)
    ratio = log_q - log_p
    return ratio.mean(), ratio.std() / np.sqrt(len(ratio))
