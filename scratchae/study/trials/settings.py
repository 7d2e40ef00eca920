"""What an optimizer is meant to be, and its settings, by the names that people give them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..styles.text.names import plain

SETTINGS = {
    "lr": ("lr", "learningrate", "eta", "stepsize", "learnrate", "rate", "currentlearningrate", "alpha", "lrate"),
    "mu": ("momentum", "mu", "mom", "beta", "gamma", "rho", "beta1"),
    "momentum": ("momentum", "mu", "mom"),
    "beta1": ("beta1", "b1", "betaone", "rho1", "decay1"),
    "beta2": ("beta2", "b2", "betatwo", "rho2", "decay2"),
    "rho": ("rho", "decayrate", "beta", "gamma", "decay", "alpha", "beta2", "smoothing"),
    "eps": ("eps", "epsilon", "delta"),
    "start": ("initialaccumulatorvalue", "initialaccumulator", "initialvalue", "initaccumulator", "accumulatorinit"),
    "wd": ("weightdecay", "wd", "l2", "lambda", "lam", "reg", "regularization", "lambd", "decay", "weightdecayrate"),
    "centered": ("centered", "centred", "center", "iscentered"),
    "nesterov": ("nesterov", "usenesterov", "nag", "isnesterov"),
    "amsgrad": ("amsgrad", "useamsgrad"),
    "maximize": ("maximize", "maximise", "maximizing"),
    "slow": ("decay", "lrdecay", "learningratedecay"),
}  # fmt: skip


FLAGS = ("centered", "nesterov", "amsgrad", "maximize")


def flag(found: Mapping[str, Any], name: str) -> bool | None:
    """Whether one of the FLAGS is set; None where there is no such flag."""
    return next((bool(found[key]) for key in SETTINGS[name] if isinstance(found.get(key), bool)), None)


def setting(found: Mapping[str, Any], name: str) -> float | None:
    return next(
        (float(found[key]) for key in SETTINGS[name] if key in found and not isinstance(found[key], bool)), None
    )


# optimizers of which there is no definition here, though some have others in their names
UNDEFINED = re.compile(
    r"lamb(?!da)|lars|lbfgs|rprop|ftrl|newton|conjugate|adabound|yogi|^sam|sam$|qhadam|qhm|padam|adamod|adafactor|adahess|adan|sophia|novograd|"
    r"diffgrad|lookahead|ranger|shampoo|muon|swats|prodigy|apollo|signsgd|signum|aggmo"
)
TOLD = re.compile(
    r"ada|amsgrad|rms|lion|moment|nesterov|nag|heavyball|optim|opt$|update|step|solver|train|learn|descent|gd|gradient|vanilla|decay|rule|minimi|"
    r"apply|fit"
)


def is_told(name: str) -> bool:
    """Whether a name is that of an optimizer that is defined here, or of any: not one such as Tiger, whose settings do not tell what it
    is."""
    return bool(TOLD.search(plain(name)))


def family(name: str, found: Mapping[str, Any]) -> str | None:
    """Which optimizer this is meant to be, by its name and its settings; None if neither says."""
    title = plain(name)
    if UNDEFINED.search(title):
        return None
    if begins := re.search(r"(?:\b|_)(radam|lion)|(RAdam|Lion)", name):
        return begins[0].strip("_").lower()
    if "rectifiedadam" in title:
        return "radam"
    for word, which in (
        ("amsgrad", "amsgrad"),
        ("nadam", "nadam"),
        ("adamax", "adamax"),
        ("adabelief", "adabelief"),
        ("adadelta", "adadelta"),
        ("adam", "adam"),
        ("adagrad", "adagrad"),
        ("rms", "rmsprop"),
    ):
        if word in title:
            return "amsgrad" if which == "adam" and flag(found, "amsgrad") else which
    if setting(found, "beta1") is not None and setting(found, "beta2") is not None:
        return "adam"
    if any(word in title for word in ("momentum", "nesterov", "nag", "heavyball")) or any(
        key in found for key in ("momentum", "mu", "mom")
    ):
        return "momentum"
    if ("decayrate" in found or "rho" in found) and setting(found, "eps") is not None:
        return "rmsprop"
    return (
        "sgd"
        if any(word in title for word in ("sgd", "gradientdescent", "descent", "optimizer", "gd", "decay", "vanilla"))
        or setting(found, "lr") is not None
        else None
    )


DEFAULTS = {
    "lr": (0.1,),
    "mu": (0.9,),
    "beta1": (0.9,),
    "beta2": (0.999,),
    "rho": (0.9,),
    "eps": (1e-8, 1e-7, 1e-10, 1e-6, 0.0),
    "wd": (0.0,),
    "slow": (0.0,),
    "momentum": (0.0,),
    "start": (0.0,),
}


# the settings of each family, besides the rate and what may decay
OWN = {"sgd": (), "momentum": ("mu",), "adagrad": ("eps", "start"), "rmsprop": ("rho", "eps", "momentum"), "adadelta": ("rho", "eps"), "lion": ("beta1", "beta2")}  # fmt: skip
OF_ADAM = ("beta1", "beta2", "eps")


def filled(which: str, found: Mapping[str, Any], source: str) -> Iterator[dict[str, float]]:
    """Settings for those that the optimizer has; others may be numbers that are written in its code, or are what is usual."""
    numbers = [float(text) for text in dict.fromkeys(re.findall(r"(?<![\w.])\d*\.?\d+(?:e-?\d+)?", source))]
    values = {}
    for key in ("lr", *OWN.get(which, OF_ADAM), "wd", "slow"):
        if (value := setting(found, key)) is not None:
            values[key] = (value,)
        elif key == "eps":
            values[key] = tuple(dict.fromkeys([*(n for n in numbers if 0 < n <= 1e-4), *DEFAULTS[key]]))[:6]
        elif key in ("wd", "slow", "momentum", "start"):
            values[key] = DEFAULTS[key]
        else:
            values[key] = tuple(dict.fromkeys([*DEFAULTS[key], *(n for n in numbers if 1e-4 < n < 1)]))[:4]
    for chosen in itertools.islice(itertools.product(*values.values()), 60):
        yield dict(zip(values, chosen, strict=True)) | {name: flag(found, name) for name in FLAGS}
