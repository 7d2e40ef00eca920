"""The figures and the pictures that a run of a restricted Boltzmann machine is judged by."""

from __future__ import annotations

import numpy as np

from .. import plots
from ..backend import blas_threads
from ..models import PCA, RBM
from ..presets import Examples, Preset
from ..training import History
from ..uses import in_batches
from .album import Album
from .autoencoder import draw_filters, mean_squared_error
from .pictures import MNIST, chosen, pictures

# steps of Gibbs sampling from one row of the picture to the next, so that neighbours hardly resemble each other
CHAIN_STEPS = 500


def measure(model: RBM, preset: Preset, pca: PCA, examples: Examples) -> dict[str, dict[str, float]]:
    """On the test examples: the pseudo-log-likelihood (of every pixel given all others, with pixels rounded to 0 and 1), and the
    cross-entropy of reconstructions by means. PCA is left out, since it does not say how probable an image is.
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
    model: RBM, variants: dict[str, RBM], preset: Preset, pca: PCA, examples: Examples, history: History, album: Album
) -> None:
    """Draw the reconstruction's cost by epoch, what the hidden units look for, and Gibbs chains from test images."""
    caption = (
        "The cross-entropy of an image's reconstruction from sampled hidden units, measured alike in training and in validation. "
        "It shows that training makes progress, but training does not minimise it: judge by the pseudo-log-likelihood."
    )
    album.add("loss", lambda path: plots.loss_curve(history, path, "nats per example", caption=caption))
    draw_filters(model.energy.W, examples, album)
    if not examples.images:
        return
    shown = examples.test[chosen(examples)]
    caption = (
        f"Each column is one chain of Gibbs sampling: it starts at a test image and runs freely from there, with {CHAIN_STEPS:,} "
        "steps from row to row. Between two kinds of images are improbable ones, which a chain seldom crosses. So it stays "
        "long with one kind, and some chains stay at a shape that is not a digit but that the model finds probable. "
        "Such chains are said to mix slowly; a single one shows little of what the model has learned."
    )
    album.add(
        "chains", lambda path: plots.image_rows(gibbs_chains(model, shown, examples=examples), path, caption=caption)
    )


def gibbs_chains(model: RBM, x: np.ndarray, rows: int = 8, examples: Examples = MNIST) -> dict[str, np.ndarray]:
    """Images from Gibbs chains that start at x, as probabilities, with one row after each CHAIN_STEPS steps."""
    rng = np.random.default_rng(0)
    images, mean, v = {"start": pictures(x, examples)}, x, x
    # products of so few rows gain nothing from several threads, which would wait for each other
    with blas_threads().limit(limits=1):
        for row in range(1, rows + 1):
            for _ in range(CHAIN_STEPS):
                mean, v = model.gibbs_vhv(v, rng)
            images[f"{row * CHAIN_STEPS:,} steps"] = pictures(mean, examples)
    return images
