"""The figures and the pictures that a run of a masked autoencoder is judged by."""

from __future__ import annotations

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
    """The squared error of test examples whose hidden patches were filled in: by the model, by PCA (`Linear`), which is told
    what is hidden, and by the mean training example. What is seen stays as it is, so all error is in what was hidden.
    """
    x, hidden = examples.test, hidden_patches(model, examples.test)
    errors = {
        preset.name: error_of(x, hidden, in_batches(model.reconstruct, x * (1 - hidden))),
        f"PCA-{pca.components}": error_of(x, hidden, Linear(pca, examples.some).fill_in(x, hidden)),
        "the mean image": error_of(x, hidden, examples.some.mean(axis=0)),
    }
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
            f"PCA-{pca.components}": Linear(pca, examples.some).fill_in(shown, hidden),
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


class Linear:
    """PCA that fills in, as a model in which examples are x = z C + μ + noise: z normal with the variances λ that it has on
    the examples `some`, the noise with the variance s² of what PCA leaves over. Given what is seen, z has the mean

        z = (x - μ) ⊙ (1 - h) Cᵀ (C diag(1 - h) Cᵀ + s² / λ)⁻¹.

    If z and noise were normal, no answer would be better (Tipping and Bishop 1999).
    """

    def __init__(self, pca: PCA, some: np.ndarray):
        rows = some[:10_000].reshape(len(some[:10_000]), -1)
        z = pca.encode(rows)
        left_over = ((rows - pca.decode(z)) ** 2).mean(dtype=np.float64)
        self.pca, self.price = pca, (left_over + 1e-6) / (z.var(axis=0, dtype=np.float64) + 1e-6)  # s² / λ

    def fill_in(self, x: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """x where it is seen, and where it is hidden what is most probable."""
        seen = np.broadcast_to(1 - hidden, x.shape)
        C, made = self.pca.directions.astype(np.float64), []
        for i in range(0, len(x), 200):
            s, given = (part[i : i + 200].reshape(len(x[i : i + 200]), -1).astype(np.float64) for part in (seen, x))
            precision = np.matmul(C * s[:, None], C.T) + np.diag(self.price)  # (N, K, K)
            z = np.linalg.solve(precision, ((given - self.pca.mean) * s @ C.T)[:, :, None])[:, :, 0]
            made.append(given * s + (z @ C + self.pca.mean) * (1 - s))
        return np.concatenate(made).astype(x.dtype).reshape(x.shape)
