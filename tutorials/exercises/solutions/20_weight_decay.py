"""Weight decay with Adam: as a penalty in the gradient (L2), and decoupled (AdamW).

theta, g, m and v are (P,): the parameters, the gradient of the loss, and what Adam remembers. t = 1, 2, …
is the number of the step. Adam without decay is

    m ← β₁ m + (1 - β₁) g,   v ← β₂ v + (1 - β₂) g²
    θ ← θ - η m̂ / (√v̂ + ε),  m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)

`l2` adds the penalty λ |θ|² / 2 to the loss. `adamw` first multiplies θ by 1 - η λ, and gives Adam g
alone. Return new arrays (theta, m, v); the given ones stay as they are.

Check:  scratchae check 20_weight_decay
"""

import numpy as np

beta1, beta2, eps = 0.9, 0.999, 1e-8


def l2(theta, g, m, v, t, lr, decay):
    """One step of Adam on the loss with the penalty."""
    return adamw(theta, g + decay * theta, m, v, t, lr, 0)


def adamw(theta, g, m, v, t, lr, decay):
    """One step of AdamW."""
    theta = (1 - lr * decay) * theta
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return theta - lr * m_hat / (np.sqrt(v_hat) + eps), m, v
