"""The figures and the pictures that a run of a diffusion model is judged by."""

from __future__ import annotations

import numpy as np

from .. import plots
from ..models import PCA, Diffusion
from ..presets import Examples, Preset
from ..training import History
from ..uses import in_batches
from .album import Album
from .autoencoder import draw_reconstructions, how_measured, mean_squared_error
from .pictures import MNIST, chosen, pictures

SIGMA = 0.5  # the noise of the figures, as of the preset `denoising`
STEPS = 200  # of sampling
SHOWN = 6  # levels that the picture of sampling shows

# The figures


def measure(model: Diffusion, preset: Preset, pca: PCA, examples: Examples) -> dict[str, dict[str, float]]:
    """The squared error of test examples with noise of 0.5, not cut to [0, 1], after the model has taken it away, and after PCA has."""
    x = examples.test
    noisy = with_noise(x)
    makers = {preset.name: lambda given: model.denoise(given, SIGMA), f"PCA-{pca.components}": pca.reconstruct}
    figures = {
        name: {"squared_error": mean_squared_error(x, in_batches(make, noisy))} for name, make in makers.items()
    }
    return figures | {"noisy input": {"squared_error": mean_squared_error(x, noisy)}}


def with_noise(x: np.ndarray) -> np.ndarray:
    """x with noise, the same each time."""
    return x + SIGMA * np.random.default_rng(0).standard_normal(x.shape, dtype=x.dtype)


# The pictures


def draw(
    model: Diffusion,
    variants: dict[str, Diffusion],
    preset: Preset,
    pca: PCA,
    examples: Examples,
    history: History,
    album: Album,
) -> None:
    """Draw the loss, what the model takes away, how images come out of noise, and a hundred of them."""
    caption = (
        f"The loss is the mean over all levels of the noise, from {model.low:g} to {model.high:g}, of which each example gets one. "
        + how_measured(model, preset)
    )
    album.add("loss", lambda path: plots.loss_curve(history, path, f"{model.loss.unit} per example", caption=caption))
    x = examples.test
    if not examples.images:
        return
    shown = x[chosen(examples)]
    noisy = with_noise(shown)
    rows = {"original": shown, f"with noise of {SIGMA:g}": noisy}
    rows |= {preset.name: model.denoise(noisy, SIGMA), f"PCA-{pca.components}": pca.reconstruct(noisy)}
    album.add("reconstructions", lambda path: draw_reconstructions(rows, examples, path))
    caption = (
        f"{len(shown)} images on their way from noise, in {STEPS} steps. At each level σ above the data that are still noisy, and below "
        "what the model takes the image to be: the mean of all that it could be, blurred at first."
    )
    way = sampling(model, len(shown), examples)
    album.add("sampling", lambda path: plots.image_rows(way, path, caption=caption))
    samples = pictures(model.sample(100, steps=STEPS, rng=np.random.default_rng(0)), examples)
    samples = samples.reshape(10, 10, *samples.shape[1:])
    caption = f"New images, made from noise in {STEPS} steps, without any selection."
    album.add("samples", lambda path: plots.mosaic(samples, path, caption))


def sampling(model: Diffusion, n: int, examples: Examples = MNIST) -> dict[str, np.ndarray]:
    """Rows of images at some levels of sampling: noisy, and what the model takes them to be."""
    shown = set(np.linspace(0, STEPS - 1, SHOWN).round().astype(int).tolist())
    rows = {}
    for i, (sigma, noisy, made) in enumerate(model.steps(n, steps=STEPS, rng=np.random.default_rng(0))):
        if i in shown:
            rows[f"σ = {sigma:.2g}"] = pictures(noisy, examples)
            rows[f"taken for, at {sigma:.2g}"] = pictures(made, examples)
    return rows
