"""The figures and the pictures that a run of two players is judged by."""

from __future__ import annotations

import math

import numpy as np

from .. import plots
from ..models import GAN, PCA, AdversarialAutoencoder
from ..presets import Examples, Preset
from ..study.watch import WON
from ..training import History
from . import autoencoder
from .album import Album
from .pictures import pictures

SAMPLES = 2000  # for the Fréchet distance
ALIKE = 0.1  # as a share of the data's variance: with so little, nearly all that is made is the same
DRAWN = 100  # of which as many are drawn, without any selection


def measure(
    model: GAN | AdversarialAutoencoder, preset: Preset, pca: PCA, examples: Examples
) -> dict[str, dict[str, float]]:
    """The Fréchet distance of new examples to the test examples, in PCA's code; beside it that of real examples that were
    trained on, which no generator should fall below. Of an autoencoder also its reconstructions, as of any other.
    """
    real = pca.encode(examples.test[:SAMPLES])
    made = pca.encode(model.sample(SAMPLES, 0))
    figures = autoencoder.measure(model, preset, pca, examples) if isinstance(model, AdversarialAutoencoder) else {}
    figures.setdefault(preset.name, {})["frechet"] = frechet(made, real)
    figures["training examples"] = {"frechet": frechet(pca.encode(examples.some[:SAMPLES]), real)}
    return figures


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """‖μ₁ - μ₂‖² + tr(C₁ + C₂ - 2 (C₁ C₂)^½): how far apart two clouds (N, D) are, as far as mean and covariance tell.

    The squared distance of Wasserstein between two normal distributions (Dowson and Landau 1982). Heusel et al. 2017 take it in
    the features of a network for photographs, so their figures cannot be compared with these.
    """
    (μ1, C1), (μ2, C2) = (
        (x.mean(axis=0), np.cov(x, rowvar=False).reshape(x.shape[1], -1)) for x in map(np.float64, (a, b))
    )
    # the trace of a root is the sum of the roots of the eigenvalues, which are real and at least 0 but for rounding
    roots = np.sqrt(np.linalg.eigvals(C1 @ C2).real.clip(0))
    return float(((μ1 - μ2) ** 2).sum() + np.trace(C1 + C2) - 2 * roots.sum())


def remarks(model: GAN, examples: Examples) -> list[str]:
    """A sentence or two if one player has won, or all that is made looks alike."""
    said = []
    metrics = model.judge(examples.test[:500], np.random.default_rng(0))
    if float(metrics["discriminator_loss"]) < WON:
        said.append(
            f"The discriminator has won: its loss is {float(metrics['discriminator_loss']):.2g}, so its answers no longer tell the "
            "generator how to get better. Try more noise on its input (GaussianNoise), a lower learning rate for it (Parts), or "
            "a smaller discriminator."
        )
    made = model.sample(500, 0).reshape(500, -1)
    share = made.var(axis=0).sum() / examples.test.reshape(len(examples.test), -1).var(axis=0).sum()
    if share < ALIKE:
        said.append(
            f"The generator makes nearly the same example of every code: its examples vary {share:.0%} as much as the data. It has "
            "found one that the discriminator takes for real. Try another seed, or more noise on the discriminator's input."
        )
    return said


def draw(
    model: GAN | AdversarialAutoencoder,
    variants: dict[str, GAN],
    preset: Preset,
    pca: PCA,
    examples: Examples,
    history: History,
    album: Album,
) -> None:
    """Draw both players' losses, new examples, and the training examples that are most like some of them."""
    if isinstance(model, AdversarialAutoencoder):
        autoencoder.draw(model, variants, preset, pca, examples, history, album)
    else:
        caption = (
            "Above the generator's loss, below the discriminator's. If neither wins they stay near log 2 = "
            f"{math.log(2):.2f} and 2 log 2 = {2 * math.log(2):.2f}. Neither tells how good the images are."
        )
        look = {"beside": ["discriminator_loss"], "caption": caption}
        album.add("loss", lambda path: plots.loss_curve(history, path, "nats per example", **look))
    if not examples.images:
        return
    samples = model.sample(DRAWN, 1)
    grid = pictures(samples, examples)
    caption = "New images: what is made of codes drawn from N(0, 1), without any selection."
    album.add("samples", lambda path: plots.mosaic(grid.reshape(10, 10, *grid.shape[1:]), path, caption))
    rows = {
        "made": grid[:10],
        "the training image most like it": pictures(nearest(samples[:10], examples.some), examples),
    }
    caption = "If the two rows were alike, the images would be remembered, not made."
    album.add("nearest", lambda path: plots.image_rows(rows, path, caption=caption))


def nearest(made: np.ndarray, train: np.ndarray) -> np.ndarray:
    """For each example, the training example with the least squared difference."""
    x = train.reshape(len(train), -1)
    squares = (x**2).sum(axis=1)
    return x[[int((squares - 2 * x @ one.ravel()).argmin()) for one in made]].reshape(made.shape)
