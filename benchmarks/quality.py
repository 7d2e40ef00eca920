"""How well the presets do: each trained with several seeds, the figures as mean ± standard deviation over the runs.

    python benchmarks/quality.py [deep/mnist "vae --beta 1:5000/mnist" …] [--seeds 3] [--jobs 2] [--runs DIR] [--json FILE] [--table]

A run is `scratchae train PRESET --data DATA --seed S` in a process of its own, with one BLAS thread, so that --jobs of them share
the cores without disturbing each other. Whatever is finished is kept in the JSON file at once, and is not trained again; a run that
was stopped goes on where it was. --table trains nothing and prints the table of what is there, as Markdown.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from commandline import exit_code, positive

from scratchae.bench import machine
from scratchae.bench.harness import RESULTS, BenchmarkError, save
from scratchae.presets import PRESETS
from scratchae.runs import RECORD

# What is trained on which data, the quickest first, and the figures that it is judged by
TASKS: dict[str, tuple[str, ...]] = {
    "deep/mnist": ("squared_error",),
    "deep/fashion-mnist": ("squared_error",),
    "deep-linear-code/mnist": ("squared_error",),
    "simple/mnist": ("squared_error",),
    "vae/mnist": ("negative_elbo", "kl", "squared_error", "units_in_use"),
    "vae-400/mnist": ("negative_elbo", "kl", "squared_error", "units_in_use"),
    "vae --beta 1:5000/mnist": ("negative_elbo", "kl", "squared_error", "units_in_use"),
    "vae-400 --beta 1:2000/mnist": ("negative_elbo", "kl", "squared_error", "units_in_use"),
    "contractive/mnist": ("squared_error",),
    "sparse/mnist": ("squared_error", "active_units"),
    "k-sparse/mnist": ("squared_error", "active_units"),
    "sparse-kl/mnist": ("squared_error", "mean_activation"),
    "conv/mnist": ("squared_error",),
    "conv/fashion-mnist": ("squared_error",),
    "cvae/mnist": ("negative_elbo", "units_in_use"),
    "rbm/mnist": ("pseudo_log_likelihood",),
    "denoising/mnist": ("squared_error", "psnr"),
    "vae-conv/mnist": ("negative_elbo", "units_in_use"),
    "conv-pool/mnist": ("cross_entropy",),
    "conv-pool/fashion-mnist": ("cross_entropy",),
    "vae-2d/mnist": ("negative_elbo",),
    "science2006/mnist": ("squared_error",),
    "conv-denoising/mnist": ("cross_entropy", "squared_error"),
    "conv-denoising/fashion-mnist": ("cross_entropy", "squared_error"),
    "vae-binary/mnist": ("nll", "negative_elbo", "units_in_use"),
    "dbn/mnist": ("squared_error",),
    "vqvae/mnist": ("squared_error", "bits", "prior_bits", "perplexity"),
    "sequence/mnist": ("squared_error",),
    "sequence-gru/mnist": ("squared_error",),
    "sequence-attention/mnist": ("squared_error",),
}
PER_PIXEL = {"cross_entropy"}  # published so
WORDS = {
    "squared_error": "squared error",
    "cross_entropy": "cross-entropy per pixel, nats",
    "negative_elbo": "−ELBO, nats, one draw of z",
    "kl": "KL, nats",
    "bits": "bits of a code, all codes alike",
    "prior_bits": "bits of a code, by the prior",
    "perplexity": "vectors of the codebook in use",
    "nll": "−log p(x), nats, 5,000 z, every 10th image",
    "units_in_use": "numbers of the code in use",
    "pseudo_log_likelihood": "pseudo-log-likelihood, nats",
    "psnr": "peak signal-to-noise ratio, dB",
    "active_units": "share of the code that is active",
    "mean_activation": "mean of the code",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    return exit_code("quality", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="quality.py", description="Train presets with several seeds; their figures with the spread."
    )
    command.add_argument("tasks", nargs="*", metavar="PRESET [OPTIONS]/DATA", help="default: those of the README")
    command.add_argument("--seeds", type=positive, default=3, metavar="N", help="runs of each (default: 3)")
    command.add_argument(
        "--jobs", type=positive, default=os.cpu_count(), metavar="N", help="runs at a time (default: all cores)"
    )
    command.add_argument(
        "--runs", type=Path, default=Path("runs/quality"), metavar="DIR", help="their folder (default: runs/quality)"
    )
    command.add_argument("--json", type=Path, metavar="FILE", help="what is finished (default: bench/quality.json)")
    command.add_argument("--table", action="store_true", help="train nothing: print what is there")
    return command


def run(options: argparse.Namespace) -> None:
    """Train what is missing, keep each result, print the table. Raises BenchmarkError if a task is unknown or a run fails."""
    tasks = options.tasks or list(TASKS)
    for task in tasks:
        named(task)
    file = options.json or RESULTS / "quality.json"
    record = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"benchmark": "quality", "runs": {}}
    wanted = [] if options.table else [(task, seed) for seed in range(options.seeds) for task in tasks]
    failed = []
    with ThreadPoolExecutor(options.jobs) as pool:
        running = [
            pool.submit(trained, *one, options.runs) for one in wanted if f"{one[0]}/{one[1]}" not in record["runs"]
        ]
        for done in as_completed(running):
            name, result = done.result()
            if isinstance(result, str):
                failed.append(f"{name}: {result}")
                continue
            record["runs"][name] = result
            save(record, file)
            print(f"{name}: {result['figures'][named(name)[0]]}", flush=True)
    if failed:
        raise BenchmarkError("not every run ended well:\n" + "\n".join(failed))
    print(table(record["runs"], tasks))


def named(task: str) -> tuple[str, list[str], str]:
    """The preset, the options of its training, and the data of a task. Raises BenchmarkError."""
    command, _, data = task.partition("/")
    preset, *chosen = command.split() or [""]
    if preset not in PRESETS or not data:
        raise BenchmarkError(f"{task}: expected PRESET/DATA, such as {next(iter(TASKS))}")
    return preset, chosen, data


def trained(task: str, seed: int, runs: Path) -> tuple[str, dict[str, Any] | str]:
    """A run's name and what is kept of its record; in place of that the last words of a command that failed."""
    preset, chosen, data = named(task)
    folder = runs / "-".join([preset, *(word.strip("-").replace(":", "-") for word in chosen), data, str(seed)])
    options = ["--data", data, "--seed", str(seed), "--out", str(folder), "--resume"]
    command = [sys.executable, "-m", "scratchae", "train", preset, *chosen, *options]
    done = subprocess.run(
        command, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"}, capture_output=True, encoding="utf-8"
    )
    if done.returncode:
        return f"{task}/{seed}", done.stderr.strip()[-500:] or f"exit code {done.returncode}"
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    kept = {name: record[name] for name in ("epochs", "training_seconds", "figures", "versions", "finished")}
    return f"{task}/{seed}", kept | {"revision": revision(), "machine": machine.processor()}


def revision() -> str:
    """The commit of the checkout, marked where files differ from it; empty where there is none."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=Path(__file__).parent, capture_output=True, encoding="utf-8"
    )
    return described.stdout.strip()


def table(runs: dict[str, Any], tasks: Sequence[str]) -> str:
    """A line for each task and figure: mean ± standard deviation over its runs, and what others reach on the same examples."""
    lines = [
        "| preset, data | epochs | figure on the test images | mean ± spread | runs | beside it |",
        "| --- | ---: | --- | ---: | ---: | --- |",
    ]
    for task in tasks:
        preset, chosen, data = named(task)
        found = [one for name, one in runs.items() if name.rpartition("/")[0] == task]
        for key in TASKS.get(task) or tuple(found[0]["figures"][preset]) if found else ():
            figures = found[0]["figures"]
            beside = {who: values[key] for who, values in figures.items() if who != preset and key in values}
            if key == "cross_entropy":
                beside["the pixels' entropy"] = figures[preset]["cross_entropy_floor"]
            cells = (
                f"`{' '.join([preset, *chosen])}`, {data}",
                found[0]["epochs"],
                WORDS.get(key, key),
                spread(key, [one["figures"][preset][key] for one in found]),
                len(found),
                ", ".join(f"{who} {number(key, value)}" for who, value in beside.items()),
            )
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def number(key: str, value: float) -> str:
    """Four digits."""
    return f"{value / 784 if key in PER_PIXEL else value:#.4g}".rstrip(".")


def spread(key: str, values: Sequence[float]) -> str:
    """The mean and the standard deviation, to the same decimals, at least the first digit of the deviation; of one run its value,
    which says nothing of the spread.
    """
    if len(values) == 1:
        return number(key, values[0])
    scale = 784 if key in PER_PIXEL else 1
    mean, deviation = statistics.fmean(values) / scale, statistics.stdev(values) / scale
    decimals = len(number(key, mean * scale).partition(".")[2])
    if deviation > 0:
        decimals = max(decimals, min(-math.floor(math.log10(deviation)), 5))
    return f"{mean:.{decimals}f} ± {deviation:.{decimals}f}"


if __name__ == "__main__":
    sys.exit(main())
