"""An optimizer against its definition, over several steps, and the mistakes that people make in it."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..diagnosis.finding import Finding, finding
from ..styles.names import plain
from ..styles.updating import Arrays, Updating, ways
from .inputs import constructed, variants
from .result import RIGHT, UNUSABLE, WRONG, Result, Tried

STEPS = 6
SETTINGS = {
    "lr": ("lr", "learningrate", "eta", "stepsize", "learnrate", "rate", "currentlearningrate", "alpha", "lrate"),
    "mu": ("momentum", "mu", "beta", "gamma", "rho", "beta1"),
    "beta1": ("beta1", "b1", "betaone", "rho1", "decay1"),
    "beta2": ("beta2", "b2", "betatwo", "rho2", "decay2"),
    "rho": ("rho", "decayrate", "beta", "gamma", "decay", "alpha", "beta2", "smoothing"),
    "eps": ("eps", "epsilon", "delta"),
    "wd": ("weightdecay", "wd", "l2", "lambda", "lam", "reg", "regularization", "lambd", "decay", "weightdecayrate"),
    "slow": ("decay", "lrdecay", "learningratedecay"),
}  # fmt: skip
Step = Callable[[dict[str, Any], np.ndarray, np.ndarray, int, Mapping[str, float]], np.ndarray]


# Definitions: what is taken off the parameters in step t. `s` keeps what lasts from step to step. Behind each name follow the
# mistakes, which are the same lines with one thing wrong.


def sgd(s, p, g, t, h, bug=""):
    return h["lr"] * (-g if bug == "sign" else g)


def momentum(s, p, g, t, h, bug="", form="plain"):
    mu, lr = h["mu"], h["lr"]
    v = s.get("v", np.zeros_like(p))
    share = 1 - mu if form in ("averaged", "corrected") else 1
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
    if form == "nesterov":
        ahead = {"only_ahead": mu * new, "not_ahead": new, "ahead_of_old": g + mu * v}.get(bug, g + mu * new)
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
    c = s.get("c", np.zeros_like(p))
    square = np.abs(g) if bug == "not_squared" else g * g
    s["c"] = square if bug == "not_kept" else c + square
    second = c if bug == "old_cache" and t > 1 else s["c"]
    return (-1 if bug == "sign" else 1) * h["lr"] * scaled(g, second, h, bug, inside)


def rmsprop(s, p, g, t, h, bug="", inside=False):
    rho, c = h["rho"], s.get("c", np.zeros_like(p))
    square = np.abs(g) if bug == "not_squared" else g * g
    s["c"] = {
        "swapped": (1 - rho) * c + rho * square,
        "not_averaged": rho * c + square,
        "not_decayed": c + (1 - rho) * square,
        "not_kept": (1 - rho) * square,
        "both_same": rho * c + rho * square,
    }.get(bug, rho * c + (1 - rho) * square)
    return (-1 if bug == "sign" else 1) * h["lr"] * scaled(g, s["c"], h, bug, inside)


def adam(s, p, g, t, h, bug="", form="plain"):
    b1, b2, lr, eps = h["beta1"], h["beta2"], h["lr"], h["eps"]
    if bug == "betas_swapped":
        b1, b2 = b2, b1
    m, v = s.get("m", np.zeros_like(p)), s.get("v", np.zeros_like(p))
    square = {"not_squared": np.abs(g), "square_of_m": None}.get(bug, g * g)
    m = {"m_swapped": (1 - b1) * m + b1 * g, "m_not_averaged": b1 * m + g, "m_not_decayed": m + (1 - b1) * g, "m_not_kept": (1 - b1) * g, "m_is_g": g}.get(bug, b1 * m + (1 - b1) * g)
    if square is None:
        square = m * m
    v = {"v_swapped": (1 - b2) * v + b2 * square, "v_not_averaged": b2 * v + square, "v_not_decayed": v + (1 - b2) * square, "v_with_beta1": b1 * v + (1 - b1) * square, "v_not_kept": (1 - b2) * square}.get(bug, b2 * v + (1 - b2) * square)
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
    if form == "amsgrad":
        s["vmax"] = vh = np.maximum(s.get("vmax", np.zeros_like(p)), vh)
    if form == "nadam":
        mh = b1 * mh + (1 - b1) * g / c1
    sign = -1 if bug == "sign" else 1
    if bug == "no_root":
        return lr * mh / (vh + eps)
    if bug == "gradient_for_m":
        return lr * g / (np.sqrt(vh) + eps)
    if form == "inside":
        return sign * lr * mh / np.sqrt(vh + eps)
    if form == "one rate":  # lr √(1 - β₂ᵗ) / (1 - β₁ᵗ), with eps beside the uncorrected √v
        return sign * lr * np.sqrt(c2) / c1 * m / (np.sqrt(v) + eps)
    return sign * lr * mh / (np.sqrt(vh) + eps)


def adamax(s, p, g, t, h, bug=""):
    s["m"] = h["beta1"] * s.get("m", np.zeros_like(p)) + (1 - h["beta1"]) * g
    s["u"] = np.maximum(h["beta2"] * s.get("u", np.zeros_like(p)), np.abs(g))
    return h["lr"] / (1 - h["beta1"] ** t) * s["m"] / (s["u"] + h["eps"])


def adadelta(s, p, g, t, h, bug="", rated=False):
    rho, eps = h["rho"], h["eps"]
    s["c"] = rho * s.get("c", np.zeros_like(p)) + (1 - rho) * g * g
    step = np.sqrt(s.get("d", np.zeros_like(p)) + eps) / np.sqrt(s["c"] + eps) * g
    s["d"] = rho * s.get("d", np.zeros_like(p)) + (1 - rho) * step * step
    return (h["lr"] if rated else 1) * step


# for each family: its definition, the forms that are all right, and the mistakes with what is said of each
FAMILIES: dict[str, tuple[Callable, tuple[dict[str, Any], ...], dict[str, str]]] = {
    "sgd": (sgd, ({},), {"sign": "it goes up the gradient: the sign of the step is flipped"}),
    "momentum": (
        momentum,
        tuple({"form": form} for form in ("plain", "inside", "averaged", "nesterov", "corrected")),
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
        ({}, {"inside": True}),
        {
            "no_root": "the square root of the mean square is missing: p -= lr g / (√c + ε)",
            "not_squared": "the gradient is not squared in the average: c = ρ c + (1 - ρ) g²",
            "swapped": "ρ and 1 - ρ have changed places: c = ρ c + (1 - ρ) g²",
            "not_averaged": "the 1 - ρ before g² is missing: c = ρ c + (1 - ρ) g²",
            "not_decayed": "the average never decays: c = ρ c + (1 - ρ) g²",
            "not_kept": "the average is not kept from step to step: c = ρ c + (1 - ρ) g²",
            "both_same": "g² is multiplied by ρ, not by 1 - ρ: c = ρ c + (1 - ρ) g²",
            "sign": "it goes up the gradient: the sign of the step is flipped",
        },
    ),
    "adam": (
        adam,
        tuple({"form": form} for form in ("plain", "inside", "one rate", "amsgrad", "nadam")),
        {
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
    "adamax": (adamax, ({},), {}),
    "adadelta": (adadelta, ({}, {"rated": True}), {}),
}  # fmt: skip

# what a weight decay may do, right and wrong; each gives the gradient and what is taken off besides
DECAYS: dict[str, Callable] = {
    "none": lambda p, g, h: (g, 0.0),
    "in the gradient": lambda p, g, h: (g + h["wd"] * p, 0.0),
    "beside the step": lambda p, g, h: (g, h["lr"] * h["wd"] * p),
    "beside the step, without the rate": lambda p, g, h: (g, h["wd"] * p),
}
WRONG_DECAYS: dict[str, tuple[Callable, str]] = {
    "sign": (lambda p, g, h: (g - h["wd"] * p, 0.0), "the sign of the weight decay is flipped, so that weights grow: g + λ p"),
    "sign beside": (lambda p, g, h: (g, -h["lr"] * h["wd"] * p), "the sign of the weight decay is flipped, so that weights grow: p -= lr λ p"),
    "twice": (lambda p, g, h: (g + 2 * h["wd"] * p, 0.0), "the weight decay is twice what it should be"),
    "squared": (lambda p, g, h: (g + h["wd"] * p * p, 0.0), "the weight decay takes off λ p², not λ p"),
    "sign of p": (lambda p, g, h: (g + h["wd"] * np.sign(p), 0.0), "the weight decay takes off λ sign(p), which is that of an L1 penalty, not λ p"),
    "constant": (lambda p, g, h: (g + h["wd"], 0.0), "the weight decay is added as a number, not times the parameters: g + λ p"),
}
RATES: dict[str, Callable[[Mapping[str, float], int], float]] = {
    "constant": lambda h, t: h["lr"],
    "decaying": lambda h, t: h["lr"] / (1 + h["slow"] * (t - 1)),
    "decaying from the first": lambda h, t: h["lr"] / (1 + h["slow"] * t),
}


def setting(found: Mapping[str, Any], name: str) -> float | None:
    return next((float(found[key]) for key in SETTINGS[name] if key in found and not isinstance(found[key], bool)), None)


def family(name: str, found: Mapping[str, Any]) -> str | None:
    """Which optimizer this is meant to be, by its name and its settings; None if neither says."""
    title = plain(name)
    for word, which in (("adamax", "adamax"), ("adadelta", "adadelta"), ("adam", "adam"), ("adagrad", "adagrad"), ("rms", "rmsprop")):
        if word in title:
            return which
    if any(word in title for word in ("lion", "lamb", "lars", "adabelief", "radam", "lbfgs", "rprop", "ftrl", "newton", "conjugate", "adabound", "yogi", "sam")):
        return None
    if setting(found, "beta1") is not None and setting(found, "beta2") is not None:
        return "adam"
    if any(word in title for word in ("momentum", "nesterov", "nag", "heavyball")) or any(key in found for key in ("momentum", "mu")):
        return "momentum"
    if ("decayrate" in found or "rho" in found) and setting(found, "eps") is not None:
        return "rmsprop"
    return "sgd" if any(word in title for word in ("sgd", "gradientdescent", "descent", "optimizer", "gd", "decay", "vanilla")) or setting(found, "lr") is not None else None


def problem(seed: int, count: int) -> tuple[Arrays, list[Arrays]]:
    """Parameters, and a gradient for each step that does not depend on them."""
    rng = np.random.default_rng(seed)
    shapes = (((3, 2), (2,)), ((4,), (4, 1)), ((2, 3, 2), (1, 2)))[seed % 3][:count]
    return [rng.standard_normal(shape) for shape in shapes], [[rng.standard_normal(shape) for shape in shapes] for _ in range(STEPS)]


def path_of(step: Callable[[Arrays, Arrays, int], Arrays], p: Arrays, gradients: list[Arrays]) -> list[Arrays]:
    """The parameters after each step."""
    found = []
    for t, g in enumerate(gradients, 1):
        p = step(p, g, t)
        found.append([value.copy() for value in p])
    return found


def defined(which: str, h: Mapping[str, float], bug: str, form: Mapping[str, Any], decay: Callable, rate: Callable) -> Callable[[Arrays, Arrays, int], Arrays]:
    """A definition as a step over several parameters."""
    function, states = FAMILIES[which][0], {}

    def step(p: Arrays, g: Arrays, t: int) -> Arrays:
        found = []
        for i, (value, gradient) in enumerate(zip(p, g, strict=True)):
            now = dict(h) | {"lr": rate(h, t)}
            gradient, beside = decay(value, gradient, now)
            found.append(value - function(states.setdefault(i, {}), value, gradient, t, now, bug=bug, **form) - beside)
        return found

    return step


def equal(a: list[Arrays], b: list[Arrays]) -> bool:
    return first_difference(a, b) is None


def first_difference(a: list[Arrays], b: list[Arrays]) -> int | None:
    """The first step, from 1, after which two paths differ."""
    for t, (left, right) in enumerate(zip(a, b, strict=True), 1):
        for one, other in zip(left, right, strict=True):
            if one.shape != other.shape or not np.allclose(one, other, rtol=1e-6, atol=1e-8, equal_nan=False):
                return t
    return None


def rights(which: str, found: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], Callable, Callable]]:
    """Every form, weight decay and rate that is right for these settings."""
    decays = [d for name, d in DECAYS.items() if name == "none" or setting(found, "wd")]
    if setting(found, "wd") and any(key in found for key in SETTINGS["wd"][:-2]):
        decays = decays[1:]  # a setting of that name has to do something
    rates = [r for name, r in RATES.items() if name == "constant" or setting(found, "slow")]
    yield from itertools.product(FAMILIES[which][1], decays, rates)


def running(make: Callable[[], Updating], seed: int) -> tuple[Arrays, list[Arrays], list[Arrays], Updating]:
    theirs = make()
    p, gradients = problem(seed, theirs.count)
    with np.errstate(all="ignore"):
        return p, gradients, path_of(theirs.update, p, gradients), theirs


def usable(make: Callable[[], Updating]) -> bool:
    """Whether an optimizer runs in this way, and moves its parameters."""
    for seed in (0, 1, 2):
        try:
            p, _, path, _ = running(make, seed)
        except NotImplementedError:
            raise
        except Exception:
            return False
        if len(path[0]) != len(p) or any(a.shape != b.shape for a, b in zip(p, path[0], strict=True)):
            return False
        if all(np.array_equal(a, b) for a, b in zip(p, path[-1], strict=True)):
            return False
    return True


def examine(name: str, value: Any, cls: type | None) -> Result:
    """Check an optimizer against its definition. value: an object or function; cls: its class, to make others of it."""
    tried = Tried()
    makes = [(lambda: value, {}, "")]
    if cls is not None:
        for options in [{}, *variants_of(cls)]:
            said = ", ".join(f"{k}={v!r}" for k, v in options.items())
            makes.append((lambda options=options: constructed(cls, **options).value, options, said))
    way = next((w for w in range(7) if w < len(list(ways(makes[0][0], cls, {}))) and usable(list(ways(makes[0][0], cls, {}))[w])), None)
    if way is None:
        error = first_error(list(ways(makes[0][0], cls, {}))[0])
        return Result(UNUSABLE, "", error=error)
    for make, options, said in makes:
        built = list(ways(make, cls, options))
        if way >= len(built) or not usable(built[way]):
            continue
        for seed in (0, 1, 2):
            try:
                p, gradients, path, theirs = running(built[way], seed)
            except NotImplementedError:
                raise
            except Exception:
                continue
            found = theirs.settings()
            which = family(name, found)
            if which is None:
                return Result(UNUSABLE, "", error=UnknownError(f"{name} is none of {', '.join(FAMILIES)}, so that there is no definition to compare it with"))
            h = {key: setting(found, key) for key in SETTINGS}
            choices = list(filled(h, theirs))
            h = choices[0]
            tried.trials += 1
            if said:
                tried.options.append(said)
            tried.shapes += [str(a.shape) for a in p if str(a.shape) not in tried.shapes]
            ways_to_be_right = itertools.product(choices, rights(which, found))
            if not any(equal(path, path_of(defined(which, one, "", *choice), p, gradients)) for one, choice in ways_to_be_right):
                return Result(WRONG, "", where=f"with {said}" if said else "", findings=(named(which, found, h, p, gradients, path),), tried=tried)
    tried.left_out.append("gradients of other sizes than about 1")
    return Result(RIGHT, "", tried=tried, findings=(), shape=None)


DEFAULTS = {"lr": (0.1,), "mu": (0.9,), "beta1": (0.9,), "beta2": (0.999,), "rho": (0.9,), "eps": (1e-8, 1e-7, 1e-10, 1e-6, 0.0), "wd": (0.0,), "slow": (0.0,)}


def filled(h: Mapping[str, float | None], theirs: Updating) -> Iterator[dict[str, float]]:
    """Settings for those that the optimizer has; others may be numbers that are written in its code, or are what is usual."""
    try:
        source = inspect.getsource(theirs.method if inspect.isfunction(theirs.theirs) else type(theirs.theirs))
    except (OSError, TypeError):
        source = ""
    numbers = [float(text) for text in dict.fromkeys(re.findall(r"(?<![\w.])\d*\.?\d+(?:e-?\d+)?", source))]
    values = {}
    for key, value in h.items():
        if value is not None:
            values[key] = (value,)
        elif key == "eps":
            values[key] = tuple(dict.fromkeys([*(n for n in numbers if 0 < n <= 1e-4), *DEFAULTS[key]]))[:6]
        elif key in ("wd", "slow"):
            values[key] = DEFAULTS[key]
        else:
            values[key] = tuple(dict.fromkeys([*DEFAULTS[key], *(n for n in numbers if 1e-4 < n < 1)]))[:4]
    for chosen in itertools.islice(itertools.product(*values.values()), 60):
        yield dict(zip(values, chosen, strict=True))


def variants_of(cls: type) -> Iterator[dict[str, Any]]:
    """Other settings, the learning rate and the decay too."""
    yield from variants(cls)
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return
    for parameter in parameters:
        if isinstance(parameter.default, float) and plain(parameter.name) in SETTINGS["lr"]:
            yield {parameter.name: 0.05}
        if parameter.default == 0 and not isinstance(parameter.default, bool) and plain(parameter.name) in SETTINGS["mu"] + SETTINGS["wd"]:
            yield {parameter.name: 0.3}


class UnknownError(Exception):
    """No definition is known for an optimizer."""


def first_error(make: Callable[[], Updating]) -> Exception:
    try:
        p, _, path, _ = running(make, 0)
    except NotImplementedError:
        raise
    except Exception as error:
        return error
    return UnknownError(
        "update(parameters, gradient) changes nothing: it has to work in place, `parameters -= lr * gradient`, or to return the new parameters"
    )


def named(which: str, found: Mapping[str, Any], h: Mapping[str, float], p: Arrays, gradients: list[Arrays], path: list[Arrays]) -> Finding:
    """What is wrong with an optimizer: the mistake whose path is the same, or what can be said without one."""
    _, forms, bugs = FAMILIES[which]
    decays = [d for d in DECAYS.values()] if h["wd"] else [DECAYS["none"]]
    right = list(rights(which, found))
    best = max(right, key=lambda choice: first_difference(path, path_of(defined(which, h, "", *choice), p, gradients)) or 99)
    wanted = path_of(defined(which, h, "", *best), p, gradients)
    t = first_difference(path, wanted) or 1
    place = next(i for i, (a, b) in enumerate(zip(path[t - 1], wanted[t - 1], strict=True)) if not np.allclose(a, b, rtol=1e-6, atol=1e-8))
    a, b = path[t - 1][place], wanted[t - 1][place]
    index = np.unravel_index(np.nanargmax(np.abs(np.nan_to_num(a, nan=1e9) - b)), b.shape) if a.shape == b.shape else ()
    evidence = f"after step {t} a parameter{list(map(int, index))} is {a[index]:.6g}, and should be {b[index]:.6g}"
    if t > 1:
        evidence += f"; the first {'step is' if t == 2 else f'{t - 1} steps are'} right"
    for form, decay in itertools.product(forms, decays):
        for bug, said in bugs.items():
            if equal(path, path_of(defined(which, h, bug, form, decay, RATES["constant"]), p, gradients)):
                return finding("optimizer", (), evidence, which=said)
    for form in forms:
        for decay, said in WRONG_DECAYS.values():
            if h["wd"] and equal(path, path_of(defined(which, h, "", form, decay, RATES["constant"]), p, gradients)):
                return finding("optimizer", (), evidence, which=said)
        if h["wd"] and equal(path, path_of(defined(which, h, "", form, DECAYS["none"], RATES["constant"]), p, gradients)):
            return finding("optimizer", (), evidence, which="the weight decay does nothing: g + λ p")
    if place > 0 and all(np.allclose(x[0], y[0], rtol=1e-6, atol=1e-8) for x, y in zip(path, wanted, strict=True)):
        return finding("optimizer", (), evidence, which="the first parameter is right and the second is not: each needs a state of its own (v, m, t), and t grows once a step")
    step, should = p[0] - path[0][0], p[0] - wanted[0][0]
    quotient = step / np.where(should == 0, np.nan, should)
    if t == 1 and np.nanmax(quotient) - np.nanmin(quotient) < 1e-6 * abs(np.nanmax(quotient)):
        return finding("optimizer", (), evidence, which=f"the first step is {float(np.nanmax(quotient)):.6g} times what it should be")
    part = "what it keeps from step to step is not updated as in" if t > 1 else "the first step is already another than that of"
    return finding("optimizer", (), evidence, which=f"{part} {NAMES[which]}")


NAMES = {"sgd": "gradient descent, p -= lr g", "momentum": "momentum, v = μ v + g, p -= lr v", "adagrad": "AdaGrad, c += g², p -= lr g / (√c + ε)", "rmsprop": "RMSprop, c = ρ c + (1 - ρ) g², p -= lr g / (√c + ε)", "adam": "Adam, p -= lr m̂ / (√v̂ + ε)", "adamax": "Adamax", "adadelta": "Adadelta"}  # fmt: skip
