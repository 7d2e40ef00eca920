"""A run: a preset trained into a folder, with the figures and pictures of `results/`."""

from __future__ import annotations

import contextlib
import json
import math
import platform
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, plots
from ..backend import device_module
from ..backend.kernels.host import compile_kernels
from ..errors import DivergenceError, RunError
from ..files import written_whole
from ..models import PCA, Autoencoder, Model
from ..presets import Preset
from ..study import watch
from ..training import History, fit, require_whole, save
from ..training.progress import duration
from .results import Album, family, headline, remarks, table

MODEL, CHECKPOINT, HISTORY, RECORD = "model.safetensors", "checkpoint.safetensors", "history.csv", "run.json"
FLOW = "gradient_flow"  # a picture, and .csv


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
    watched: bool = False,
    compiled: bool = False,
    format: str = "png",
) -> dict[str, Any]:
    """Train a preset and leave model, history, figures and pictures in a folder; return the record of the run.

    What is not given is the preset's. `out` defaults to the first free runs/PRESET-DATA; with `resume=True`, to the
    last one, which is gone on with. `watched` adds how the gradients flowed, of the steps taken this time.
    `compiled` computes with compiled kernels, from now on in this process; these round differently (`compile_kernels`).
    `format`: of the pictures, "png", "svg" or "pdf".
    """
    began = time.perf_counter()
    plots.require_format(format)
    device_module(device)  # errors now rather than after a folder has been made
    if compiled:
        compile_kernels()
    epochs = preset.epochs if epochs is None else epochs
    batch_size = preset.batch_size if batch_size is None else batch_size
    lr = preset.lr if lr is None else lr
    require_whole(0, seed=seed)
    require_whole(1, epochs=epochs, batch_size=batch_size)
    examples = preset.examples(data, data_dir)
    source = data or ("strokes" if preset.synthetic is None else "synthetic")
    record = {"preset": preset.name, "data": source, "seed": seed, "status": "training"}
    about = f"{preset.name} · {source.replace('mnist', 'MNIST')}"
    folder = run_folder(out, f"{preset.name}-{source}", record, resume)

    def learn(model: Autoencoder, **options: Any) -> History:
        """Fit a model by the recipe of this run."""
        optimizer = preset.optimizer(lr, epochs * math.ceil(len(examples.train) / batch_size))
        recipe = {"epochs": epochs, "batch_size": batch_size, "optimizer": optimizer, "seed": seed, "device": device}
        history = fit(model, examples.train, **recipe, **options)
        model.to("cpu")
        return history

    model = preset.build(np.random.default_rng(seed))
    sizes = f"{len(examples.train):,} training, {len(examples.validation):,} validation, {len(examples.test):,} test"
    print(f"{preset.name}: {preset.summary}\n{model.parameter_count():,} parameters; {source}: {sizes} examples")
    try:
        if preset.pretrain is not None and not (folder / CHECKPOINT).exists():
            print("pretraining")
            start = time.perf_counter()
            preset.pretrain(model, examples.train, seed=seed, device=device)
            record["pretraining_seconds"] = round(time.perf_counter() - start, 2)
        with flow_kept(model, Album(folder, format, about)) if watched else contextlib.nullcontext():
            history = learn(model, validation=examples.validation, checkpoint=folder / CHECKPOINT, resume=resume)
    except DivergenceError:
        write_record(folder, record | {"status": "diverged"})
        raise
    if history.interrupted:
        print(
            f"stopped in epoch {len(history) + 1}: the model is kept as it is now; "
            f"--resume --out {folder} goes on from the end of epoch {len(history)}"
        )
    save(model, folder / MODEL)
    variants: dict[str, Autoencoder] = {}
    for name, build in preset.variants.items():
        if not history.interrupted:
            print(f"for the picture, also: {name}")
            variants[name] = build(np.random.default_rng(seed))
            history.interrupted = learn(variants[name], progress=False).interrupted
    print(f"measuring on {len(examples.test):,} test examples")
    pca = PCA(preset.code).fit(examples.train)
    figures = family(model).measure(model, preset, pca, examples)
    record |= {
        "status": "interrupted" if history.interrupted else "done",
        "epochs": len(history),
        "batch_size": batch_size,
        "lr": lr,
        "device": device,
        "compiled": compiled,
        "model": repr(model),
        "parameters": model.parameter_count(),
        "training_seconds": round(sum(history["seconds"]), 2) if len(history) else 0.0,
        "figures": figures,
        "remarks": remarks(model, figures[preset.name], examples) if len(history) else [],
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"scratchae": __version__, "numpy": np.__version__, "python": platform.python_version()},
        "machine": platform.platform(),
    }
    if len(history):
        history.to_csv(folder / HISTORY)
        what = "example" if examples.test_labels is None else "image"
        epochs_done = f"{len(history)} epoch{'s' * (len(history) > 1)}"
        album = Album(folder, format, f"{about} · {epochs_done} · {headline(record['figures'], what)}")
        family(model).draw(model, variants, preset, pca, examples, history, album)
        album.finish()
    write_record(folder, record)
    print(f"\n{table(figures, examples.features)}")
    print("".join(f"\n{remark}\n" for remark in record["remarks"]), end="")
    print(f"\n{folder}/ holds {', '.join(sorted(path.name for path in folder.iterdir()))}")
    print(f"trained and drawn in {duration(time.perf_counter() - began)}")
    return record


@contextlib.contextmanager
def flow_kept(model: Model, album: Album) -> Iterator[None]:
    """Watch the training in the block; then, also if it diverged, leave in the album's folder how the gradients flowed, and
    print what is wrong.
    """
    with watch(model) as flow:
        try:
            yield
        finally:
            if flow.steps:  # none where a finished run is resumed
                flow.to_csv(album.folder / f"{FLOW}.csv")
                album.add(FLOW, lambda path: plots.gradient_flow(flow, path))
                album.finish()
                print("".join(f"{text}\n" for text in flow.warnings), end="")
    if flow.steps and not flow.warnings:
        print("\n  ".join(["the gradients flow, and nothing is beyond its limit:", *flow.figures]))


# The folder


def run_folder(out: str | Path | None, stem: str, record: dict[str, Any], resume: bool) -> Path:
    """The folder, with the record of the run in it. Raises RunError if it cannot be written or holds something else."""
    folder = Path(out) if out is not None else default_folder(stem, resume)
    earlier = folder / RECORD
    if earlier.exists():
        if not resume:
            raise RunError(f"{folder} already holds a run: --resume goes on with it, or choose another --out")
        try:
            before = json.loads(earlier.read_text())
            other = [name for name in ("preset", "data", "seed") if before[name] != record[name]]
        except (ValueError, KeyError, TypeError):
            raise RunError(f"{earlier} is damaged or no record of a run: choose another --out") from None
        if other:
            was, now = before[other[0]], record[other[0]]
            raise RunError(f"{folder} holds a run with another {other[0]} ({was}, now {now}): choose another --out")
    elif folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise RunError(f"{folder} is not empty and holds no run: choose another --out, so that nothing is lost")
    try:
        if not earlier.exists():  # else it stays until there is a newer one to take its place
            write_record(folder, record)
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error.strerror or error}: choose another --out") from None
    return folder


def default_folder(stem: str, resume: bool) -> Path:
    """The first of runs/STEM, runs/STEM-2, … that is not there yet; to resume, the last that is."""
    folders = [Path(f"runs/{stem}")]
    while folders[-1].exists():
        folders.append(Path(f"runs/{stem}-{len(folders) + 1}"))
    return folders[-2] if resume and len(folders) > 1 else folders[-1]


def write_record(folder: Path, record: dict[str, Any]) -> None:
    with written_whole(folder / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
