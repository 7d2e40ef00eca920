"""One step of sampling: from the noise level σ down to τ < σ.

Let x̃ have the noise σ: x̃ = x' + √(σ² - τ²) ξ', where x' has the noise τ: x' = x + τ ε. Given x̃ *and*
x, x' is normally distributed (Bayes' rule for two normal distributions):

    x' = a x + b x̃ + c ξ,   ξ ~ N(0, 1)

A sampler does not know x. It puts the net's x̂ in its place, a normal distribution with the same c and
another mean. How far the two are apart is the KL divergence

    KL = weight · |x - x̂|²

of which the bound on log p(x) is made. Return (a, b, c, weight), four numbers, for 0 < τ < σ.

Check:  scratchae check 19_schedule
"""

import numpy as np


def step(sigma, tau):
    """(a, b, c, weight)."""
    # -(x' - x)² / 2τ² - (x̃ - x')² / 2(σ² - τ²): the precisions add, the means are weighted by them
    precision = 1 / tau**2 + 1 / (sigma**2 - tau**2)  # σ² / (τ² (σ² - τ²))
    a = 1 / tau**2 / precision  # 1 - τ²/σ²
    b = 1 / (sigma**2 - tau**2) / precision  # τ²/σ²
    c = np.sqrt(1 / precision)  # τ √(1 - τ²/σ²)
    # KL of two normal distributions of the same variance c², whose means are a (x - x̂) apart
    return a, b, c, a**2 / (2 * c**2)  # ½ (1/τ² - 1/σ²)
