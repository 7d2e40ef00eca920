"""What each optimizer takes off the parameters in step t, and the mistakes that people make in it: the same lines with one thing wrong.

`s` keeps what lasts from step to step, `h` holds the settings, `bug` names a mistake, and a form is one of several that are all right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def sgd(s, p, g, t, h, bug=""):
    return h["lr"] * (-g if bug == "sign" else g)


def momentum(s, p, g, t, h, bug="", form="plain"):
    mu, lr = h["mu"], h["lr"]
    v = s.get("v", np.zeros_like(p))
    share = 1 - mu if form in ("averaged", "corrected", "nesterov averaged") else 1
    scale = lr if form == "inside" else 1
    new = {
        "gradient_times_momentum": v + mu * g,
        "no_velocity": share * scale * g,
        "swapped": (1 - mu) * v + mu * g,
        "not_decayed": v + scale * share * g,
        "sign_of_velocity": -mu * v + scale * share * g,
        "gradient_not_added": mu * v if t > 1 else scale * share * g,
    }.get(bug, mu * v + scale * share * g)
    s["v"] = new
    if bug == "rate_twice":
        return lr * lr * new
    if bug == "no_rate":
        return new
    if bug == "old_velocity":
        return (1 if form == "inside" else lr) * v
    sign = -1 if bug == "sign" else 1
    if "nesterov" in form:
        ahead = {
            "only_ahead": mu * new,
            "not_ahead": new,
            "ahead_of_old": share * g + mu * v,
            "ahead_undamped": share * g + new,
        }.get(bug, share * g + mu * new)
        if form == "nesterov of both":  # of the old velocity and the new one, which comes to the same
            ahead = (1 + mu) * new + (mu if bug == "old_added" else -mu) * v
        return sign * lr * ahead
    if form == "corrected":
        return sign * lr * new / (1 - mu**t)
    return sign * (1 if form == "inside" else lr) * new


def scaled(g, second, h, bug="", inside=False):
    """The gradient divided by the root of its second moment."""
    eps = h["eps"]
    if bug == "no_root":
        return g / (second + eps)
    if bug == "root_twice":
        return g / (np.sqrt(np.sqrt(second)) + eps)
    return g / (np.sqrt(second + eps) if inside else np.sqrt(second) + eps)


def adagrad(s, p, g, t, h, bug="", inside=False):
    c = s.get("c", np.full_like(p, h["start"]))
    square = g if bug == "not_squared" else g * g
    s["c"] = square if bug == "not_kept" else c + square
    second = c if bug == "old_cache" and t > 1 else s["c"]
    return (-1 if bug == "sign" else 1) * h["lr"] * scaled(g, second, h, bug, inside)


def rmsprop(s, p, g, t, h, bug="", form="plain"):
    rho, c = h["rho"], s.get("c", np.zeros_like(p))
    square = g if bug == "not_squared" else g * g
    s["c"] = {
        "swapped": (1 - rho) * c + rho * square,
        "not_averaged": rho * c + square,
        "not_decayed": c + (1 - rho) * square,
        "not_kept": (1 - rho) * square,
        "both_same": rho * c + rho * square,
    }.get(bug, rho * c + (1 - rho) * square)
    second = s["c"]
    if "centred" in form:
        s["a"] = rho * s.get("a", np.zeros_like(p)) + (1 - rho) * g
        second = second + {"mean_added": 1, "mean_left_out": 0}.get(bug, -1) * s["a"] ** 2
    if bug == "centred_kept":
        s["c"] = second
    step = scaled(g, second, h, bug, "inside" in form)
    if h["momentum"]:
        kept = s.get("b", np.zeros_like(p))
        new = (1 if bug == "buffer_not_decayed" else h["momentum"]) * kept + step
        s["b"] = kept if bug == "buffer_not_kept" else new
        step = step if bug == "buffer_left_out" else new
    return (-1 if bug == "sign" else 1) * h["lr"] * step


def adam(s, p, g, t, h, bug="", form="plain"):
    b1, b2, lr, eps = h["beta1"], h["beta2"], h["lr"], h["eps"]
    if bug == "betas_swapped":
        b1, b2 = b2, b1
    m, v = s.get("m", np.zeros_like(p)), s.get("v", np.zeros_like(p))
    square = {"not_squared": g, "square_of_m": None}.get(bug, g * g)
    m = {
        "m_swapped": (1 - b1) * m + b1 * g,
        "m_not_averaged": b1 * m + g,
        "m_not_decayed": m + (1 - b1) * g,
        "m_not_kept": (1 - b1) * g,
        "m_is_g": g,
    }.get(bug, b1 * m + (1 - b1) * g)
    if square is None:
        square = m * m
    v = {
        "v_swapped": (1 - b2) * v + b2 * square,
        "v_not_averaged": b2 * v + square,
        "v_not_decayed": v + (1 - b2) * square,
        "v_with_beta1": b1 * v + (1 - b1) * square,
        "v_not_kept": (1 - b2) * square,
    }.get(bug, b2 * v + (1 - b2) * square)
    power = {"t_from_0": t - 1, "t_one_more": t + 1, "t_never_grows": 1, "no_power": 1}.get(bug, t)
    c1 = 1 if bug in ("no_correction", "m_not_corrected") else 1 - b1**power
    c2 = 1 if bug in ("no_correction", "v_not_corrected") else 1 - (b1 if bug == "beta1_twice" else b2) ** power
    if bug == "times_correction":
        mh, vh = m * c1, v * c2
    else:
        with np.errstate(all="ignore"):
            mh, vh = m / c1, v / c2
    s["m"], s["v"] = (mh, vh) if bug == "correction_kept" else (m, v)
    if bug == "m_correction_kept":
        s["m"] = mh
    if bug == "v_correction_kept":
        s["v"] = vh
    if form == "first amsgrad":  # as its authors wrote it: nothing is corrected
        mh, vh = m, v
    if (
        "amsgrad" in form and bug != "max_unused"
    ):  # late: the largest v is corrected, not the largest of the corrected ones
        c = c2 if form == "late amsgrad" else 1
        s["vmax"] = np.maximum(s.get("vmax", np.zeros_like(p)), vh if form == "amsgrad" else v)
        vh = s["vmax"] / c
    if "nadam" in form:  # ahead: m is corrected as in the next step
        mh = b1 * (m / (1 - b1 ** (t + 1)) if form == "nadam ahead" else mh) + (1 - b1) * g / c1
    sign = -1 if bug == "sign" else 1
    if bug == "no_root":
        return lr * mh / (vh + eps)
    if bug == "gradient_for_m":
        return lr * g / (np.sqrt(vh) + eps)
    if form == "inside":
        return sign * lr * mh / np.sqrt(vh + eps)
    if "one rate" in form:  # lr √(1 - β₂ᵗ) / (1 - β₁ᵗ), with eps beside the uncorrected √v
        return sign * lr * np.sqrt(c2) / c1 * m / (np.sqrt(vh if "amsgrad" in form else v) + eps)
    return sign * lr * mh / (np.sqrt(vh) + eps)


def adamax(s, p, g, t, h, bug="", inside=False):
    beside, within = (0, h["eps"]) if inside else (h["eps"], 0)
    s["m"] = h["beta1"] * s.get("m", np.zeros_like(p)) + (1 - h["beta1"]) * g
    s["u"] = np.maximum(h["beta2"] * s.get("u", np.zeros_like(p)), np.abs(g) + within)
    return h["lr"] / (1 - h["beta1"] ** t) * s["m"] / (s["u"] + beside)


def adadelta(s, p, g, t, h, bug="", rated=False):
    rho, eps = h["rho"], h["eps"]
    s["c"] = rho * s.get("c", np.zeros_like(p)) + (1 - rho) * g * g
    step = np.sqrt(s.get("d", np.zeros_like(p)) + eps) / np.sqrt(s["c"] + eps) * g
    s["d"] = rho * s.get("d", np.zeros_like(p)) + (1 - rho) * step * step
    return (h["lr"] if rated else 1) * step


def adabelief(s, p, g, t, h, bug="", form="plain"):
    """Zhuang et al. 2020, algorithm 2: v averages (g - m)²."""
    b1, b2, eps = h["beta1"], h["beta2"], h["eps"]
    s["m"] = b1 * s.get("m", np.zeros_like(p)) + (1 - b1) * g
    s["v"] = b2 * s.get("v", np.zeros_like(p)) + (1 - b2) * (g - s["m"]) ** 2 + (eps if form == "plain" else 0)
    return h["lr"] * s["m"] / (1 - b1**t) / (np.sqrt(s["v"] / (1 - b2**t)) + eps)


def radam(s, p, g, t, h, bug="", least=4, one_rate=False):
    """Liu et al. 2020, algorithm 2. In PyTorch, the variance is believed from a length of 5 on, not of 4, and eps stands beside the
    uncorrected √v."""
    b1, b2 = h["beta1"], h["beta2"]
    s["m"] = b1 * s.get("m", np.zeros_like(p)) + (1 - b1) * g
    s["v"] = b2 * s.get("v", np.zeros_like(p)) + (1 - b2) * g * g
    longest = 2 / (1 - b2) - 1
    length = longest - 2 * t * b2**t / (1 - b2**t)
    step = h["lr"] * s["m"] / (1 - b1**t)
    if length <= least:
        return step
    r = np.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
    c = np.sqrt(1 - b2**t)
    return step * r * c / (np.sqrt(s["v"]) + h["eps"] * (1 if one_rate else c))


def lion(s, p, g, t, h, bug=""):
    """Chen et al. 2023, algorithm 2: the sign of one average is the step, another average is kept."""
    m = s.get("m", np.zeros_like(p))
    b1, b2 = (h["beta2"], h["beta1"]) if bug == "betas_swapped" else (h["beta1"], h["beta2"])
    c = b1 * m + (1 - b1) * g
    s["m"] = {"kept_with_beta1": c}.get(bug, b2 * m + (1 - b2) * g)
    step = {"no_sign": c, "sign_of_kept": np.sign(s["m"])}.get(bug, np.sign(c))
    return (-1 if bug == "sign" else 1) * h["lr"] * step


# for each family: its definition, the forms that are all right, and the mistakes with what is said of each
FAMILIES: dict[str, tuple[Callable, tuple[dict[str, Any], ...], dict[str, str]]] = {
    "sgd": (sgd, ({},), {"sign": "it goes up the gradient: the sign of the step is flipped"}),
    "momentum": (
        momentum,
        tuple({"form": form} for form in ("plain", "inside", "averaged", "corrected", "nesterov", "nesterov averaged", "nesterov of both")),
        {
            "gradient_times_momentum": "the momentum multiplies the gradient, not the velocity, so that the velocity never decays: v = μ v + g",
            "not_decayed": "the velocity never decays: v = μ v + g",
            "no_velocity": "the velocity is not kept from step to step: v = μ v + g",
            "swapped": "μ and 1 - μ have changed places: v = μ v + (1 - μ) g",
            "sign_of_velocity": "the sign of the velocity is flipped: v = μ v + g",
            "gradient_not_added": "the gradient is added in the first step only: v = μ v + g",
            "rate_twice": "the learning rate is multiplied twice: in v, and again where v is taken off",
            "no_rate": "the learning rate is left out",
            "old_velocity": "the velocity of the step before is taken off, not the new one",
            "sign": "it goes up the gradient: the sign of the step is flipped",
            "only_ahead": "the gradient itself is left out of the step: p -= lr (g + μ v)",
            "not_ahead": "it is the step of ordinary momentum: Nesterov's goes ahead, p -= lr (g + μ v)",
            "ahead_undamped": "the μ before v is missing: p -= lr (g + μ v)",
            "old_added": "the sign of the old velocity is flipped: p -= lr ((1 + μ) v - μ v_old)",
            "ahead_of_old": "the old velocity is used where the new one belongs: p -= lr (g + μ v)",
        },
    ),
    "adagrad": (
        adagrad,
        ({}, {"inside": True}),
        {
            "no_root": "the square root of the sum of squares is missing: p -= lr g / (√c + ε)",
            "not_squared": "the gradient is not squared in the sum: c += g²",
            "not_kept": "the squares are not added up from step to step: c += g²",
            "old_cache": "the sum of squares of the step before is used, not the new one",
            "root_twice": "the square root is taken twice",
            "sign": "it goes up the gradient: the sign of the step is flipped",
        },
    ),
    "rmsprop": (
        rmsprop,
        tuple({"form": form} for form in ("plain", "inside", "centred", "centred inside")),
        {
            "no_root": "the square root of the mean square is missing: p -= lr g / (√c + ε)",
            "not_squared": "the gradient is not squared in the average: c = ρ c + (1 - ρ) g²",
            "swapped": "ρ and 1 - ρ have changed places: c = ρ c + (1 - ρ) g²",
            "not_averaged": "the 1 - ρ before g² is missing: c = ρ c + (1 - ρ) g²",
            "not_decayed": "the average never decays: c = ρ c + (1 - ρ) g²",
            "not_kept": "the average is not kept from step to step: c = ρ c + (1 - ρ) g²",
            "both_same": "g² is multiplied by ρ, not by 1 - ρ: c = ρ c + (1 - ρ) g²",
            "mean_added": "centred, the square of the mean gradient a is taken off, not added: √(c - a²)",
            "mean_left_out": "centred, the square of the mean gradient a is taken off: √(c - a²)",
            "centred_kept": "the square of the mean gradient a is taken off the average c itself, which is kept for the next step: v = c - a² is another array",
            "buffer_not_decayed": "the momentum buffer never decays: b = μ b + g / (√c + ε)",
            "buffer_not_kept": "the momentum buffer is not kept from step to step: b = μ b + g / (√c + ε)",
            "buffer_left_out": "the momentum does nothing: b = μ b + g / (√c + ε), p -= lr b",
            "sign": "it goes up the gradient: the sign of the step is flipped",
        },
    ),
    "adam": (
        adam,
        tuple({"form": form} for form in ("plain", "inside", "one rate", "amsgrad", "late amsgrad", "amsgrad of one rate", "nadam", "nadam ahead")),
        {
            "max_unused": "the largest v so far is not used: √v̂ stands where √max v belongs",
            "no_power": "the bias correction divides by 1 - β, not by 1 - βᵗ",
            "correction_kept": "the correction is kept in m and v, and adds up from step to step: correct copies of them",
            "m_correction_kept": "the correction is kept in m, and adds up from step to step: correct a copy of it",
            "v_correction_kept": "the correction is kept in v, and adds up from step to step: correct a copy of it",
            "no_correction": "the bias correction is missing: m / (1 - β₁ᵗ) and v / (1 - β₂ᵗ)",
            "m_not_corrected": "the bias correction of m is missing: m / (1 - β₁ᵗ)",
            "v_not_corrected": "the bias correction of v is missing: v / (1 - β₂ᵗ)",
            "beta1_twice": "v is corrected with β₁, not with β₂",
            "v_with_beta1": "v is averaged with β₁, not with β₂",
            "betas_swapped": "β₁ and β₂ have changed places",
            "t_from_0": "t is one too small in the bias correction: it begins with 1",
            "t_one_more": "t is one too large in the bias correction: it begins with 1",
            "times_correction": "m and v are multiplied by the bias correction, not divided by it",
            "not_squared": "the gradient is not squared in v: v = β₂ v + (1 - β₂) g²",
            "square_of_m": "v averages m², not g²: v = β₂ v + (1 - β₂) g²",
            "m_swapped": "β₁ and 1 - β₁ have changed places: m = β₁ m + (1 - β₁) g",
            "v_swapped": "β₂ and 1 - β₂ have changed places: v = β₂ v + (1 - β₂) g²",
            "m_not_averaged": "the 1 - β₁ before g is missing: m = β₁ m + (1 - β₁) g",
            "v_not_averaged": "the 1 - β₂ before g² is missing: v = β₂ v + (1 - β₂) g²",
            "m_not_decayed": "m never decays: m = β₁ m + (1 - β₁) g",
            "v_not_decayed": "v never decays: v = β₂ v + (1 - β₂) g²",
            "m_not_kept": "m is not kept from step to step: m = β₁ m + (1 - β₁) g",
            "v_not_kept": "v is not kept from step to step: v = β₂ v + (1 - β₂) g²",
            "gradient_for_m": "the gradient itself is taken off in place of its average m",
            "m_is_g": "m is the gradient itself, not its average",
            "no_root": "the square root of v is missing: p -= lr m / (√v + ε)",
            "sign": "it goes up the gradient: the sign of the step is flipped",
        },
    ),
    "adabelief": (adabelief, ({}, {"form": "without"}), {}),
    "radam": (radam, tuple({"least": n, "one_rate": one} for n in (4, 5) for one in (False, True)), {}),
    "lion": (
        lion,
        ({},),
        {
            "kept_with_beta1": "m is kept with β₁, not with β₂: m = β₂ m + (1 - β₂) g",
            "betas_swapped": "β₁ and β₂ have changed places",
            "no_sign": "the sign is left out: p -= lr sign(β₁ m + (1 - β₁) g)",
            "sign_of_kept": "the step is the sign of the m that is kept, not of β₁ m + (1 - β₁) g",
            "sign": "it goes up the gradient: the sign of the step is flipped",
        },
    ),
    "adamax": (adamax, ({}, {"inside": True}), {}),
    "adadelta": (adadelta, ({}, {"rated": True}), {}),
}  # fmt: skip
for _name, _forms in (
    ("amsgrad", ("amsgrad", "late amsgrad", "first amsgrad", "amsgrad of one rate")),
    ("nadam", ("nadam", "nadam ahead")),
):
    FAMILIES[_name] = adam, tuple({"form": form} for form in _forms), FAMILIES["adam"][2]


NAMES = {"sgd": "gradient descent, p -= lr g", "momentum": "momentum, v = μ v + g, p -= lr v", "adagrad": "AdaGrad, c += g², p -= lr g / (√c + ε)", "rmsprop": "RMSprop, c = ρ c + (1 - ρ) g², p -= lr g / (√c + ε)", "adam": "Adam, p -= lr m̂ / (√v̂ + ε)", "amsgrad": "AMSGrad, p -= lr m / (√max v + ε)", "nadam": "Nadam", "adamax": "Adamax", "adadelta": "Adadelta", "adabelief": "AdaBelief", "radam": "RAdam", "lion": "Lion, p -= lr sign(β₁ m + (1 - β₁) g)"}  # fmt: skip
