"""A run: a preset trained into a folder, with the figures and the pictures that it is judged by."""

from __future__ import annotations

import json
import math
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from . import __version__, plots
from .checkpoint import save
from .errors import RunError
from .files import written_whole
from .history import History
from .layers import Dense
from .losses import BCE
from .models import PCA, Autoencoder
from .presets import Examples, Preset
from .progress import duration
from .training import evaluate, fit

MODEL, CHECKPOINT, HISTORY, RECORD = "model.safetensors", "checkpoint.safetensors", "history.csv", "run.json"


def train(
    preset: Preset,
    *,
    data: str | None = None,
    data_dir: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    device: str = "cpu",
    seed: int = 0,
    out: str | Path | None = None,
    resume: bool = False,
) -> Path:
    """Train a preset and leave model, history, figures and pictures in a folder, which is returned; say on
    the way what happens.

    What is not given is the preset's. `out` defaults to the first free runs/PRESET-DATA; `resume=True` goes
    on with the run there.
    """
    started = time.perf_counter()
    epochs, batch_size, lr = epochs or preset.epochs, batch_size or preset.batch_size, lr or preset.lr
    examples = preset.examples(data, data_dir)
    source = data or ("strokes" if preset.synthetic is None else "synthetic")
    settings = {"preset": preset.name, "data": source, "seed": seed}
    folder = run_folder(out, f"{preset.name}-{source}", settings, resume)
    write_record(folder, settings | {"status": "training"})

    model = preset.build(np.random.default_rng(seed))
    steps = epochs * math.ceil(len(examples.train) / batch_size)
    print(f"{preset.name}: {preset.summary}")
    print(f"{model.parameter_count():,} parameters; {source}: {len(examples.train):,} training, {len(examples.validation):,} validation, "
          f"{len(examples.test):,} test examples")  # fmt: skip
    history = fit(
        model,
        examples.train,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=preset.optimizer(lr, steps),
        validation=examples.validation,
        seed=seed,
        device=device,
        checkpoint=folder / CHECKPOINT,
        resume=resume,
    )
    model.to("cpu")
    if history.interrupted:
        print(f"stopped by Ctrl-C in epoch {len(history) + 1}; the model is kept as it is now, and --resume --out {folder} "
              f"goes on from the end of epoch {len(history)}")  # fmt: skip
    save(model, folder / MODEL)
    figures = measure(model, preset, examples)
    if len(history):
        history.to_csv(folder / HISTORY)
        draw(model, preset, examples, history, folder, seed)
    write_record(
        folder,
        settings
        | {
            "status": "interrupted" if history.interrupted else "done",
            "epochs": len(history),
            "batch_size": batch_size,
            "lr": lr,
            "device": device,
            "model": repr(model),
            "parameters": model.parameter_count(),
            "training_seconds": round(sum(history["seconds"]), 2) if len(history) else 0.0,
            "figures": figures,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {
                "scratchae": __version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
            "machine": platform.platform(),
        },
    )
    print("\n" + table(figures, examples.test[0].size))
    print(f"\n{folder}/ holds {', '.join(sorted(path.name for path in folder.iterdir()))}")
    print(f"trained and drawn in {duration(time.perf_counter() - started)}")
    return folder


# The folder


def run_folder(out: str | Path | None, stem: str, settings: dict[str, Any], resume: bool) -> Path:
    """The folder to write to, made if need be. Raises RunError where it cannot be written, or holds another
    run.
    """
    if out is None:
        taken = [path for path in numbered(stem) if path.exists()]
        out = (
            taken[-1]
            if resume and taken
            else next(path for path in numbered(stem, len(taken) + 1) if not path.exists())
        )
    folder = Path(out)
    record = folder / RECORD
    if record.exists():
        if not resume:
            raise RunError(f"{folder} already holds a run: --resume goes on with it, or choose another --out")
        try:
            earlier = json.loads(record.read_text())
            other = [name for name in settings if earlier[name] != settings[name]]
        except (ValueError, KeyError, TypeError):
            raise RunError(f"{record} is damaged or no record of a run: choose another --out") from None
        if other:
            raise RunError(
                f"{folder} holds a run with another {other[0]} ({earlier[other[0]]}, now {settings[other[0]]}): choose another --out"
            )
    elif folder.is_dir() and any(folder.iterdir()):
        raise RunError(
            f"{folder} is not empty and holds no run: choose another --out, so that nothing is overwritten"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(folder / ".writable"):
            pass
        (folder / ".writable").unlink()
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error.strerror}: choose another --out") from None
    return folder


def numbered(stem: str, at_least: int = 1) -> list[Path]:
    """runs/STEM, runs/STEM-2, …: as many as there are, and at least so many."""
    names = [f"runs/{stem}"]
    while Path(names[-1]).exists() or len(names) < at_least:
        names.append(f"runs/{stem}-{len(names) + 1}")
    return [Path(name) for name in names]


def write_record(folder: Path, record: dict[str, Any]) -> None:
    with written_whole(folder / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


# The figures


def measure(model: Autoencoder, preset: Preset, examples: Examples) -> dict[str, dict[str, float]]:
    """Errors on the test examples, of the model and of PCA with a code of the same size: summed over
    features, averaged over examples. For cross-entropy also its floor, the entropy of the pixels
    themselves."""
    pca = PCA(preset.code).fit(examples.train)
    made = {
        preset.name: reconstruct(model, examples.test),
        f"PCA-{pca.components}": pca.reconstruct(examples.test),
    }
    figures = {name: {"squared_error": mean_squared_error(examples.test, x)} for name, x in made.items()}
    if isinstance(model.loss, BCE):
        cross_entropy = evaluate(model, examples.test)["loss"]
        figures[preset.name] |= {
            "cross_entropy": cross_entropy,
            "cross_entropy_floor": model.loss.floor(examples.test),
        }
    return figures


def mean_squared_error(x: np.ndarray, made: np.ndarray) -> float:
    """Squared error of reconstructions (N, D), summed over features, averaged over examples."""
    return float(((made - x) ** 2).sum(axis=1).mean(dtype=np.float64))


def reconstruct(model: Autoencoder, x: np.ndarray) -> np.ndarray:
    """model.reconstruct(x), a thousand at a time."""
    return np.concatenate([model.reconstruct(x[i : i + 1000]) for i in range(0, len(x), 1000)])


def table(figures: dict[str, dict[str, float]], features: int) -> str:
    """The figures as text, each summed over the features of an example and as a mean over them."""
    names = {
        "squared_error": "squared error",
        "cross_entropy": "cross-entropy, nats",
        "cross_entropy_floor": "  its floor: the pixels' entropy",
    }
    lines = [f"{'on the test examples':<44} {'per example':>12} {'per feature':>12}"]
    for who, values in figures.items():
        lines += [
            f"{who:<16}{names[key]:<28} {value:>12.4f} {value / features:>12.5f}"
            for key, value in values.items()
        ]
    return "\n".join(lines)


# The pictures


def draw(
    model: Autoencoder, preset: Preset, examples: Examples, history: History, folder: Path, seed: int
) -> None:
    """Every picture that suits the model."""
    test, labels = examples.test, examples.test_labels
    pca = PCA(preset.code).fit(examples.train)
    plots.loss_curve(history, folder / "loss.png", f"{model.loss.unit} per example")
    if labels is not None:
        chosen = [int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)]
        original = test[chosen]
        rows = {
            "original": original,
            preset.name: model.reconstruct(original),
            f"PCA-{preset.code}": pca.reconstruct(original),
        }
        plots.image_rows(
            {name: images.reshape(-1, 28, 28) for name, images in rows.items()},
            folder / "reconstructions.png",
        )
        codes = model.encode(test)
        plots.latent_scatter(codes, labels, folder / "latent.png")
        first = next(layer for _, layer in model.leaves() if isinstance(layer, Dense))
        plots.filters(first.W, folder / "filters.png")
    elif preset.variants:
        plots.displacements(
            compare_variants(model, preset, examples, seed), test[:500], folder / "displacements.png"
        )
    else:
        original = test[:4]
        plots.curves(
            original,
            {preset.name: model.reconstruct(original), f"PCA-{preset.code}": pca.reconstruct(original)},
            folder / "curves.png",
        )
        plots.latent_scatter(model.encode(test), None, folder / "latent.png")


def compare_variants(
    model: Autoencoder, preset: Preset, examples: Examples, seed: int
) -> dict[str, tuple[np.ndarray, np.ndarray, str]]:
    """The preset's model and its variants, trained the same way: where each sends a grid of points, and its
    test error.
    """
    axis = np.linspace(-2.2, 2.2, 9, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    models = {"plain": model}
    for name, build in preset.variants.items():
        print(f"for the picture, also: {name}")
        models[name] = build(np.random.default_rng(seed))
        fit(models[name], examples.train, epochs=preset.epochs, batch_size=preset.batch_size,
            optimizer=preset.optimizer(preset.lr, preset.epochs * math.ceil(len(examples.train) / preset.batch_size)),
            seed=seed, progress=False)  # fmt: skip
    shown = {}
    for name, trained in models.items():
        error = mean_squared_error(examples.test, reconstruct(trained, examples.test))
        active = float((trained.encode(examples.test) > 0).mean())
        shown[name] = (
            grid,
            trained.reconstruct(grid),
            f"squared error {error:.2g}, {active:.0%} of the code active",
        )
    return shown
