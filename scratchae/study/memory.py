"""How far back a recurrent layer's gradient reaches: its norm step by step, and the products of Jacobians that make it."""

from __future__ import annotations

import numpy as np

from ..backend import to_numpy
from ..errors import OptionError
from ..layers import RNN
from ..layers.stepping import Recurrent


def through_time(layer: Recurrent) -> np.ndarray:
    """‖∂L/∂h‖ of each step (T,), of the last backward: the root of the sum over h and over the sequences of the batch."""
    if not hasattr(layer, "dh"):
        raise OptionError(f"through_time({layer!r}): no backward has run: call model.training_step(x) first")
    return np.sqrt((to_numpy(layer.dh).astype(np.float64) ** 2).sum(axis=(0, 2)))


def products(layer: RNN) -> np.ndarray:
    """What a gradient is multiplied by on its way back: the spectral norms of Jₜ Jₜ₋₁ … Jₜ₋ₖ₊₁ from the last step, (T,), for k = 0 … T - 1
    steps, as the mean over the sequences of the last forward.

    Of a step h = tanh(x W + h₋₁ U + b), J = ∂h/∂h₋₁ has ∂hⱼ/∂h₋₁ᵢ = (1 − hⱼ²) Uᵢⱼ. So k steps give at most (max tanh')ᵏ ‖U‖ᵏ, and where tanh'
    is 1, as near h = 0, they go as |λ|ᵏ with the largest eigenvalue λ of U (Pascanu et al. 2013).
    """
    if not isinstance(layer, RNN) or not hasattr(layer, "states"):
        raise OptionError(f"products({layer!r}): expected an RNN whose forward has run")
    U, h = to_numpy(layer.U).astype(np.float64), to_numpy(layer.states).astype(np.float64)
    T, N, hidden = h[1:].shape
    product, norms = np.broadcast_to(np.eye(hidden), (N, hidden, hidden)), []
    for t in reversed(range(1, T + 1)):
        norms.append(np.linalg.norm(product, 2, axis=(1, 2)).mean())
        product = U @ ((1 - h[t] ** 2)[:, :, None] * product)
    return np.array(norms)
