"""Mend a formula: a KL term that is right for another variable.

    KL = ½ (μ² + (e^log_var)²) - log_var - ½

With log_var = log σ², this is not KL(N(μ, σ²) ‖ N(0, 1)), and its gradient, though it fits the formula, is
not that of the KL: a gradient check passes. At μ = 0 and σ = 1 the value is right; just away from it,
not. For which meaning of the variable is the formula right? Mend value and gradient for log_var = log σ².

Summed over D code numbers, averaged over the N examples: mu, log_var (N, D).

Check:  scratchae check 14_kl_mistake
"""

import numpy as np


def kl(mu, log_var):
    """(value, dmu, dlog_var)."""
    n = len(mu)
    variance = np.exp(log_var) ** 2
    value = (0.5 * (mu**2 + variance) - log_var - 0.5).sum() / n
    return value, mu / n, (variance - 1) / n
