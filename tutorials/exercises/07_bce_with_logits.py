"""Binary cross-entropy from logits, stable.

The decoder gives a logit a for each pixel, and p = σ(a) = 1 / (1 + e⁻ᵃ) is the probability that it is
on. Summed over the pixels, averaged over the N examples:

    L = -1/N Σₙ Σⱼ (t log p + (1 - t) log(1 - p))        a, t (N, D); L a number, in nats

At a = 40, 1 - p is 0 in the computer, and its logarithm minus infinity. Show that

    -t log p - (1 - t) log(1 - p) = log(1 + eᵃ) - t a,   and   log(1 + eᵃ) = max(a, 0) + log(1 + e^-|a|)

where nothing overflows (np.log1p(x) is log(1 + x)), and that the derivative in a is very short.
σ(a) must not overflow either: e⁻ᵃ does, for a = -1000. Return (L, ∂L/∂a).

Check:  scratchae check 07_bce_with_logits
"""

import numpy as np


def bce_with_logits(prediction, target):
    """(L, dprediction), where prediction holds logits."""
    raise NotImplementedError("L without overflow, and ∂L/∂a")
