"""The figures and the pictures that a run of a masked autoencoder is judged by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import plots
from ..layers import Dense
from ..models import PCA, MaskedAutoencoder
from ..presets import Examples, Preset
from ..training import History
from ..uses import in_batches
from .album import Album
from .autoencoder import (
    codes,
    draw_filters,
    draw_latent,
    how_measured,
    mean_squared_error,
    squared_errors,
)
from .pictures import chosen, pictures

GREY = 0.35  # how hidden patches are drawn


def measure(model: MaskedAutoencoder, preset: Preset, pca: PCA, examples: Examples) -> dict[str, dict[str, float]]:
    """The squared error of test examples whose hidden patches were filled in: by the model, by PCA, which is given
    the same, and by the mean training example. What is seen stays as it is, so all error is in what was hidden.
    """
    x, hidden = examples.test, hidden_patches(model, examples.test)
    makers = {preset.name: model.reconstruct, f"PCA-{pca.components}": pca.reconstruct}
    errors = {name: error_of(x, hidden, in_batches(make, x * (1 - hidden))) for name, make in makers.items()}
    errors["the mean image"] = error_of(x, hidden, examples.some.mean(axis=0))
    return {name: {"squared_error": error} for name, error in errors.items()}


def hidden_patches(model: MaskedAutoencoder, x: np.ndarray) -> np.ndarray:
    """Which patches of x are hidden, the same each time."""
    return model.hide(x, np.random.default_rng(0))


def error_of(x: np.ndarray, hidden: np.ndarray, made: np.ndarray) -> float:
    """The squared error of x with its hidden numbers from elsewhere."""
    return mean_squared_error(x * hidden, made * hidden)


def draw(
    model: MaskedAutoencoder,
    variants: dict[str, MaskedAutoencoder],
    preset: Preset,
    pca: PCA,
    examples: Examples,
    history: History,
    album: Album,
) -> None:
    """Draw the loss, images with hidden patches that were filled in, the code, and what the first layer looks for."""
    caption = (
        f"The loss is that of the hidden patches only: {model.count} of the {model.patches} of each example, drawn anew in each step. "
        + how_measured(model, preset)
    )
    album.add("loss", lambda path: plots.loss_curve(history, path, f"{model.loss.unit} per example", caption=caption))
    x = examples.test
    if examples.images:
        shown = x[chosen(examples)]
        hidden = hidden_patches(model, shown)
        made = {
            preset.name: model.fill_in(shown, hidden),
            f"PCA-{pca.components}": filled(pca.reconstruct, shown, hidden),
        }
        rows = {"what it sees": shown * (1 - hidden) + GREY * hidden, **made, "original": shown}
        below = {
            name: [f"{error:.1f}" for error in squared_errors(shown, row).tolist()] for name, row in made.items()
        }
        caption = (
            "Grey patches are hidden. What is seen is left as it is, and the hidden patches are filled in. The number below an image is "
            "its squared error: the squares of how far its pixels are from the original's, added up."
        )
        images = {name: pictures(row, examples) for name, row in rows.items()}
        album.add("filled_in", lambda path: plots.image_rows(images, path, below=below, caption=caption))
    draw_latent(codes(model, x), examples, album)
    first = next(layer for _, layer in model.leaves() if "W" in layer.parameter_names)
    if isinstance(first, Dense):
        draw_filters(first.W, examples, album)


def filled(reconstruct: Callable[[np.ndarray], np.ndarray], x: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """x where it is seen, and where it is hidden what is reconstructed from the rest."""
    return x * (1 - hidden) + reconstruct(x * (1 - hidden)) * hidden
