"""The figures and the pictures that a run of a vector-quantised autoencoder is judged by."""

from __future__ import annotations

import numpy as np

from .. import plots
from ..models import PCA, VQVAE, CodePrior
from ..presets import Examples, Preset
from ..training import History
from ..uses import in_batches
from .album import Album
from .autoencoder import draw_reconstructions, how_measured, mean_squared_error
from .pictures import chosen, pictures

# The figures


def measure(model: VQVAE, preset: Preset, pca: PCA, examples: Examples) -> dict[str, dict[str, float]]:
    """The squared error on the test examples, beside PCA's; the bits of a code, if all codes take as many, and by a prior that
    was counted on the training examples; and how many vectors of the codebook are in use, e to the entropy of their shares.
    """
    x = examples.test
    codes = in_batches(model.codes, x)
    shares = use(model, codes)
    return {
        preset.name: {
            "squared_error": mean_squared_error(x, in_batches(model.reconstruct, x)),
            "bits": model.bits(x),
            "prior_bits": float(prior(model, examples).bits(codes).mean()),
            "perplexity": float(np.exp(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())),
        },
        f"PCA-{pca.components}": {"squared_error": mean_squared_error(x, pca.reconstruct(x))},
    }


def prior(model: VQVAE, examples: Examples) -> CodePrior:
    """How probable codes are, by the training examples."""
    return CodePrior(model.codebook.codes).fit(in_batches(model.codes, examples.some))


def use(model: VQVAE, codes: np.ndarray) -> np.ndarray:
    """How often each vector of the codebook is chosen, as a share of all, (K,)."""
    return np.bincount(codes.ravel(), minlength=model.codebook.codes) / codes.size


# The pictures


def draw(
    model: VQVAE,
    variants: dict[str, VQVAE],
    preset: Preset,
    pca: PCA,
    examples: Examples,
    history: History,
    album: Album,
) -> None:
    """Draw the loss, the use of the codebook, reconstructions, and new images."""
    x = examples.test
    caption = (
        "The loss is reconstruction + "
        + ("" if model.weight == 1 else f"{model.weight:g} · ")
        + "quantisation, the squared distance of codes to their vectors. "
        + how_measured(model, preset)
    )
    unit, parts = f"{model.loss.unit} per example", ("reconstruction", "quantisation")
    album.add("loss", lambda path: plots.loss_curve(history, path, unit, beside=parts, caption=caption))
    album.add("codebook", lambda path: plots.codebook(use(model, in_batches(model.codes, x)), history, path))
    if not examples.images:
        return
    shown = x[chosen(examples)]
    rows = {"original": shown, preset.name: model.reconstruct(shown), f"PCA-{pca.components}": pca.reconstruct(shown)}
    album.add("reconstructions", lambda path: draw_reconstructions(rows, examples, path))
    codes = prior(model, examples).sample(100, np.random.default_rng(0))
    made = pictures(model.decode(model.codebook.vectors(codes)), examples)
    caption = (
        "New images, without any selection: the decoder's outputs for codes drawn from a small prior, which knows how probable a "
        "code is at its place after the codes to the left and above. What is farther away it does not know."
    )
    album.add("samples", lambda path: plots.mosaic(made.reshape(10, 10, *made.shape[1:]), path, caption))
