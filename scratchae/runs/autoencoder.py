"""What a run of an autoencoder is judged by."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .. import plots
from ..layers import (
    Conv2d,
    ConvTranspose2d,
    Dense,
    GaussianNoise,
    KSparse,
    Layer,
    MaskingNoise,
    SaltAndPepper,
    Sigmoid,
)
from ..losses import BCE, MSE
from ..models import PCA, Autoencoder, ContractiveAutoencoder
from ..penalties import SparseKL
from ..presets import Examples, Preset
from ..training import History

# The figures


def measure(model: Autoencoder, preset: Preset, pca: PCA, examples: Examples) -> dict[str, dict[str, float]]:
    """Errors on the test examples, of the model and of PCA with a code of the same size: summed over features,
    averaged over examples. For cross-entropy also its floor, the entropy of the pixels themselves. A model that learned
    to remove noise gets noisy examples, and is compared with the clean ones; if they are images, beside a median filter,
    and with the signal-to-noise ratio. Of a code that was kept sparse or still, also how active it is.
    """
    x = examples.test
    given = corrupted(model, x)
    figures = {
        preset.name: {"squared_error": mean_squared_error(x, in_batches(model.reconstruct, given))},
        f"PCA-{pca.components}": {"squared_error": mean_squared_error(x, pca.reconstruct(given))},
    }
    if given is not x:
        figures["noisy input"] = {"squared_error": mean_squared_error(x, given)}
        if examples.test_labels is not None:
            figures["median 3×3"] = {"squared_error": mean_squared_error(x, in_batches(median_filter, given))}
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


def corrupted(model: Autoencoder, x: np.ndarray) -> np.ndarray:
    """x with the noise that the encoder begins with, the same whenever it is asked for; x itself if there is none."""
    _, first = next(model.leaves())
    noise = GaussianNoise, MaskingNoise, SaltAndPepper
    return first.forward(x, np.random.default_rng(0)) if isinstance(first, noise) else x


def mean_squared_error(x: np.ndarray, made: np.ndarray) -> float:
    """Squared error of reconstructions (N, …), summed over features, averaged over examples."""
    return float(((made - x) ** 2).reshape(len(x), -1).sum(axis=1).mean(dtype=np.float64))


def psnr(error: float) -> float:
    """Peak signal-to-noise ratio in decibels, 10 log₁₀ (1 / error), of pixels in [0, 1] with this mean squared error.

    Where the error is a mean over the pixels of all images, so is this a figure of all of them: no mean over images, in
    which one without any error would be infinite.
    """
    return -10 * math.log10(max(error, 1e-12))  # at most 120


def median_filter(x: np.ndarray) -> np.ndarray:
    """Images (N, …) of 28 × 28, each pixel the median of the 3 × 3 around it; beyond the edge, the edge goes on."""
    padded = np.pad(x.reshape(-1, 28, 28), ((0, 0), (1, 1), (1, 1)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))  # (N, 28, 28, 3, 3)
    return np.median(windows, axis=(3, 4)).reshape(x.shape)


def restrains_its_code(model: Autoencoder) -> bool:
    """Whether the model was made to keep its code sparse, or still."""
    sparse = any(isinstance(layer, KSparse) for _, layer in model.encoder.leaves())
    return sparse or model.penalty is not None or isinstance(model, ContractiveAutoencoder)


def activity(model: Autoencoder, z: np.ndarray) -> dict[str, float]:
    """Of codes z (N, D): their mean; the share of numbers that are active; the share of units that never are.

    Active is what is not 0; of a sigmoid's code, which never is 0, what is above ½.
    """
    *_, (_, last) = model.encoder.leaves()
    active = np.abs(z) > (0.5 if isinstance(last, Sigmoid) else 0)
    return {
        "mean_activation": float(z.mean(dtype=np.float64)),
        "active_units": float(active.mean()),
        "idle_units": float(1 - active.any(axis=0).mean()),
    }


def in_batches(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """function(x), 250 examples at a time: what layers keep of all of them may not fit into memory."""
    return np.concatenate([function(x[i : i + 250]) for i in range(0, len(x), 250)])


# The pictures


def draw(
    model: Autoencoder,
    variants: dict[str, Autoencoder],
    preset: Preset,
    pca: PCA,
    examples: Examples,
    history: History,
    folder: Path,
) -> None:
    """Every picture that suits the model and its data."""
    test, labels = examples.test, examples.test_labels
    makers = {preset.name: model.reconstruct, f"PCA-{pca.components}": pca.reconstruct}
    beside = None
    if isinstance(model.loss, MSE) and pca.components < test[0].size:  # in the same unit, and not zero
        error = mean_squared_error(examples.validation, pca.reconstruct(examples.validation))
        beside = (f"PCA-{pca.components} (validation)", error)
    plots.loss_curve(history, folder / "loss.png", f"{model.loss.unit} per example", beside)
    if labels is not None:
        draw_images(model, makers, examples, folder)
    elif preset.variants:
        moves = displacements({"plain": model} | variants, test)
        plots.displacements(moves, test[:500], folder / "displacements.png")
    else:
        made = {name: reconstruct(test[:4]) for name, reconstruct in makers.items()}
        plots.curves(test[:4], made, folder / "curves.png")
        plots.latent_scatter(codes(model, test), None, folder / "latent.png")


def draw_images(
    model: Autoencoder, makers: dict[str, Callable[[np.ndarray], np.ndarray]], examples: Examples, folder: Path
) -> None:
    """For labelled images: one of each label and what is made of it, the code, and what the first layer looks for."""
    test, labels = examples.test, examples.test_labels
    shown = test[[int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)]]
    given = corrupted(model, shown)
    rows = {"original": shown}
    if given is not shown:
        rows["noisy input"] = given
        makers = makers | {"median 3×3": median_filter}
    rows |= {name: reconstruct(given) for name, reconstruct in makers.items()}
    images = {name: row.reshape(-1, 28, 28) for name, row in rows.items()}
    plots.image_rows(images, folder / "reconstructions.png")
    z = codes(model, test)
    plots.latent_scatter(z, labels, folder / "latent.png")
    if restrains_its_code(model):
        target = model.penalty.target if isinstance(model.penalty, SparseKL) else None
        plots.activations(z, folder / "activations.png", target)
    layers = list(model.leaves())
    weighted = [(name, layer) for name, layer in layers if "W" in layer.parameter_names]
    first, last = weighted[0], weighted[-1]
    if isinstance(first[1], Dense):
        plots.filters(first[1].W, examples.train.std(axis=0), folder / "filters.png")
    else:
        plots.kernels(dict(map(kernels_of, (first, last))), folder / "kernels.png")
        plots.feature_maps(outputs_of(layers, given[:1]), folder / "feature_maps.png")


def codes(model: Autoencoder, x: np.ndarray) -> np.ndarray:
    """The codes of x as rows (N, size)."""
    return in_batches(model.encode, x).reshape(len(x), -1)


def kernels_of(named: tuple[str, Conv2d | ConvTranspose2d]) -> tuple[str, np.ndarray]:
    """A title, and the kernels (n, KH, KW) between every input and output channel of a layer."""
    name, layer = named
    KH, KW, *_ = layer.W.shape
    return f"{name}\n{type(layer).__name__}", layer.W.reshape(KH, KW, -1).transpose(2, 0, 1)


def outputs_of(layers: list[tuple[str, Layer]], x: np.ndarray) -> dict[str, np.ndarray]:
    """What an image (1, H, W, C) becomes, layer by layer, for as long as it is an image."""
    outputs = {"input": x[0]}
    for name, layer in layers:
        x = layer.forward(x)
        if x.ndim == 4:
            outputs[f"{name} {type(layer).__name__}"] = x[0]
    return outputs


def displacements(models: dict[str, Autoencoder], test: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray, str]]:
    """Where each model sends a grid of points, and a remark."""
    axis = np.linspace(-2, 2, 7, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    moves = {}
    for name, model in models.items():
        error = mean_squared_error(test, model.reconstruct(test))
        active = float((model.encode(test) > 0).mean())
        moves[name] = (grid, model.reconstruct(grid), f"squared error {error:.2g}\n{active:.0%} of the code active")
    return moves
