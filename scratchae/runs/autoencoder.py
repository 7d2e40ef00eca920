"""The figures and the pictures that a run of an autoencoder is judged by."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .. import plots
from ..data import NAMES
from ..layers import Conv2d, ConvTranspose2d, Dense, Dropout, KSparse, Layer, Sigmoid
from ..losses import BCE, MSE
from ..models import PCA, AdversarialAutoencoder, Autoencoder, ContractiveAutoencoder, Model, SequenceAutoencoder
from ..penalties import SparseKL
from ..presets import Examples, Preset
from ..training import History
from ..uses import in_batches
from .album import Album
from .pictures import chosen, pictures
from .sequential import draw_steps

# The figures


def measure(model: Autoencoder, preset: Preset, pca: PCA, examples: Examples) -> dict[str, dict[str, float]]:
    """Errors on the test examples, of the model and of PCA with a code of the same size, summed over features and
    averaged over examples. For cross-entropy also its floor, the entropy of the pixels themselves. A model that removes
    noise gets noisy examples, and its output is compared with the clean ones; for images, a median filter and the
    peak signal-to-noise ratio are given too. For a model that keeps its code sparse or still, also how active the code is.
    """
    x = examples.test
    given = model.corrupted(x, np.random.default_rng(0))
    figures = {
        preset.name: {"squared_error": mean_squared_error(x, in_batches(model.reconstruct, given))},
        f"PCA-{pca.components}": {"squared_error": mean_squared_error(x, pca.reconstruct(given))},
    }
    if given is not x:
        figures["noisy input"] = {"squared_error": mean_squared_error(x, given)}
        if examples.images and examples.scaling.unit:
            median = in_batches(lambda batch: median_filter(batch, examples.shape), given)
            figures["median 3×3"] = {"squared_error": mean_squared_error(x, median)}
            for values in figures.values():
                values["psnr"] = psnr(values["squared_error"] / x[0].size)
    if isinstance(model.loss, BCE):
        prediction = in_batches(lambda batch: model.decoder.forward(model.encode(batch)), given)
        figures[preset.name] |= {
            "cross_entropy": float(model.loss(prediction, x)[0]),
            "cross_entropy_floor": model.loss.floor(x),
        }
    if restrains_its_code(model):
        figures[preset.name] |= activity(model, codes(model, x))
    return figures


def mean_squared_error(x: np.ndarray, made: np.ndarray) -> float:
    """Squared error of reconstructions (N, …), summed over features, averaged over examples."""
    return float(squared_errors(x, made).mean(dtype=np.float64))


def squared_errors(x: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Squared error of each reconstruction, (N,), summed over features."""
    return ((made - x) ** 2).reshape(len(x), -1).sum(axis=1)


def psnr(error: float) -> float:
    """Peak signal-to-noise ratio in decibels, 10 log₁₀ (1 / error), of pixels in [0, 1] with this mean squared error.

    The error is a mean over the pixels of all images, so this is one figure for all of them. It is not a mean of the ratios
    of the images, since one image without any error would make that infinite.
    """
    return -10 * math.log10(max(error, 1e-12))  # at most 120


def median_filter(x: np.ndarray, shape: tuple[int, ...] = (28, 28, 1)) -> np.ndarray:
    """Images (N, …) of a shape (H, W, C), each pixel replaced by the median of the 3 × 3 around it. Outside, the edge is repeated."""
    padded = np.pad(x.reshape(-1, *shape), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))  # (N, H, W, C, 3, 3)
    return np.median(windows, axis=(4, 5)).reshape(x.shape)


def restrains_its_code(model: Autoencoder) -> bool:
    """Whether the model is made to keep its code sparse or still."""
    sparse = any(isinstance(layer, KSparse) for _, layer in model.encoder.leaves())
    return sparse or model.penalty is not None or isinstance(model, ContractiveAutoencoder)


def activity(model: Autoencoder, z: np.ndarray) -> dict[str, float]:
    """The mean of codes z (N, D), the share of their numbers that are active, and the share of units that are never active.

    A number is active if it is not 0; in a sigmoid's code, which is never 0, if it is above ½.
    """
    *_, (_, last) = model.encoder.leaves()
    active = np.abs(z) > (0.5 if isinstance(last, Sigmoid) else 0)
    return {
        "mean_activation": float(z.mean(dtype=np.float64)),
        "active_units": float(active.mean()),
        "idle_units": float(1 - active.any(axis=0).mean()),
    }


# The pictures

SHOWN = 0.5  # the share of the examples, or of the variance, that a plane must show of the codes to be drawn
STRUCTURE = 0.65  # how much neighbouring weights must agree to be drawn


def draw(
    model: Autoencoder,
    variants: dict[str, Autoencoder],
    preset: Preset,
    pca: PCA,
    examples: Examples,
    history: History,
    album: Album,
) -> None:
    """Draw every picture that suits the model and its data."""
    test = examples.test
    makers = {preset.name: model.reconstruct, f"PCA-{pca.components}": pca.reconstruct}
    beside = None
    if isinstance(model.loss, MSE) and pca.components < test[0].size:  # in the same unit, and not 0
        x = examples.validation
        given = model.corrupted(x, np.random.default_rng(0))
        beside = (f"PCA-{pca.components} (validation)", mean_squared_error(x, pca.reconstruct(given)))
    parts = [name for name in ("penalty", "adversarial", "discriminator_loss") if name in history]
    look = {"part": "reconstruction", "beside": parts} if parts else {}
    caption = how_measured(model, preset)
    unit = f"{model.loss.unit} per example"
    album.add("loss", lambda path: plots.loss_curve(history, path, unit, beside, caption=caption, **look))
    if examples.images:
        draw_images(model, makers, preset, examples, album)
    elif preset.variants:
        moves = displacements({"plain": model} | variants, test)
        album.add("displacements", lambda path: plots.displacements(moves, test[:500], path))
    else:
        made = {name: reconstruct(test[:4]) for name, reconstruct in makers.items()}
        album.add("curves", lambda path: plots.curves(test[:4], made, path))
        draw_latent(codes(model, test), examples, album)


def how_measured(model: Model, preset: Preset) -> str:
    """Sentences that say what the loss curve shows of training and of validation."""
    said = [
        "The training loss is the mean over an epoch, while the weights changed, and is drawn in the middle of the epoch."
    ]
    if model.denoises:
        said.append(
            "In training and in validation the inputs are noisy, and the outputs are compared with the clean inputs."
        )
    if any(isinstance(layer, Dropout) for _, layer in model.leaves()):
        said.append("Dropout acts in training only, so the training loss is the larger of the two.")
    if getattr(model, "penalty", None) is not None or isinstance(model, ContractiveAutoencoder):
        said.append("Training minimises the sum of reconstruction and penalty.")
    if getattr(preset.optimizer(preset.lr, 1), "weight_decay", 0):
        said.append("Weight decay keeps the weights small as well; it is not part of this loss.")
    return " ".join(said)


def draw_images(
    model: Autoencoder,
    makers: dict[str, Callable[[np.ndarray], np.ndarray]],
    preset: Preset,
    examples: Examples,
    album: Album,
) -> None:
    """For images: one of each label and its reconstruction, the code, and what the first layer looks for."""
    test = examples.test
    shown = test[chosen(examples)]
    given = model.corrupted(shown, np.random.default_rng(0))
    rows = {"original": shown}
    if given is not shown:
        rows["noisy input"] = given
        if examples.scaling.unit:
            makers = makers | {"median 3×3": lambda x: median_filter(x, examples.shape)}
    rows |= {name: reconstruct(given) for name, reconstruct in makers.items()}
    album.add("reconstructions", lambda path: draw_reconstructions(rows, examples, path))
    z = codes(model, test)
    draw_latent(z, examples, album, prior=isinstance(model, AdversarialAutoencoder) and model.prior == "normal")
    if restrains_its_code(model):
        target = model.penalty.target if isinstance(model.penalty, SparseKL) else None
        album.add("activations", lambda path: plots.activations(z, path, target))
    if isinstance(model, SequenceAutoencoder):
        draw_steps(model, preset, shown, examples.validation[:250], examples, album)
        return
    layers = list(model.leaves())
    weighted = [(name, layer) for name, layer in layers if "W" in layer.parameter_names]
    first, last = weighted[0], weighted[-1]
    if isinstance(first[1], Dense):
        draw_filters(first[1].W, examples, album)
    else:
        album.add("kernels", lambda path: plots.kernels(dict(map(kernels_of, (first, last))), path))
        album.add("feature_maps", lambda path: plots.feature_maps(outputs_of(layers, given[:1]), path))


def draw_reconstructions(rows: dict[str, np.ndarray], examples: Examples, path: Path) -> None:
    """Originals and their reconstructions, each with its squared error."""
    original, *made = rows
    errors = {name: squared_errors(rows[original], rows[name]) for name in made}
    plots.image_rows(
        {name: pictures(row, examples) for name, row in rows.items()},
        path,
        below={name: [f"{error:.1f}" for error in each.tolist()] for name, each in errors.items()},
        caption="The number below an image is its squared error: the squares of how far its pixels are from the original's, "
        "added up.",
    )


def draw_latent(z: np.ndarray, examples: Examples, album: Album, *, prior: bool = False) -> None:
    """Draw the codes of the test examples as points, unless a plane shows too little of them. prior: beside N(0, 1)."""
    labels = examples.test_labels
    if z.shape[1] > 2:
        points, shares = plots.plane(z)
        if labels is None:
            share, what = sum(shares), "of the variance is seen"
        else:
            share, what = at_home(points, labels), "of the examples lie nearest to the middle of their own label"
        if share < SHOWN:
            why = f"along the code's two widest directions {share:.0%} {what}, less than {SHOWN:.0%}"
            album.leave_out("latent", f"{why}: the points would lie in one heap")
            return
    names = () if examples.kept.get("source") in NAMES else examples.classes
    album.add("latent", lambda path: plots.latent_scatter(z, labels, path, names, prior=prior))


def at_home(points: np.ndarray, labels: np.ndarray) -> float:
    """The share of points (N, 2) that are nearest to the middle of the points of their own label."""
    present = np.unique(labels)
    middles = np.stack([points[labels == label].mean(axis=0) for label in present])
    distances = ((points[:, None] - middles) ** 2).sum(axis=2)
    return float((present[distances.argmin(axis=1)] == labels).mean())


def draw_filters(W: np.ndarray, examples: Examples, album: Album) -> None:
    """Draw what the first layer's units look for, unless it has no shape."""
    if not examples.images:
        return
    spread = examples.some.std(axis=0).reshape(-1)
    agreement = neighbours_agree(plots.contributions(W, spread, shape=examples.shape))
    if agreement < STRUCTURE:
        why = f"neighbouring weights of the first layer hardly agree (correlation {agreement:.2f}, less than {STRUCTURE:g})"
        album.leave_out("filters", f"{why}: the images would look like noise")
        return
    album.add("filters", lambda path: plots.filters(W, spread, path, shape=examples.shape))


def neighbours_agree(images: np.ndarray) -> float:
    """How much neighbouring pixels of images (n, H, W), which vary around 0, agree: near 1 in strokes and blobs, 0 in noise.

    It is the correlation along the rows, the columns and both diagonals; for each image the largest of these, since a stroke
    has a direction.
    """
    x = images.astype(np.float64)
    directions = (
        (x[:, :, 1:], x[:, :, :-1]),
        (x[:, 1:], x[:, :-1]),
        (x[:, 1:, 1:], x[:, :-1, :-1]),
        (x[:, 1:, :-1], x[:, :-1, 1:]),
    )
    found = [
        (a * b).sum(axis=(1, 2)) / np.maximum((a * a + b * b).sum(axis=(1, 2)) / 2, 1e-30) for a, b in directions
    ]
    return float(np.max(found, axis=0).mean())


def codes(model: Autoencoder, x: np.ndarray) -> np.ndarray:
    """The codes of x as rows (N, size)."""
    return in_batches(model.encode, x).reshape(len(x), -1)


def kernels_of(named: tuple[str, Conv2d | ConvTranspose2d]) -> tuple[str, np.ndarray]:
    """A title, and the kernels (n, KH, KW) between every input and output channel of a layer."""
    name, layer = named
    KH, KW, *_ = layer.W.shape
    return f"{name}\n{type(layer).__name__}", layer.W.reshape(KH, KW, -1).transpose(2, 0, 1)


def outputs_of(layers: list[tuple[str, Layer]], x: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs of the layers for an image (1, H, W, C), as long as they are images."""
    outputs = {"input": x[0]}
    for name, layer in layers:
        x = layer.forward(x)
        if x.ndim == 4:
            outputs[f"{name} {type(layer).__name__}"] = x[0]
    return outputs


def displacements(models: dict[str, Autoencoder], test: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray, str]]:
    """Draw where each model sends a grid of points, with a remark."""
    axis = np.linspace(-2, 2, 7, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    moves = {}
    for name, model in models.items():
        error = mean_squared_error(test, model.reconstruct(test))
        active = float((model.encode(test) > 0).mean())
        moves[name] = (grid, model.reconstruct(grid), f"squared error {error:.2g}\n{active:.0%} of the code active")
    return moves
