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
    raise NotImplementedError(
        "the product of N(x'; x, τ²) and N(x̃; x', σ² - τ²), as a function of x', is a normal density"
    )
