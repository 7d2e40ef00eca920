"""What `scratchae use JOB RUN` does: each job opens a run, uses its model on examples, and leaves files and a picture in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import plots, uses
from ..arguments import choice
from ..data import NAMES
from ..errors import DataError, OptionError, RunError
from ..models import CVAE, RBM, VAE
from ..presets import PRESETS
from .autoencoder import mean_squared_error, psnr
from .compressing import compress, decompress
from .opened import Batch, Run, open_run
from .pictures import pictures
from .probes import embed, probe
from .scoring import score
from .task import SHOWN, Task


def reconstruct(task: Task) -> str:
    """Every example rebuilt from its code."""
    made = uses.rebuild(task.model, task.x)
    errors = ((made - task.target) ** 2).reshape(len(made), -1).sum(axis=1)
    task.data("reconstructions", made)
    names, labels = task.known()
    task.table("errors", ["row", *names, "squared_error"], [task.numbers(), *labels, errors.tolist()])
    order = np.argsort(errors, kind="stable")
    places = order[np.linspace(0, len(order) - 1, min(SHOWN, len(order))).astype(int)]
    task.rows(
        "reconstruct",
        {"original": task.target[places], "rebuilt": made[places]},
        below={"rebuilt": [f"{error:.3g}" for error in errors[places].tolist()]},
        above=["best", *[""] * (len(places) - 2), "worst"] if len(places) > 1 else (),
        caption="From the example that is rebuilt best to the one that is rebuilt worst, in even steps"
        + ("; the number below is the squared error." if task.about.images else "."),
    )
    task.figures |= {"squared_error": errors.mean(), "least": errors.min(), "largest": errors.max()}
    return f"squared error: {errors.mean():.4g} on average, from {errors.min():.4g} to {errors.max():.4g} (row {errors.argmax() + 1})"


def encode(task: Task) -> str:
    """The code of every example."""
    z = uses.encode(task.model, task.x)
    task.array("codes", z)
    names, labels = task.known()
    header = ["row", *names, *(f"z{i + 1}" for i in range(z.shape[1]))]
    task.table("codes", header, [task.numbers(), *labels, *z.T.tolist()])
    if len(z) > 2:
        classes, labels = (), None
        if task.given.labels is not None:
            classes, labels = np.unique(task.given.labels, return_inverse=True)
        task.picture("encode", lambda path: plots.latent_scatter(z, labels, path, classes))
    task.figures |= {"code": z.shape[1]}
    return f"{len(z):,} code{'s' * (len(z) != 1)} of {z.shape[1]} numbers"


def denoise(task: Task) -> str:
    """The noise taken out of examples: of those that are given, or of test examples to which the model's own noise is added."""
    clean, own = task.target, task.options.get("data") is None
    noisy = task.model.corrupted(task.x, np.random.default_rng(task.options["seed"])) if own else task.x
    made = uses.rebuild(task.model, noisy)
    task.data("denoised", made)
    shown = slice(min(SHOWN, len(made)))
    rows = {"clean": clean[shown]} if own else {}
    task.rows("denoise", {**rows, "noisy": noisy[shown], "denoised": made[shown]})
    if not own:
        return f"{len(made):,} examples"
    before, after = (mean_squared_error(clean, x) for x in (noisy, made))
    task.figures |= {"squared_error_with_noise": before, "squared_error": after}
    peak = (
        f"; peak signal-to-noise ratio {psnr(before / clean[0].size):.1f} to {psnr(after / clean[0].size):.1f} dB"
        if task.about.scaling.unit
        else ""
    )
    return f"squared error {before:.4g} with the noise, {after:.4g} without it{peak}"


def generate(task: Task) -> str:
    """New examples."""
    count = task.options.get("count") or 100
    made = uses.generate(task.model, count, task.options["seed"])
    task.data("generated", made)
    if task.about.images:
        side = max(int(count**0.5), 1)
        shown = pictures(made[: side * side], task.about)
        tiles = shown.reshape(side, side, *shown.shape[1:])
        caption = "New examples, without any selection." + (
            " The classes take turns." if isinstance(task.model, CVAE) else ""
        )
        task.picture("generate", lambda path: plots.mosaic(tiles, path, caption))
    else:
        task.picture("generate", lambda path: plots.spread(made, task.about.columns, path, "new examples"))
    task.figures |= {"generated": count}
    return f"{count:,} new examples"


def interpolate(task: Task) -> str:
    """From one example to another, along the line between their codes."""
    if len(task.x) < 2:
        raise DataError(
            f"interpolate: it goes from one example to another, and there is {len(task.x)}: give at least two, --data …"
        )
    labels = task.given.labels
    places = np.arange(len(task.x))
    if labels is not None:  # the classes take turns
        turns = [np.flatnonzero(labels == one) for one in np.unique(labels)]
        places = np.array([group[i] for i in range(max(map(len, turns))) for group in turns if i < len(group)])
    half = min(len(places), SHOWN) // 2
    start, end = places[:half], places[half : 2 * half]
    if labels is not None and len(turns) < half:  # so that a pair is of two classes where there are few
        start, end = places[: 2 * half : 2], places[1 : 2 * half : 2]
    made = uses.interpolate(task.model, task.x[start], task.x[end])
    ends = [str(i + 1) if labels is None else labels[i] for i in (*start, *end)]
    rows = {
        f"{ends[i]} to {ends[half + i]}": np.concatenate([task.target[[a]], each, task.target[[b]]])
        for i, (a, b, each) in enumerate(zip(start, end, made, strict=True))
    }
    task.array("interpolations", made)
    steps = made.shape[1]
    task.rows(
        "interpolate",
        rows,
        above=["original", "its code", *[""] * (steps - 2), "its code", "original"],
        caption="Between two originals: what the decoder makes of their codes, and of codes in even steps on the line between these.",
    )
    task.figures |= {"pairs": len(made), "steps": steps}
    return f"{len(made)} pairs, {steps} steps from code to code"


def traverse(task: Task) -> str:
    """One number of the code at a time, from end to end."""
    row = task.options.get("row") or 1
    if row > len(task.x):
        raise OptionError(f"--row {row}: there are {len(task.x):,} examples")
    units = SHOWN if task.about.images else 5
    made, units, values = uses.traverse(task.model, task.x[:2000], task.x[row - 1 : row], units=units)
    task.array("traversals", made)
    names = [
        f"z{unit + 1}  {low:.2g} … {high:.2g}".replace("-", "−")
        for unit, (low, *_, high) in zip(units, values.tolist(), strict=True)
    ]
    task.rows(
        "traverse",
        dict(zip(names, made, strict=True)),
        caption=f"Example {row}, with one number of its code moved from the 1st to the 99th percentile of the codes, and all others kept. The "
        "numbers that change the output most come first.",
    )
    task.figures |= {"numbers_of_the_code": units}
    return f"{len(units)} of {task.model.encode(task.x[:1]).size} numbers of the code, those that change most"


JOBS: dict[str, Callable[[Task], str]] = {
    job.__name__: job
    for job in (
        reconstruct,
        encode,
        denoise,
        score,
        compress,
        decompress,
        probe,
        embed,
        generate,
        interpolate,
        traverse,
    )
}


def use(
    job: str,
    folder: str | Path,
    *,
    data: str | None = None,
    label: str | None = None,
    missing: str | None = None,
    data_dir: str | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    format: str = "png",
    **options: Any,
) -> Task:
    """Do a job with the model of a run, on its test examples or on others, and print what it found. Its files are in `out`, by
    default in a folder of the job's name inside the run's. Raises an error for a job that the model cannot do.
    """
    choice("use", "job", job, list(JOBS))
    plots.require_format(format)
    run = open_run(folder)
    able(job, run, data)
    if job == "decompress":
        if data is None:
            raise OptionError("decompress: say what to decompress, --data FILE, which `scratchae use compress` wrote")
        given = Batch(np.zeros((1, *run.input_shape), np.float32), None)
    else:
        given = run.batch(data, label, data_dir, missing)
    if not len(given.x):
        raise DataError(f"{data}: it holds no examples: expected at least one")
    task = Task(
        run,
        given,
        Path(out) if out is not None else run.folder / job,
        format,
        {"seed": seed, "data": data, "data_dir": data_dir, **options},
    )
    print("".join(f"{note}\n" for note in given.notes), end="")
    source = run.kept["source"]
    name = data or (source if source in (*NAMES, "synthetic") else Path(source).name)
    count = len(given.x)
    of = "" if job == "decompress" else f"{count:,} example{'s' * (count != 1)} of "
    print(f"{job}: {run.preset.name}, {of}{name}{'' if data else ' (its test examples)'}")
    try:
        task.out.mkdir(parents=True, exist_ok=True)
        with plots.small_print(f"{run.preset.name} · {name}"):
            said = JOBS[job](task)
    except OSError as error:
        raise RunError(f"cannot write to {task.out}: {error.strerror or error}: choose another --out") from None
    print(said)
    print(f"{task.out}/ holds {', '.join(task.written)}")
    return task


def able(job: str, run: Run, data: str | None) -> None:
    """Raise OptionError for a job that a model of this kind cannot do, before any data are read."""
    if job == "generate" and not isinstance(run.model, VAE | RBM):
        uses.generate(run.model, 1)
    if job == "probe" and data not in (None, *NAMES):
        raise OptionError(
            f"probe --data {data}: it needs training and test examples with classes: expected {', '.join(NAMES)}, or leave it out"
        )
    if job == "denoise" and not run.model.denoises:
        names = [name for name in PRESETS if "denoising" in name]
        raise OptionError(
            f"denoise: {run.preset.name} was not trained to remove noise; presets that are: {', '.join(names)}"
        )
