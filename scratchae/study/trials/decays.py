"""Weight decays, right and wrong, and learning rates that decay."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

# what a weight decay may do, right and wrong; each gives the gradient and what is taken off besides
DECAYS: dict[str, Callable] = {
    "none": lambda p, g, h: (g, 0.0),
    "in the gradient": lambda p, g, h: (g + h["wd"] * p, 0.0),
    "beside the step": lambda p, g, h: (g, h["lr"] * h["wd"] * p),
    "beside the step, without the rate": lambda p, g, h: (g, h["wd"] * p),
}

# the parameters that may decay, by their place among weights and biases, and what of a text tells that they are treated apart
DECAYING: dict[str, tuple[Callable[[int, np.ndarray], bool], str]] = {
    "all": (lambda i, p: True, ""),
    "weights": (lambda i, p: i % 2 == 0, r"bias|\bd?b\d?\b"),
    "matrices": (lambda i, p: p.ndim > 1, r"\.ndim\b|len\(\w+\.shape\)"),
}


WRONG_DECAYS: dict[str, tuple[Callable, str]] = {
    "sign": (
        lambda p, g, h: (g - h["wd"] * p, 0.0),
        "the sign of the weight decay is flipped, so that weights grow: g + λ p",
    ),
    "sign beside": (
        lambda p, g, h: (g, -h["lr"] * h["wd"] * p),
        "the sign of the weight decay is flipped, so that weights grow: p -= lr λ p",
    ),
    "twice": (lambda p, g, h: (g + 2 * h["wd"] * p, 0.0), "the weight decay is twice what it should be"),
    "squared": (lambda p, g, h: (g + h["wd"] * p * p, 0.0), "the weight decay takes off λ p², not λ p"),
    "sign of p": (
        lambda p, g, h: (g + h["wd"] * np.sign(p), 0.0),
        "the weight decay takes off λ sign(p), which is that of an L1 penalty, not λ p",
    ),
    "constant": (
        lambda p, g, h: (g + h["wd"], 0.0),
        "the weight decay is added as a number, not times the parameters: g + λ p",
    ),
}


RATES: dict[str, Callable[[Mapping[str, float], int], float]] = {
    "constant": lambda h, t: h["lr"],
    "decaying": lambda h, t: h["lr"] / (1 + h["slow"] * (t - 1)),
    "decaying from the first": lambda h, t: h["lr"] / (1 + h["slow"] * t),
}


WITHOUT_RATE = (
    "the weight decay takes off λ p without the learning rate; PyTorch and Keras take off lr λ p, so that a λ from there is far too large "
    "here. If it is meant so, as in the paper (Loshchilov & Hutter 2019), a comment says it"
)

# what is right in an optimizer without a name of its own, and not in one that says how its weights decay
OTHER_DECAYS = {
    "in the gradient": "the weight decay is added to the gradient, as in Adam with L2: here it belongs beside the step, p -= lr λ p",
    "beside the step, without the rate": "the weight decay takes off λ p without the learning rate: p -= lr λ p",
}
