"""What a run is judged by: its figures on the test examples, and its pictures; a file for each family of models, with

measure(model, preset, pca, examples) -> figures           for each name, quantities by key
draw(model, variants, preset, pca, examples, history, album)
"""

from __future__ import annotations

from types import ModuleType

from ..models import RBM, VAE, Autoencoder, Model
from . import autoencoder, boltzmann, variational
from .album import Album

__all__ = ["Album", "family", "headline", "table"]

FAMILIES: dict[type[Model], ModuleType] = {Autoencoder: autoencoder, VAE: variational, RBM: boltzmann}


def family(model: Model) -> ModuleType:
    """The module with `measure` and `draw` for a model."""
    return next(module for kind, module in FAMILIES.items() if isinstance(model, kind))


def headline(figures: dict[str, dict[str, float]], what: str) -> str:
    """The figure that a run is judged by first, in a few words; beside a squared error also PCA's. what: "image", "example"."""
    words = {
        "pseudo_log_likelihood": ("pseudo-log-likelihood", " nats"),
        "nll": ("−log p(x)", " nats"),
        "negative_elbo": ("−ELBO", " nats"),
        "squared_error": ("squared error", ""),
    }
    (_, found), *others = figures.items()
    key = next(key for key in words if key in found)
    name, unit = words[key]
    text = f"test: {name} {rounded(found[key])}{unit} per {what}"
    pca = [
        f"{other}: {rounded(values[key])}" for other, values in others if other.startswith("PCA") and key in values
    ]
    return f"{text} ({pca[0]})" if key == "squared_error" and pca else text


def rounded(value: float) -> str:
    """With two decimals, or as many as a small number needs, and a minus that is one; what is but rounding is 0."""
    if abs(value) >= 0.1:
        return f"{value:.2f}".replace("-", "−")
    return f"{value:.2g}" if abs(value) > 1e-6 else "0"


def table(figures: dict[str, dict[str, float]], features: int) -> str:
    """The figures as text, each summed over the features of an example and, where it is a sum, as a mean over them."""
    names = {
        "squared_error": "squared error",
        "cross_entropy": "cross-entropy, nats",
        "cross_entropy_floor": "  its floor: the pixels' entropy",
        "reconstruction": "reconstruction",
        "kl": "KL",
        "negative_elbo": "-ELBO: one sample a test image",
        "nll": "-log p(x), 5,000 z, every 10th",
        "units_in_use": "numbers of the code in use",
        "pseudo_log_likelihood": "pseudo-log-likelihood, nats",
        "psnr": "signal-to-noise ratio, dB",
        "mean_activation": "mean of the code",
        "active_units": "share of the code that is active",
        "idle_units": "share of units that never are",
    }
    no_sums = {"units_in_use", "psnr", "mean_activation", "active_units", "idle_units"}
    lines = [f"{'on the test examples':<49} {'per example':>12} {'per feature':>12}"]
    for who, values in figures.items():
        lines += [
            f"{who:<17}{names[key]:<32} {value:>12.4f} {'' if key in no_sums else format(value / features, '.5f'):>12}"
            for key, value in values.items()
        ]
    return "\n".join(lines)
