"""What a run of a restricted Boltzmann machine is judged by."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import plots
from ..models import PCA, RBM
from ..presets import Examples, Preset
from ..training import History
from .autoencoder import in_batches, mean_squared_error

CHAIN_STEPS = 500  # of Gibbs sampling from a row of the picture to the next: neighbours hardly resemble each other


def measure(model: RBM, preset: Preset, pca: PCA, examples: Examples) -> dict[str, dict[str, float]]:
    """On the test examples: the pseudo-log-likelihood, of every pixel given all others, pixels rounded to 0 and 1; and what
    reconstructions by means cost. PCA is left out: it says nothing of how probable an image is.
    """
    x = examples.test
    made = in_batches(model.reconstruct, x)
    return {
        preset.name: {
            "pseudo_log_likelihood": float(in_batches(model.pseudo_log_likelihood, x).mean(dtype=np.float64)),
            "squared_error": mean_squared_error(x, made),
            "cross_entropy": float(model.objective(x)["loss"]),
        }
    }


def draw(
    model: RBM, variants: dict[str, RBM], preset: Preset, pca: PCA, examples: Examples, history: History, folder: Path
) -> None:
    """The reconstruction's cost by epoch, what the hidden units look for, and Gibbs chains from test images."""
    plots.loss_curve(history, folder / "loss.png", "reconstruction's cross-entropy in nats")
    plots.filters(model.energy.W, examples.train.std(axis=0), folder / "filters.png")
    test, labels = examples.test, examples.test_labels
    shown = test[[int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)]]
    plots.image_rows(gibbs_chains(model, shown), folder / "chains.png")


def gibbs_chains(model: RBM, x: np.ndarray, rows: int = 8) -> dict[str, np.ndarray]:
    """Images from Gibbs chains that start at x, as probabilities; a row after each so many steps."""
    rng = np.random.default_rng(0)
    images, mean, v = {"start": x.reshape(-1, 28, 28)}, x, x
    for row in range(1, rows + 1):
        for _ in range(CHAIN_STEPS):
            mean, v = model.gibbs_vhv(v, rng)
        images[f"{row * CHAIN_STEPS:,} steps"] = mean.reshape(-1, 28, 28)
    return images
