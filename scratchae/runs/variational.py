"""The figures and the pictures that a run of a variational autoencoder is judged by."""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist

import numpy as np

from .. import plots
from ..losses import BCE
from ..models import CVAE, PCA, VAE
from ..presets import Examples, Preset
from ..training import History
from ..uses import in_batches
from .album import Album
from .autoencoder import draw_latent, draw_reconstructions, how_measured, mean_squared_error
from .pictures import MNIST, chosen, pictures

# importance sampling takes long: it is done for every tenth test example, with this many samples for each
EVERY, SAMPLES = 10, 5000

# The figures


def measure(model: VAE, preset: Preset, pca: PCA, examples: Examples) -> dict[str, dict[str, float]]:
    """The ELBO on the test examples, with one draw of z for each, and its two terms; for cross-entropy also its floor, the
    entropy of the pixels; the number of code numbers in use; and the squared error of reconstructions from μ, beside that of
    PCA with a code of the same size. A model of drawn pixels gets drawn pixels, the same each time, and -log p(x) as well.
    """
    rng = np.random.default_rng(0)
    x = model.as_drawn(examples.test, rng)
    target = model.target(x)
    bound = model.elbo(x, rng)
    found = {"reconstruction": bound.pop("reconstruction")}
    if isinstance(model.loss, BCE) and not model.binarise:  # for pixels of 0 and 1 it is 0
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
    album: Album,
) -> None:
    """Draw every picture that suits the model and its data."""
    rng = np.random.default_rng(0)
    x, labels = model.as_drawn(examples.test, rng), examples.test_labels
    beta = model.beta if model.warmup is None else model.warmup.weight
    times = "" if beta == 1 else f"{beta:g} · "
    caption = (
        f"The loss is reconstruction + {times}KL, with the code drawn from q(z|x) in training and in validation. "
        + how_measured(model, preset)
    )
    unit, parts = f"{model.loss.unit} per example", ("reconstruction", "kl")
    album.add("loss", lambda path: plots.loss_curve(history, path, unit, beside=parts, caption=caption))
    if model.code_size > 2:  # two bars would show little
        units = {
            name: (one.unit_kl(x), one.active_units(x)) for name, one in ({preset.name: model} | variants).items()
        }
        album.add("units", lambda path: plots.unit_kl(units, path))
    mean, _ = model.infer_all(x)
    draw_latent(mean, examples, album)
    if not examples.images:
        made = {preset.name: model.reconstruct(x[:4])}
        if not examples.labels:
            made[f"PCA-{pca.components}"] = pca.reconstruct(x[:4])
            album.add("curves", lambda path: plots.curves(x[:4], made, path))
        return
    places = chosen(examples)
    names = [str(place) if labels is None else examples.classes[labels[place]] for place in places]
    shown = x[places]
    rows = {"original": model.target(shown), preset.name: model.reconstruct(shown)}
    if not examples.labels:
        rows[f"PCA-{pca.components}"] = pca.reconstruct(shown)
    album.add("reconstructions", lambda path: draw_reconstructions(rows, examples, path))
    if isinstance(model, CVAE):
        z = model.prior(10, rng)  # the same codes for every class: a column shows what z holds
        made = {
            name: pictures(model.decode(z, np.eye(model.labels, dtype=z.dtype)[[labels[place]]]), examples)
            for name, place in zip(names, places, strict=True)
        }
        caption = "New images: a row for each requested class, a column for each code, drawn from N(0, 1)."
        album.add("samples", lambda path: plots.image_rows(made, path, caption=caption))
        return
    samples = pictures(model.sample(100, rng), examples)
    samples = samples.reshape(10, 10, *samples.shape[1:])
    caption = "New images: the decoder's outputs for codes drawn from N(0, 1), without any selection."
    album.add("samples", lambda path: plots.mosaic(samples, path, caption))
    album.add("interpolations", lambda path: draw_interpolations(model, shown, names, examples, path))
    if model.code_size == 2:
        album.add("manifold", lambda path: plots.manifold(*manifold(model, examples=examples), path))


def draw_interpolations(model: VAE, shown: np.ndarray, names: list[str], examples: Examples, path: Path) -> None:
    steps = 10
    plots.image_rows(
        interpolations(model, shown, names, steps, examples),
        path,
        above=["original", "its code", *[""] * (steps - 2), "its code", "original"],
        caption="Between two originals: the decoder's outputs for their codes, and for codes in even steps on the line between "
        "these. If an end differs from its original, the code has lost that difference.",
    )


def interpolations(
    model: VAE, shown: np.ndarray, names: list[str], steps: int = 10, examples: Examples = MNIST
) -> dict[str, np.ndarray]:
    """Rows from an example of each class in the first half to one in the second half: both originals, and between them the
    decoder's outputs for the line between their codes.
    """
    half = len(shown) // 2
    t = np.linspace(0, 1, steps, dtype=shown.dtype)[:, None]
    codes, originals = model.encode(shown), pictures(model.target(shown), examples)
    rows = {}
    for i, j in ((i, half + i) for i in range(half)):
        between = pictures(model.decode((1 - t) * codes[i] + t * codes[j]), examples)
        rows[f"{names[i]} to {names[j]}"] = np.concatenate([originals[[i]], between, originals[[j]]])
    return rows


def manifold(model: VAE, n: int = 20, examples: Examples = MNIST) -> tuple[np.ndarray, np.ndarray]:
    """The images (n, n, H, W) that a code of two numbers makes, and the values z (n,) of each number.

    Φ(z) = (i + ½) / n: the i-th of n equally likely intervals of N(0, 1), so that the prior is covered evenly. The first
    number grows to the right, the second upwards (Kingma and Welling 2013, figure 4).
    """
    z = np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)], model.parameters.dtype)
    grid = np.stack(np.meshgrid(z, z[::-1]), axis=-1).reshape(-1, 2)
    images = pictures(in_batches(model.decode, grid), examples)
    return images.reshape(n, n, *images.shape[1:]), z
