"""The time of a training step in two revisions of this repository, side by side: what a change has made faster or slower.

    python benchmarks/compare.py REV [OTHER] [--preset NAME] [--steps N] [--rounds N] [--json FILE]

REV is checked out into a folder of its own, a worktree, and so is OTHER; without OTHER the checkout is measured as it is, with what is
not committed yet. Each revision trains in a process of its own, by its own `scratchae.bench.comparison`, on the same batch, in plain
NumPy and with compiled kernels; in each round one takes a block of steps, then the other. The ratio is the median over the rounds of
one revision's time to the other's in the same round: below 1, the later one is faster. Revisions from 21 November 2026 on can be measured.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from commandline import add_options, exit_code

from scratchae.bench import machine
from scratchae.bench.agreement import largest_difference
from scratchae.bench.comparison import TOLERANCE_AFTER_STEPS, rows
from scratchae.bench.harness import BenchmarkError, Worker, WorkerError, note, save, statistics, time_rounds
from scratchae.bench.report import COMPILED, OURS, span
from scratchae.files import scratch_folder
from scratchae.presets import find_preset

ROOT = Path(__file__).resolve().parents[1]
PRESETS = ("simple", "deep", "science2006", "vae-400", "conv")
WAYS = {OURS: "plain", COMPILED: "compiled"}
BEFORE, AFTER = "before", "after"
# what a worker runs: the module of its revision, whatever is installed
START = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module('scratchae.bench.comparison', run_name='__main__', alter_sys=True)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    return exit_code("compare", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(prog="compare.py", description="Time a training step in two revisions.")
    command.add_argument("before", metavar="REV", help="a revision as git names it: a commit, a branch, HEAD~10")
    command.add_argument("after", nargs="?", metavar="OTHER", help="another one (default: the checkout as it is)")
    command.add_argument(
        "--preset", action="append", choices=PRESETS, help="only this one; may be given again (default: all)"
    )
    add_options(command, "compare", steps=40, rounds=9)
    return command


def run(options: argparse.Namespace) -> None:
    """Measure, print a line for each preset and way, write everything to a file."""
    revisions = {BEFORE: described(options.before), AFTER: described(options.after)}
    record = machine.record("compare", steps=options.steps, rounds=options.rounds)
    record |= {"revisions": revisions, "presets": {}}
    print("\n".join(f"{name:<7} {said}" for name, said in revisions.items()))
    print(f"\n{'a step of':<16} {'':<9} {'before':>10} {'after':>10}  {'after / before':>14}  quartiles of the ratio")
    with scratch_folder() as folder, contextlib.ExitStack() as stack:
        places = {
            BEFORE: stack.enter_context(worktree(options.before, folder / BEFORE)),
            AFTER: stack.enter_context(worktree(options.after, folder / AFTER)) if options.after else ROOT,
        }
        for name in options.preset or PRESETS:
            preset = find_preset(name)
            batch = folder / f"{name}.npy"
            np.save(batch, rows(preset.examples().train, preset.batch_size))
            record["presets"][name] = {"batch_size": preset.batch_size}
            for peer, way in WAYS.items():
                found = measured(name, peer, places, batch, options)
                record["presets"][name][way] = found
                print(line(f"{name}, {preset.batch_size}", way, found), flush=True)
    print(f"\nwritten to {save(record, options.json)}")


def git(*arguments: str) -> str:
    """What a command of git prints. Raises BenchmarkError."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, encoding="utf-8", check=True)
    except FileNotFoundError:
        raise BenchmarkError("git is not installed, which checks the revisions out: install it") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or ["no reason given"]
        raise BenchmarkError(
            f"git {' '.join(arguments[:2])}: {said[-1]}: expected a revision of the repository in {ROOT}, such as HEAD~10"
        ) from None
    return done.stdout.strip()


def described(revision: str | None) -> str:
    """A revision's short name, date and subject; None is the checkout. Raises BenchmarkError if there is no such revision."""
    said = git("log", "-1", "--format=%h, %cs: %s", "--end-of-options", revision or "HEAD", "--")
    changed = revision is None and git("status", "--porcelain", "--untracked-files=no")
    return f"{said}{', with changes that are not committed' if changed else ''}"


@contextlib.contextmanager
def worktree(revision: str, place: Path):
    """A folder with the files of a revision, for as long as the block runs."""
    git("worktree", "add", "--detach", "--force", str(place), revision)
    try:
        yield place
    finally:
        git("worktree", "remove", "--force", str(place))


def measured(
    preset: str, peer: str, places: dict[str, Path], batch: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """The times of a step in both revisions, their ratio, and how far apart what they compute is; or why there are none."""
    with contextlib.ExitStack() as stack:
        workers = {}
        for name, place in places.items():
            command = [sys.executable, "-c", START, str(place), peer, "cpu"]
            workers[name] = stack.enter_context(Worker(f"the revision {name}", command))
        try:
            for worker in workers.values():
                worker.ask("prepare", preset=preset, batch=str(batch))
        except WorkerError as error:  # it is older than the preset or the kernels
            return {"skipped": str(error)}
        apart = difference(workers, batch.parent)
        times = time_rounds(workers, options.rounds, options.steps)
    note("")
    return {"difference": apart, **statistics(times, BEFORE)}


def difference(workers: dict[str, Worker], folder: Path) -> tuple[float, str]:
    """The largest relative difference between the two steps' numbers, and what it is in; infinite if the nets differ."""
    steps = {}
    for name, worker in workers.items():
        worker.ask("compute", file=str(folder / f"{name}.npz"))
        with np.load(folder / f"{name}.npz") as found:
            steps[name] = dict(found)
    return largest_difference(steps[BEFORE], steps[AFTER])


def line(preset: str, way: str, found: dict[str, Any]) -> str:
    """A row of the table."""
    if "skipped" in found:
        return f"{preset:<16} {way:<9} skipped: {found['skipped']}"
    times = [f"{found[name]['median_ms']:>7.3f} ms" for name in (BEFORE, AFTER)]
    after, (size, where) = found[AFTER], found["difference"]
    other = "" if size <= TOLERANCE_AFTER_STEPS else f"   not the same step: {where} differs by {size:.0e}"
    spread = span(after["ratio_quartiles"], 3)
    return f"{preset:<16} {way:<9} {times[0]} {times[1]}  {after['ratio']:>14.3f}  {spread}{other}"


if __name__ == "__main__":
    sys.exit(main())
