"""What a run of a variational autoencoder is judged by."""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist

import numpy as np

from .. import plots
from ..losses import BCE
from ..models import CVAE, PCA, VAE
from ..presets import Examples, Preset
from ..training import History
from .autoencoder import in_batches, mean_squared_error

EVERY, SAMPLES = 10, 5000  # importance sampling takes long: of every tenth test example, with so many samples each

# The figures


def measure(model: VAE, preset: Preset, pca: PCA, examples: Examples) -> dict[str, dict[str, float]]:
    """The ELBO on the test examples, with one draw of z for each, and its two terms; for cross-entropy also its floor, the
    entropy of the pixels; how many numbers of the code are in use; and the squared error of reconstructions from μ, beside
    PCA's with a code of the same size. A model of drawn pixels gets drawn ones, always the same, and -log p(x) as well.
    """
    rng = np.random.default_rng(0)
    x = model.as_drawn(examples.test, rng)
    target = model.target(x)
    bound = model.elbo(x, rng)
    found = {"reconstruction": bound.pop("reconstruction")}
    if isinstance(model.loss, BCE) and not model.binarise:  # of pixels of 0 and 1 it is 0
        found["cross_entropy_floor"] = model.loss.floor(target)
    found |= bound
    if model.binarise:
        found["nll"] = -float(model.log_likelihood(x[::EVERY], SAMPLES, rng).mean())
    found["units_in_use"] = int(model.active_units(x).sum())
    found["squared_error"] = mean_squared_error(target, in_batches(model.reconstruct, x))
    figures = {preset.name: found}
    if not examples.labels:
        figures[f"PCA-{pca.components}"] = {"squared_error": mean_squared_error(x, pca.reconstruct(x))}
    return figures


# The pictures


def draw(
    model: VAE,
    variants: dict[str, VAE],
    preset: Preset,
    pca: PCA,
    examples: Examples,
    history: History,
    folder: Path,
) -> None:
    """Every picture that suits the model and its data."""
    rng = np.random.default_rng(0)
    x, labels = model.as_drawn(examples.test, rng), examples.test_labels
    plots.loss_curve(history, folder / "loss.png", f"{model.loss.unit} per example; validation at z = μ")
    units = {name: (one.unit_kl(x), one.active_units(x)) for name, one in ({preset.name: model} | variants).items()}
    plots.unit_kl(units, folder / "units.png")
    mean, _ = model.infer_all(x)
    plots.latent_scatter(mean, labels, folder / "latent.png")
    if labels is None:
        return
    first = {int(label): int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)}
    shown = x[list(first.values())]
    rows = {"original": model.target(shown), preset.name: model.reconstruct(shown)}
    if not examples.labels:
        rows[f"PCA-{pca.components}"] = pca.reconstruct(shown)
    plots.image_rows({name: pictures(row) for name, row in rows.items()}, folder / "reconstructions.png")
    if isinstance(model, CVAE):
        z = model.prior(10, rng)  # the same for every class: what z tells is seen along a column
        made = {
            str(label): pictures(model.decode(z, np.eye(model.labels, dtype=z.dtype)[[label]])) for label in first
        }
        plots.image_rows(made, folder / "samples.png")
        return
    plots.mosaic(pictures(model.sample(100, rng)).reshape(10, 10, 28, 28), folder / "samples.png")
    plots.image_rows(interpolations(model, shown, list(first)), folder / "interpolations.png")
    if model.code_size == 2:
        plots.manifold(*manifold(model), folder / "manifold.png")


def pictures(x: np.ndarray) -> np.ndarray:
    """Examples as images (N, 28, 28)."""
    return x.reshape(-1, 28, 28)


def interpolations(model: VAE, shown: np.ndarray, labels: list[int], steps: int = 10) -> dict[str, np.ndarray]:
    """From an example of each class in the first half to one in the second: what lies on the line between their codes."""
    half = len(shown) // 2
    t = np.linspace(0, 1, steps, dtype=shown.dtype)[:, None]
    codes = model.encode(shown)
    return {
        f"{labels[i]} to {labels[half + i]}": pictures(model.decode((1 - t) * codes[i] + t * codes[half + i]))
        for i in range(half)
    }


def manifold(model: VAE, n: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """What a code of two numbers makes, image by image, (n, n, 28, 28), and the values z (n,) of either number.

    Φ(z) = (i + ½) / n: the i-th of n equally likely intervals of N(0, 1), so that the prior is covered evenly. The first
    number grows to the right, the second upwards (Kingma and Welling 2013, figure 4).
    """
    z = np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)], model.parameters.dtype)
    grid = np.stack(np.meshgrid(z, z[::-1]), axis=-1).reshape(-1, 2)
    return pictures(in_batches(model.decode, grid)).reshape(n, n, 28, 28), z
