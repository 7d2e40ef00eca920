"""The reparameterisation trick.

The code of a VAE is drawn from N(μ, σ²). A draw has no derivative; but drawn as

    z = μ + σ ε,   ε ~ N(0, 1),   σ = exp(log_var / 2)        all (N, D)

it is a plain function of μ and log_var, with ε a constant. Write forward, and backward: given
dz = ∂L/∂z, return (∂L/∂mu, ∂L/∂log_var).

Check:  scratchae check 11_reparameterise
"""

import numpy as np


def forward(mu, log_var, eps):
    """z (N, D)."""
    raise NotImplementedError("z from mu, log_var and eps")


def backward(dz, mu, log_var, eps):
    """(dmu, dlog_var), both (N, D)."""
    raise NotImplementedError("dz times ∂z/∂mu, and dz times ∂z/∂log_var")
