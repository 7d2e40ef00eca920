"""The Kullback-Leibler divergence of a Gaussian from the standard one.

The encoder of a VAE gives, for each example and each of D code numbers, a mean μ and a log-variance
log σ², written log_var. One number pays KL(N(μ, σ²) ‖ N(0, 1)) = E[log q(z) - log p(z)] for z drawn from
q = N(μ, σ²), and p = N(0, 1). Take this expectation first, on paper: E (z - μ)² = σ², and E z² = μ² + σ². Then

    L = 1/N Σₙ Σⱼ KL(N(μₙⱼ, σ²ₙⱼ) ‖ N(0, 1))        mu, log_var (N, D); L a number, in nats

Return (L, ∂L/∂mu, ∂L/∂log_var). The second gradient is in log_var, not in σ.
What are value and gradients at μ = 0, σ = 1?

Check:  scratchae check 11_kl
"""

import numpy as np


def kl(mu, log_var):
    """(L, dmu, dlog_var)."""
    raise NotImplementedError("L, ∂L/∂mu and ∂L/∂log_var")
