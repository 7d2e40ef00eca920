"""A run: a preset trained into a folder, with the figures and pictures of `results/`."""

from __future__ import annotations

import contextlib
import functools
import math
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, arguments, plots
from ..arguments import number, whole
from ..backend import device_module, threads
from ..backend.kernels.host import compile_kernels
from ..data import NAMES, Stream
from ..errors import DivergenceError, OptionError
from ..models import PCA, VAE, Model, Warmup
from ..presets import Examples, Form, Preset
from ..study import watch
from ..training import History, fit, save
from ..training.distributed import Group, all_or_none
from ..training.progress import duration, since
from ..training.ranks import Shard
from .folder import CHECKPOINT, HISTORY, MODEL, run_folder, write_record
from .results import Album, family, headline, remarks, table

FLOW = "gradient_flow"  # a picture, and .csv
MANY = 3000  # numbers of an example, or examples, that PCA takes seconds for


@dataclass(frozen=True)
class Recipe:
    """How the models of a run are trained."""

    preset: Preset
    epochs: int
    batch_size: int
    lr: float
    seed: int
    device: str
    form: Form

    def build(self, build: Callable[..., Model]) -> Model:
        return build(np.random.default_rng(self.seed), self.form)

    def fit(self, model: Model, x: np.ndarray | Stream, **options: Any) -> History:
        """Train a model, and bring it back to the CPU."""
        optimizer = self.preset.optimizer(self.lr, self.epochs * math.ceil(len(x) / self.batch_size))
        sizes = {"epochs": self.epochs, "batch_size": self.batch_size, "seed": self.seed}
        if isinstance(x, Stream):
            x = x.batches(sizes.pop("batch_size"))
        history = fit(model, x, optimizer=optimizer, device=self.device, **sizes, **options)
        model.to("cpu")
        return history


@all_or_none
def train(
    preset: Preset,
    *,
    data: str | None = None,
    data_dir: str | None = None,
    label: str | None = None,
    missing: str | None = None,
    size: tuple[int, int] | None = None,
    code: int | None = None,
    hidden: tuple[int, ...] | None = None,
    beta: float | Warmup | None = None,
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
    distributed: str | Group | None = None,
) -> dict[str, Any]:
    """Train a preset and leave model, history, figures and pictures in a folder; return the record of the run.

    data: a name, or the path of a file or folder of a person's own, which label, missing and size say how to read, as in
    `load_examples`. code, hidden: sizes of the network's code, and of the layers before it. beta: a VAE's β.
    Options that are not given are the preset's. `out` defaults to the first free runs/PRESET-DATA; with `resume=True`, to
    the last one, which is continued, with compiled kernels if it began with them. `watched` also records the gradients of the steps taken this time.
    `compiled` computes with compiled kernels, from now on in this process; these round differently (`compile_kernels`).
    `format`: of the pictures, "png", "svg" or "pdf". `distributed`: as in `fit`; the first rank measures, draws and writes.
    """
    began = time.perf_counter()
    plots.require_format(format)
    device_module(device)  # errors now rather than after a folder has been made
    if compiled:
        compile_kernels()
    chosen = {"code": code, "hidden": hidden, "beta": beta}
    checked(chosen)
    whole("train", "seed", seed, least=0)
    if distributed.size > 1 and preset.pretrain is not None:
        raise OptionError(
            f"preset {preset.name!r} is pretrained layer by layer, which one process does: leave out --distributed"
        )
    read = functools.partial(
        preset.examples, data, data_dir, {"label": label, "missing": missing, "size": size}, seed
    )
    examples = read()
    recipe = Recipe(
        preset,
        preset.epochs if epochs is None else epochs,
        preset.batch_size if batch_size is None else batch_size,
        preset.lr if lr is None else lr,
        seed,
        device,
        preset.form(examples, **chosen),
    )
    whole("train", "epochs", recipe.epochs)
    whole("train", "batch_size", recipe.batch_size)
    model = recipe.build(preset.build)
    if beta is not None and not isinstance(model, VAE):
        raise OptionError(
            f"beta={beta!r}: it weighs the KL term of variational autoencoders, and {preset.name} is none: leave it out"
        )
    source = examples.kept["source"]
    name = source if source in (*NAMES, "synthetic") else Path(source).stem
    record = {"preset": preset.name, "data": source, "seed": seed, "compiled": compiled, "status": "training"}
    about = f"{preset.name} · {name.replace('mnist', 'MNIST')}"
    # others may not see the folder
    folder, record = distributed.from_first(
        lambda: (run_folder(out, f"{preset.name}-{name}", record, resume), record)
    )
    if record["compiled"] and not compiled:
        print("the run goes on with compiled kernels, as it began")
        compile_kernels()
    record |= {
        "prepared": examples.kept,
        "chosen": {key: str(value) for key, value in chosen.items() if value is not None},
    }

    sizes = f"{len(examples.train):,} training, {len(examples.validation):,} validation, {len(examples.test):,} test"
    print(f"{preset.name}: {preset.summary}")
    print("".join(f"{line}\n" for line in examples.told), end="")
    print(f"{model.parameter_count():,} parameters; {name}: {sizes} examples")
    if distributed.size > 1:
        print(f"{distributed.size} ranks train together, each with its share of the examples")
        examples = replace(examples, train=Shard.of(examples.train, model, distributed))
    try:
        if preset.pretrain is not None and not (folder / CHECKPOINT).exists():
            record["pretraining_seconds"] = pretrained(recipe, model, examples)
        with flow_kept(model, Album(folder, format, about)) if watched else contextlib.nullcontext():
            kept = {"checkpoint": folder / CHECKPOINT, "resume": resume, "distributed": distributed}
            history = recipe.fit(model, examples.train, validation=examples.validation, **kept)
    except DivergenceError:
        if distributed.rank == 0:
            write_record(folder, record | {"status": "diverged"})
        raise
    if distributed.rank > 0:
        return record | {"status": "interrupted" if history.interrupted else "done"}
    if distributed.size > 1:
        examples = read()  # to measure and to draw, which the first rank does alone
    if history.interrupted and len(history) < recipe.epochs:
        print(
            f"stopped in epoch {len(history) + 1}: the model is kept as it is now; "
            f"--resume --out {folder} continues from the end of epoch {len(history)}"
        )
    save(model, folder / MODEL)
    with threads(1) if history.crowded else contextlib.nullcontext():
        variants = trained_variants(recipe, examples, history)
        print(f"measuring on {len(examples.test):,} test examples")
        own = model.encode(examples.test[:1]).size if hasattr(model, "encode") else preset.code
        pca = fitted_pca(code or min(preset.code, own), examples)
        figures = family(model).measure(model, preset, pca, examples)
        record |= {
            "status": "interrupted" if history.interrupted else "done",
            "epochs": len(history),
            "batch_size": recipe.batch_size,
            "lr": recipe.lr,
            "device": device,
            "ranks": distributed.size,
            "one_thread": history.crowded,
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
            what = "image" if examples.images else "example"
            epochs_done = f"{len(history)} epoch{'s' * (len(history) > 1)}"
            album = Album(folder, format, f"{about} · {epochs_done} · {headline(figures, what)}")
            family(model).draw(model, variants, preset, pca, examples, history, album)
            album.finish()
    write_record(folder, record)
    print(f"\n{table(figures, examples.features)}")
    print("".join(f"\n{remark}\n" for remark in record["remarks"]), end="")
    print(f"\n{folder}/ holds {', '.join(sorted(path.name for path in folder.iterdir()))}")
    print(f"trained and drawn in {duration(since(began))}")
    return record


def checked(chosen: dict[str, Any]) -> None:
    """Raise OptionError if sizes or a β that a person has chosen cannot be."""
    if chosen["code"] is not None:
        whole("train", "code", chosen["code"])
    if chosen["hidden"] is not None:
        chosen["hidden"] = arguments.sizes("train", "hidden", chosen["hidden"])
    if chosen["beta"] is not None and not isinstance(chosen["beta"], Warmup):
        number("train", "0 <= beta", chosen["beta"])


def fitted_pca(code: int, examples: Examples) -> PCA:
    """PCA with a code as large as the model's, where the data have as many numbers and examples. It takes the cube of the numbers of an
    example in time, so for large images it learns from some of them only, whose own number then counts.
    """
    x = examples.some
    features = x[0].size
    if features > MANY:
        x = x[np.random.default_rng(0).permutation(len(x))[:MANY]]
        print(f"PCA beside it learns from {len(x):,} of the examples, as each has {features:,} numbers")
    return PCA(min(code, features, len(x))).fit(x)


def pretrained(recipe: Recipe, model: Model, examples: Examples) -> float:
    """Give the model better weights to begin with; the seconds that it took."""
    print("pretraining")
    start = time.perf_counter()
    recipe.preset.pretrain(model, examples.train, seed=recipe.seed, device=recipe.device)
    return round(since(start), 2)


def trained_variants(recipe: Recipe, examples: Examples, history: History) -> dict[str, Model]:
    """The models that the preset's picture shows beside its own. Ctrl-C ends this too, and stands in the history."""
    variants: dict[str, Model] = {}
    for name, build in recipe.preset.variants.items():
        if not history.interrupted:
            print(f"for the picture, also: {name}")
            variants[name] = recipe.build(build)
            history.interrupted = recipe.fit(variants[name], examples.train, progress=False).interrupted
    return variants


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
