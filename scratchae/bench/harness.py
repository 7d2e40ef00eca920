"""What every benchmark here needs: a process for each library, rounds of timed blocks, statistics, a record.

Libraries that compete for the cores must not share a process: their thread pools spin after use and their
allocators change each other's page faults. So each lives in a worker, a subprocess that answers a line of
JSON on its standard input with a line of JSON on its standard output, and the parent lets one at a time work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..backend.cpu import c_function
from ..environment import SETTINGS, on_terminal
from ..errors import ScratchaeError
from ..files import written_whole
from ..training.progress import since

PAUSE = 0.3  # seconds between blocks: OpenBLAS's and OpenMP's threads, which spin while they wait for work, give up sooner
GPU_CHUNKS = 5  # times in a block that a GPU is waited for
RESULTS = Path("bench")  # where records go unless told otherwise: no folder that a repository tracks
WARM_UP = 10  # steps before the timed ones: threads awake, caches and allocator as they are in a long training


class BenchmarkError(ScratchaeError):
    """What cannot be done, in words for the person at the command line."""


class WorkerError(BenchmarkError):
    """A worker reported an error, or is gone."""

    def __init__(self, worker: str, reason: str):
        super().__init__(f"{worker}: {reason}")
        self.reason = reason


# Workers


class Worker:
    """A subprocess that runs `serve`. As a context it ends with the block, whatever happens in it."""

    def __init__(self, name: str, command: Sequence[str]):
        self.name = name
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            encoding="utf-8",
            env=SETTINGS | os.environ,  # as the command `scratchae` runs; the others have no OpenBLAS
        )

    def ask(self, action: str, **arguments: Any) -> Any:
        """Have the worker do an action, and wait for the answer. Raises WorkerError."""
        try:
            print(json.dumps({"action": action, **arguments}), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(self.name, f"ended with exit code {self.process.wait()}: {self.last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(self.name, answer["error"])
        return answer["result"]

    def last_words(self) -> str:
        """The last line that the worker wrote to its standard error."""
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it left no message"

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.process.communicate(timeout=10)  # closes its standard input, which ends `serve`
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self.process.kill()
            self.process.wait()
        self.log.close()


def serve(actions: dict[str, Callable[..., Any]]) -> None:
    """The worker's side: answer requests until standard input ends."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # what a library prints must not come between the answers
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = {"result": actions[request.pop("action")](**request)}
            except Exception as error:
                answer = {"error": reason(error)}
            print(json.dumps(answer), file=answers, flush=True)


def reason(error: Exception) -> str:
    """An error in one line: the first that says something (torch.compile begins with "backend=… raised:")."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.endswith("raised:")]
    text = lines[0].strip() if lines else "no message"
    return text if isinstance(error, BenchmarkError) else f"{type(error).__name__}: {text}"


# Time


def synchronise(device: str) -> None:
    """Wait until the device has done all that it was given."""
    if device == "gpu":
        from ..backend import cuda

        cuda.synchronize()


def time_steps(peer: Any, warm_up: int, steps: int) -> list[float]:
    """Milliseconds a step of `steps` steps, after `warm_up` others: of each on a CPU, of a few at a time on a GPU.

    On a CPU a step is over when its loss is a number, as for a loop that watches it. A GPU is given one step after the
    other, and waited for after a fifth of the block, as a loop does that reads the loss now and then.
    A block begins at the same parameters each time, so every block of every peer does the same arithmetic.
    """
    peer.reset()
    if warm_up:
        timed(peer.step, peer.finish, warm_up)
    together = max(steps // GPU_CHUNKS, 1) if peer.device == "gpu" else 1
    return [timed(peer.step, peer.finish, together) for _ in range(steps // together)]


def timed(step: Callable[[], Any], finish: Callable[[], Any], together: int = 1) -> float:
    """Milliseconds a step of so many steps, one after the other, until the last is finished."""
    start = time.perf_counter()
    for _ in range(together):
        step()
    finish()
    return 1e3 * since(start) / together


def time_rounds(workers: dict[str, Worker], rounds: int, steps: int) -> dict[str, list[list[float]]]:
    """The step times of each worker, a list a round. In a round each works for one block while the others
    sleep; each round begins with another one.
    """
    names = list(workers)
    times: dict[str, list[list[float]]] = {name: [] for name in names}
    for done in range(rounds):
        first = done % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(PAUSE)
            times[name].append(workers[name].ask("block", warm_up=WARM_UP, steps=steps))
        note(f"round {done + 1} of {rounds}")
    note("")
    return times


def statistics(times: dict[str, list[list[float]]], ours: str) -> dict[str, dict[str, Any]]:
    """Medians and quartiles of each worker's step times, and of its ratio to ours.

    The ratio is taken round by round, between medians of neighbouring blocks, so that a machine that slows
    down for a while slows both sides of it.
    """
    rounds = {name: np.array([np.median(block) for block in blocks]) for name, blocks in times.items()}
    figures = {}
    for name, blocks in times.items():
        low, middle, high = np.percentile(np.concatenate(blocks), [25, 50, 75])
        ratio_low, ratio, ratio_high = np.percentile(rounds[name] / rounds[ours], [25, 50, 75])
        figures[name] = {
            "median_ms": float(middle),
            "quartiles_ms": [float(low), float(high)],
            "ratio": float(ratio),
            "ratio_quartiles": [float(ratio_low), float(ratio_high)],
            "round_medians_ms": rounds[name].tolist(),
        }
    return figures


# Memory


def peak_memory(work: Callable[[], Any]) -> float | None:
    """How far this process's resident memory rises above what it is now, at most, during the work: MiB.

    What the allocator has free goes back to the system first, else the work would find it there and seem to need less.
    None where it cannot be measured: not Linux, or /proc/self/clear_refs is not ours to write to.
    """
    if (trim := c_function("malloc_trim")) is not None:
        trim(0)
    try:
        Path("/proc/self/clear_refs").write_text(
            "5", encoding="ascii"
        )  # the peak (VmHWM) starts anew at the present size (VmRSS)
    except OSError:
        return None
    before = status_mib("VmRSS")
    work()
    return status_mib("VmHWM") - before


def status_mib(name: str) -> float:
    """A size from /proc/self/status in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


# What a person sees and keeps


def note(text: str) -> None:
    """Say on a terminal, in one line that the next note replaces, what is going on."""
    if on_terminal():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def save(record: dict[str, Any], file: Path | None, folder: Path | None = None) -> Path:
    """Write a record, whole or not at all, to a file; by default to a new one in a folder, BENCHMARK-DATE.json."""
    if file is None:
        stem, number = (folder or RESULTS) / f"{record['benchmark']}-{record['date'][:10]}", 1
        file = stem.with_name(f"{stem.name}.json")
        while file.exists():  # an earlier measurement is not overwritten
            number += 1
            file = stem.with_name(f"{stem.name}-{number}.json")
    with written_whole(file) as temporary:
        temporary.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return file
