"""The pictures of an autoencoder of sequences: what its code holds as it reads on, how far back the gradient reaches, and what
attention reads."""

from __future__ import annotations

import numpy as np

from .. import plots
from ..layers import Attention
from ..layers.stepping import Recurrent
from ..models import SequenceAutoencoder
from ..presets import Examples, Preset
from ..study.memory import through_time
from .album import Album
from .pictures import pictures


def draw_steps(
    model: SequenceAutoencoder, preset: Preset, shown: np.ndarray, x: np.ndarray, examples: Examples, album: Album
) -> None:
    """Draw them. shown: a few images (n, T, D); x: examples for the gradient."""
    T = shown.shape[1]
    stops = np.unique(np.linspace(0, T, min(T, 7) + 1).astype(int))[1:]
    rows = {f"{t} rows read": model.decode(model.encode(shown[:, :t]), T) for t in stops.tolist()}
    images = {name: pictures(made, examples) for name, made in ({"original": shown} | rows).items()}
    caption = (
        f"The encoder stops after some rows, and the decoder writes all {T} from the code that it has then. It was trained on codes of whole "
        "images only: an earlier code is on its way, and means something else to it."
    )
    album.add("reading", lambda path: plots.image_rows(images, path, caption=caption))
    norms = {}
    for stage, one in (
        ("before training", preset.build(np.random.default_rng(0), preset.form(examples))),
        ("trained", model),
    ):
        one.objective(x)
        one.backward()
        layers = [(name.partition(".")[0], layer) for name, layer in one.leaves() if isinstance(layer, Recurrent)]
        norms |= {f"{part} {type(layer).__name__}, {stage}": through_time(layer) for part, layer in layers}
    album.add("through_time", lambda path: plots.through_time(norms, path))
    if model.attends:
        draw_attention(model, x, album)


def draw_attention(model: SequenceAutoencoder, x: np.ndarray, album: Album) -> None:
    """Draw the maps of attention, as means over examples x (N, T, D): what made the code, if attention did, and what is read of it."""
    model.reconstruct(x)
    (_, *_, (_, last)), (_, first) = model.encoder.running_order(), next(model.decoder.running_order())
    read = first.p  # (N, steps written, vectors of the code)
    maps = {("step written", "vector of the code"): read}
    if isinstance(last, Attention):
        maps[("vector of the code", "step read")] = last.p
        maps[("step written", "step read")] = read @ last.p
    album.add("attention", lambda path: plots.attention({axes: p.mean(axis=0) for axes, p in maps.items()}, path))
