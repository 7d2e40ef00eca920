"""Searching for settings: many short trainings, judged on the validation examples, which can be stopped and gone on with."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import plots, uses
from ..arguments import number, whole
from ..backend import threads
from ..errors import DivergenceError, OptionError, RunError
from ..files import written_whole
from ..models import VAE, Model
from ..presets import Examples, Preset, find_preset
from ..training import fit
from .autoencoder import mean_squared_error

SETTINGS = {"code": int, "lr": float, "batch_size": int, "beta": float, "noise": float, "hidden": str}
PLAN, TRIALS = "search.json", "trials"


def read_space(texts: Sequence[str]) -> dict[str, Any]:
    """What to search: code=8,16,32 for values to try, lr=1e-4..1e-2 for a range to draw from. Raises OptionError."""
    space: dict[str, Any] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or name not in SETTINGS:
            raise OptionError(
                f"--over {text}: expected a setting and its values, such as code=8,16,32 or lr=1e-4..1e-2; settings are {', '.join(SETTINGS)}"
            )
        try:
            if ".." in values:
                low, high = map(float, values.split(".."))
                if not 0 < low < high or SETTINGS[name] is str:
                    raise ValueError
                space[name] = {"low": low, "high": high}
            else:
                space[name] = [SETTINGS[name](value) for value in values.split(",")]
        except ValueError:
            raise OptionError(
                f"--over {text}: expected numbers with commas, or a range of numbers above 0, such as lr=1e-4..1e-2"
            ) from None
    if not space:
        raise OptionError("search: say what to search, --over code=8,16,32")
    return space


def trials_of(space: dict[str, Any], count: int | None, seed: int) -> list[dict[str, Any]]:
    """The settings of each trial: every combination of values; or, with `count` or a range, so many that are drawn at random. Ranges
    are drawn from evenly in the logarithm.
    """
    ranges = any(isinstance(values, dict) for values in space.values())
    if count is None and not ranges:
        return [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]
    rng = np.random.default_rng([seed, 5])

    def drawn(name: str, values: Any) -> Any:
        if isinstance(values, list):
            return values[rng.integers(len(values))]
        value = math.exp(rng.uniform(math.log(values["low"]), math.log(values["high"])))
        return round(value) if SETTINGS[name] is int else float(f"{value:.4g}")

    return [{name: drawn(name, values) for name, values in space.items()} for _ in range(count or 20)]


def search(
    preset: str,
    space: dict[str, Any],
    *,
    data: str | None = None,
    data_dir: str | None = None,
    label: str | None = None,
    missing: str | None = None,
    size: tuple[int, int] | None = None,
    trials: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    jobs: int = 1,
    out: str | Path | None = None,
    format: str = "png",
) -> list[dict[str, Any]]:
    """Train a preset with many settings and return the trials, the best first, by their figure on the validation examples.

    Each trial is kept when it is done; the same search in the same folder goes on with those that are missing. jobs: processes at a
    time, by joblib: in `joblib.parallel_config(…)` they run where its backend runs, such as Dask or Ray on other machines.
    """
    plots.require_format(format)
    found = find_preset(preset)
    own = {"label": label, "missing": missing, "size": size}
    examples = found.examples(data, data_dir, own, seed)
    epochs = whole("search", "epochs", found.epochs if epochs is None else epochs)
    planned = trials_of(space, None if trials is None else whole("search", "trials", trials), seed)
    source = examples.kept["source"]
    folder = Path(out or f"searches/{preset}-{Path(source).stem}")
    plan = {"preset": preset, "data": source, "space": space, "trials": len(planned), "epochs": epochs, "seed": seed}
    begin(folder, plan)
    left = [i for i in range(len(planned)) if not (folder / TRIALS / f"{i:04}.json").is_file()]
    print("".join(f"{line}\n" for line in examples.told), end="")
    print(
        f"search: {len(planned)} trials of {preset}, {epochs} epochs each; {len(planned) - len(left)} are there already"
    )
    run_all(found, examples, planned, left, epochs, seed, whole("search", "jobs", jobs), folder)
    done = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / TRIALS).glob("*.json"))]
    done.sort(key=lambda trial: trial["figure"] if trial["figure"] is not None else math.inf)
    figure = done[0]["what"] if done else ""
    print(table(done, list(space), figure))
    plots.trials(done, list(space), figure, folder / f"trials.{format}")
    print(f"{folder}/ holds {PLAN}, {TRIALS}/, trials.{format}")
    return done


def begin(folder: Path, plan: dict[str, Any]) -> None:
    """The folder of a search, with its plan. Raises RunError if it holds another one, or something else."""
    path = folder / PLAN
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise RunError(f"{path} is damaged: choose another --out") from None
        other = [name for name in plan if before.get(name) != plan[name]]
        if other:
            raise RunError(
                f"{folder} holds a search with another {other[0]} ({before.get(other[0])}, now {plan[other[0]]}): choose another --out"
            )
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise RunError(f"{folder} is not empty and holds no search: choose another --out, so that nothing is lost")
    try:
        with written_whole(path) as temporary:
            temporary.write_text(json.dumps(plan, indent=2), encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error.strerror or error}: choose another --out") from None


def run_all(
    preset: Preset,
    examples: Examples,
    planned: list[dict[str, Any]],
    left: list[int],
    epochs: int,
    seed: int,
    jobs: int,
    folder: Path,
) -> None:
    """Take the trials that are left, in some processes at a time."""
    cores = max((os.cpu_count() or 1) // jobs, 1)
    bare = replace(examples, kept={}, told=())
    if jobs == 1:
        for place, i in enumerate(left):
            keep(folder, i, trial(preset.name, bare, planned[i], epochs, seed, None), f"{place + 1}/{len(left)}")
        return
    try:
        import joblib
        from joblib.parallel import get_active_backend
    except ImportError:
        raise OptionError(
            f"search(jobs={jobs}) needs joblib, which is not installed: pip install 'scratchae[search]'; or jobs=1"
        ) from None
    # Ray's backend gives the results of a call when all of them are there: it gets few trials at a time, so that few can be lost
    one_by_one = getattr(get_active_backend()[0], "supports_return_generator", False)
    at_a_time = len(left) if one_by_one else jobs
    for first in range(0, len(left), at_a_time or 1):
        some = left[first : first + at_a_time]
        work = (joblib.delayed(trial)(preset.name, bare, planned[i], epochs, seed, cores) for i in some)
        results = joblib.Parallel(n_jobs=jobs, return_as="generator" if one_by_one else "list")(work)
        for place, (i, result) in enumerate(zip(some, results, strict=True), first + 1):
            keep(folder, i, result, f"{place}/{len(left)}")


def keep(folder: Path, i: int, result: dict[str, Any], place: str) -> None:
    with written_whole(folder / TRIALS / f"{i:04}.json") as temporary:
        temporary.write_text(json.dumps(result), encoding="utf-8")
    settings = "  ".join(f"{name} {value}" for name, value in result["settings"].items())
    figure = "diverged" if result["figure"] is None else f"{result['what']} {result['figure']:.5g}"
    print(f"trial {place}  {settings}  {figure}", flush=True)


def trial(
    name: str, examples: Examples, settings: dict[str, Any], epochs: int, seed: int, cores: int | None
) -> dict[str, Any]:
    """One training, and its figure on the validation examples; None if it diverged."""
    preset = find_preset(name)
    model = built(preset, examples, settings, seed)
    lr, batch_size = settings.get("lr", preset.lr), settings.get("batch_size", preset.batch_size)
    steps = epochs * math.ceil(len(examples.train) / batch_size)
    what = "-ELBO" if isinstance(model, VAE) else "squared error"
    with warnings.catch_warnings(), threads(cores) if cores else contextlib.nullcontext():
        warnings.simplefilter("ignore")
        try:
            fit(
                model,
                examples.train,
                epochs=epochs,
                batch_size=batch_size,
                optimizer=preset.optimizer(lr, steps),
                seed=seed,
                progress=False,
            )
            figure: float | None = judged(preset, model, examples, settings, seed)
        except DivergenceError:
            figure = None
    return {"settings": settings, "what": what, "figure": figure}


def built(preset: Preset, examples: Examples, settings: dict[str, Any], seed: int) -> Model:
    """The preset's model with these settings. Raises OptionError for a setting that it does not have."""
    chosen = {name: settings[name] for name in ("code", "beta") if name in settings}
    if "hidden" in settings:
        chosen["hidden"] = tuple(int(part) for part in settings["hidden"].split("-"))
    model = preset.build(np.random.default_rng(seed), preset.form(examples, **chosen))
    if "beta" in settings and not isinstance(model, VAE):
        raise OptionError(f"--over beta: {preset.name} is no variational autoencoder, so it has none: leave it out")
    if "noise" in settings:
        if not model.denoises:
            raise OptionError(
                f"--over noise: {preset.name} does not begin with noise; presets that do: denoising, conv-denoising, …"
            )
        layer = next(layer for _, layer in model.leaves())
        attribute = "std" if hasattr(layer, "std") else "rate"
        setattr(layer, attribute, number("search", "0 <= noise", settings["noise"]))
    return model


def judged(preset: Preset, model: Model, examples: Examples, settings: dict[str, Any], seed: int) -> float:
    """What trials with different settings can be compared by: -ELBO whatever β is, or the squared error; of a model that removes noise,
    from inputs with the preset's own noise, whatever it was trained with.
    """
    x = examples.validation
    if isinstance(model, VAE):
        return float(model.elbo(x, 0)["negative_elbo"])
    own = built(preset, examples, {key: value for key, value in settings.items() if key != "noise"}, seed)
    given = own.corrupted(x, np.random.default_rng(0))
    return mean_squared_error(x, uses.rebuild(model, given))


def table(done: list[dict[str, Any]], names: list[str], figure: str) -> str:
    """The trials, the best first, 15 at most."""
    lines = ["  ".join([*(f"{name:>10}" for name in names), f"{figure + ', validation':>26}"])]
    for each in done[:15]:
        found = "diverged" if each["figure"] is None else f"{each['figure']:.5g}"
        lines.append("  ".join([*(f"{each['settings'][name]!s:>10}" for name in names), f"{found:>26}"]))
    return "\n".join(lines + ([f"… and {len(done) - 15} more"] if len(done) > 15 else []))
