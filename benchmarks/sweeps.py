"""`scratchae.runs.searching.search` where joblib's backends for clusters run it: Dask and Ray, each with two workers of this machine.

    python benchmarks/sweeps.py [--backend loky|dask|ray …]

The same four trials as in one process, in the same figures, or the command fails. For a cluster, give Dask's Client or ray.init its
address. Needs joblib, and for the others pip install "dask[distributed]" ray.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import joblib

from scratchae.bench.harness import BenchmarkError
from scratchae.files import scratch_folder
from scratchae.runs.searching import read_space, search

SPACE = ("code=2,8", "lr=1e-3,5e-3")
OPTIONS = {"data": "strokes", "epochs": 1, "seed": 0}


@contextlib.contextmanager
def loky() -> Iterator[None]:
    """Processes of joblib's own."""
    with joblib.parallel_config("loky"):
        yield


@contextlib.contextmanager
def dask() -> Iterator[None]:
    """A cluster of two processes."""
    from dask.distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
        joblib.parallel_config("dask"),
    ):
        yield


@contextlib.contextmanager
def ray() -> Iterator[None]:
    """Two workers."""
    import ray
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    register_ray()
    try:
        with joblib.parallel_config("ray"):
            yield
    finally:
        ray.shutdown()


BACKENDS = {"loky": loky, "dask": dask, "ray": ray}


def trials(jobs: int) -> dict[str, float]:
    """The figure of each trial."""
    with scratch_folder() as folder, contextlib.redirect_stdout(io.StringIO()):
        done: list[dict[str, Any]] = search("deep", read_space(SPACE), jobs=jobs, out=folder / "search", **OPTIONS)
    return {str(trial["settings"]): trial["figure"] for trial in done}


def run(backends: Sequence[str]) -> None:
    start = time.perf_counter()
    expected = trials(1)
    print(
        f"one process: {len(expected)} trials, {time.perf_counter() - start:.1f} s, best {min(expected.values()):.4f}"
    )
    for name in backends:
        with BACKENDS[name]():
            start = time.perf_counter()
            found = trials(2)
        if found.keys() != expected.keys() or max(abs(found[key] / expected[key] - 1) for key in found) > 1e-4:
            raise BenchmarkError(f"{name} found {found}, one process {expected}")
        print(f"{name}, two workers: the same {len(found)} figures, {time.perf_counter() - start:.1f} s")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 for an error, 130 after Ctrl-C."""
    command = argparse.ArgumentParser(prog="sweeps.py", description="Search with joblib's backends for clusters.")
    command.add_argument("--backend", action="append", choices=BACKENDS, help="which to try (default: all)")
    options = command.parse_args(arguments)
    from commandline import exit_code

    # distributed.py beside this file has the name of the package that is Dask's cluster, here and in its workers
    sys.path[:] = [path for path in sys.path if Path(path).resolve() != Path(__file__).resolve().parent]
    return exit_code("sweeps", lambda: run(options.backend or list(BACKENDS)))


if __name__ == "__main__":
    sys.exit(main())
