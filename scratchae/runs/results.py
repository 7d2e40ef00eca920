"""What a run is judged by: its figures on the test examples, and its pictures. Each family of models has a file with

measure(model, preset, pca, examples) -> figures           for each name, its quantities by key
draw(model, variants, preset, pca, examples, history, album)
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from ..models import GAN, RBM, VAE, VQVAE, AdversarialAutoencoder, Autoencoder, Diffusion, MaskedAutoencoder, Model
from ..presets import Examples
from ..uses import in_batches
from . import adversarial, autoencoder, boltzmann, diffusion, masked, quantised, variational
from .album import Album

__all__ = ["Album", "family", "headline", "remarks", "table"]

FAMILIES: dict[type[Model], ModuleType] = {  # the first that a model belongs to
    GAN: adversarial,
    AdversarialAutoencoder: adversarial,
    MaskedAutoencoder: masked,
    Autoencoder: autoencoder,
    VAE: variational,
    VQVAE: quantised,
    Diffusion: diffusion,
    RBM: boltzmann,
}


def family(model: Model) -> ModuleType:
    """The module with `measure` and `draw` for a model."""
    return next(module for kind, module in FAMILIES.items() if isinstance(model, kind))


NO_BETTER = 0.95  # as a share of the mean example's error: a model with as much error has learned hardly more than that example
ALIKE = 0.05  # as a share of the examples' variance: with as little variance, all reconstructions are nearly the same


def remarks(model: Model, found: dict[str, float], examples: Examples) -> list[str]:
    """What the figures of a model show to be wrong: a sentence or two for each fault, with its usual causes and what to do."""
    if isinstance(model, GAN):
        return adversarial.remarks(model, examples)
    said = []
    error, mean = found["squared_error"], mean_image_error(model, examples)
    if not error < NO_BETTER * mean:
        test = examples.test[:500]
        made = in_batches(model.reconstruct, test)
        collapsed = made.var(axis=0).sum() <= ALIKE * test.var(axis=0).sum()
        what = (
            "has collapsed: it gives nearly the same output for every example"
            if collapsed
            else "has hardly learned anything"
        )
        said.append(
            f"The model {what}. Its squared error is {error:.4g} per example, and answering every example with the mean of the "
            f"training examples costs {mean:.4g}. The usual causes are a learning rate that is too high, units "
            "that are dead or saturated, or too few epochs. Try a tenth of the learning rate (--lr); --watch shows the units."
        )
    if found.get("units_in_use") == 0:
        said.append(
            "The code tells the decoder nothing: no number of it varies with the example. The usual causes are a KL term that outweighs "
            "the reconstruction from the beginning, and a learning rate that is too high. Try a smaller beta, a lower learning rate, "
            "or more epochs."
        )
    return said


def mean_image_error(model: Model, examples: Examples) -> float:
    """The squared error on the test examples, as in `measure`, if every reconstruction is the mean training example."""
    train, test = examples.some, examples.test
    if isinstance(model, MaskedAutoencoder):  # which is judged by what it fills in
        return masked.error_of(test, masked.hidden_patches(model, test), train.mean(axis=0))
    if isinstance(model, VAE):
        train, test = model.target(train), model.target(model.as_drawn(test, np.random.default_rng(0)))
    return autoencoder.mean_squared_error(test, train.mean(axis=0))


def headline(figures: dict[str, dict[str, float]], what: str) -> str:
    """The figure that a run is judged by first, in a few words; with a squared error also PCA's. what: "image", "example"."""
    words = {
        "pseudo_log_likelihood": ("pseudo-log-likelihood", " nats"),
        "nll": ("−log p(x)", " nats"),
        "negative_elbo": ("−ELBO", " nats"),
        "squared_error": ("squared error", ""),
        "frechet": ("Fréchet distance", ""),
    }
    (_, found), *others = figures.items()
    key = next(key for key in words if key in found)
    name, unit = words[key]
    of = " in PCA's code" if key == "frechet" else f" per {what}"
    text = f"test: {name} {rounded(found[key])}{unit}{of}"
    pca = [
        f"{other}: {rounded(values[key])}" for other, values in others if other.startswith("PCA") and key in values
    ]
    return f"{text} ({pca[0]})" if key == "squared_error" and pca else text


def rounded(value: float) -> str:
    """A number with two decimals, or as many as a small number needs, and a real minus sign. A rounding error becomes 0."""
    if abs(value) >= 0.1:
        return f"{value:.2f}".replace("-", "−")
    return f"{value:.2g}" if abs(value) > 1e-6 else "0"


def table(figures: dict[str, dict[str, float]], features: int) -> str:
    """The figures as text: each summed over the features of an example and, if it is a sum, also as the mean over them."""
    names = {
        "squared_error": "squared error",
        "cross_entropy": "cross-entropy, nats",
        "cross_entropy_floor": "  its floor: the pixels' entropy",
        "reconstruction": "reconstruction",
        "kl": "KL",
        "negative_elbo": "-ELBO: one sample per image",
        "nll": "-log p(x), 5,000 z, every 10th",
        "units_in_use": "numbers of the code in use",
        "pseudo_log_likelihood": "pseudo-log-likelihood, nats",
        "bits": "bits, as many for each code",
        "prior_bits": "bits, by the prior",
        "perplexity": "vectors in use (perplexity)",
        "psnr": "peak signal-to-noise ratio, dB",
        "mean_activation": "mean of the code",
        "active_units": "share of the code that is active",
        "idle_units": "share of units never active",
        "frechet": "Fréchet distance, in PCA's code",
    }
    no_sums = {"units_in_use", "perplexity", "psnr", "mean_activation", "active_units", "idle_units", "frechet"}
    wide = max(17, 1 + max(map(len, figures)))
    lines = [f"{'on the test examples':<{wide + 32}} {'per example':>12} {'per feature':>12}"]
    for who, values in figures.items():
        lines += [
            f"{who:<{wide}}{names[key]:<32} {value:>12.4f} {'' if key in no_sums else format(value / features, '.5f'):>12}"
            for key, value in values.items()
        ]
    return "\n".join(lines)
