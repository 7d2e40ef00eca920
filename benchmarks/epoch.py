"""The time of an epoch of training, as people write it in scratchae, PyTorch and JAX, alone and beside busy processes, on the CPU.

    python benchmarks/epoch.py [PRESET ...] [--rows N] [--beside N ...] [--rounds N] [--json FILE]

scratchae trains by `fit`. PyTorch has a loop over a DataLoader, which shuffles, with Adam as it comes; and a loop over a permutation
of tensors that are in memory, with fused Adam. JAX has such a loop over its compiled step. All begin at the same weights, draw an
order of their own, and read the loss of each step. Busy processes do nothing but count.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from commandline import exit_code, positive

from scratchae import Adam, compile_kernels, fit
from scratchae.bench.comparison import model_of, new_record, rows, start
from scratchae.bench.harness import PAUSE, note, save, serve
from scratchae.bench.peers import PEERS, require_translatable
from scratchae.bench.peers.ours import LR
from scratchae.bench.report import OURS, heading
from scratchae.presets import find_preset
from scratchae.training.progress import since

HERE = Path(__file__).resolve()
TITLES = {
    OURS: "scratchae, fit",
    "compiled": "scratchae, fit, compiled kernels",
    "loader": "PyTorch, DataLoader, Adam",
    "tensors": "PyTorch, tensors, fused Adam",
    "jax": "JAX jit, arrays",
}
STEP = {"loader": "torch", "tensors": "torch-fused", "jax": "jax"}  # what takes the steps of a loop


class EpochWorker:
    """What a worker does for one way to train; the methods are the actions of `harness.serve`."""

    def __init__(self, name: str):
        self.name = name

    def actions(self) -> dict[str, Any]:
        return {"prepare": self.prepare, "epoch": self.epoch}

    def prepare(self, preset: str, n: int) -> dict[str, Any]:
        """Make data and model, and train on a few batches, so that what is to be compiled is; versions and threads."""
        if self.name == "compiled":
            compile_kernels()
        self.preset = find_preset(preset)
        self.x = rows(self.preset.examples().train, n)
        size = self.preset.batch_size
        self.peer = PEERS[STEP.get(self.name, OURS)].build(model_of(self.preset), self.x[:size], "cpu")
        self.train(np.concatenate([self.x[: 2 * size], self.x[: n % size]]))
        return self.peer.facts()

    def epoch(self) -> float:
        """The seconds of an epoch."""
        return self.train(self.x)

    def train(self, x: np.ndarray) -> float:
        size = self.preset.batch_size
        if self.name not in STEP:
            options = {"epochs": 1, "batch_size": size, "optimizer": Adam(LR), "progress": False}
            return fit(model_of(self.preset), x, **options)["seconds"][0]
        self.peer.reset()
        batches = getattr(self, self.name)(x, size)
        begin, total = time.perf_counter(), 0.0
        for self.peer.x in batches:
            self.peer.step()
            total += float(self.peer.loss)
        return since(begin)

    def loader(self, x: np.ndarray, size: int) -> Any:
        from torch.utils.data import DataLoader, TensorDataset

        return (batch for (batch,) in DataLoader(TensorDataset(self.in_torch(x)), size, shuffle=True))

    def tensors(self, x: np.ndarray, size: int) -> Iterator[Any]:
        x, order = self.in_torch(x), self.peer.torch.randperm(len(x))
        return (x[order[i : i + size]] for i in range(0, len(x), size))

    def in_torch(self, x: np.ndarray) -> Any:
        return self.peer.torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x)

    def jax(self, x: np.ndarray, size: int) -> Iterator[Any]:
        x, order = self.peer.jax.numpy.array(x), np.random.default_rng(0).permutation(len(x))
        return (x[order[i : i + size]] for i in range(0, len(x), size))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    if options.worker:
        serve(EpochWorker(options.worker[0]).actions())
        return 0
    return exit_code("epoch", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(prog="epoch.py", description=__doc__.partition("\n")[0])
    command.add_argument("presets", nargs="*", metavar="PRESET", help="default: simple deep")
    command.add_argument("--rows", type=positive, default=59_000, metavar="N", help="examples (default: 59000)")
    command.add_argument(
        "--beside", nargs="*", type=positive, default=[], metavar="N", help="also beside so many busy processes"
    )
    command.add_argument("--rounds", type=positive, default=5, metavar="N", help="epochs of each (default: 5)")
    command.add_argument("--json", type=Path, metavar="FILE", help="default: bench/epoch-DATE.json")
    command.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)  # what the command starts for each way
    return command


def run(options: argparse.Namespace) -> None:
    """Measure the presets, print a table for each, write everything to a file."""
    presets = [find_preset(name) for name in options.presets or ("simple", "deep")]
    for preset in presets:
        require_translatable(model_of(preset))
    record = new_record("epoch", rows=options.rows, epochs=options.rounds)
    record |= {"presets": {}, "skipped": {}}
    for preset in presets:
        with contextlib.ExitStack() as stack:
            command = (sys.executable, str(HERE), "--worker")
            workers, facts, skipped = start(tuple(TITLES), command, stack, preset=preset.name, n=options.rows)
            seconds: dict[int, dict[str, list[float]]] = {}
            for beside in (0, *options.beside):
                seconds[beside] = {name: [] for name in workers}
                with busy_processes(beside):
                    for done in range(options.rounds):
                        note(f"{preset.name}, beside {beside}: round {done + 1} of {options.rounds}")
                        for name, worker in workers.items():
                            time.sleep(PAUSE)
                            seconds[beside][name].append(worker.ask("epoch"))
            note("")
        record["skipped"] |= {TITLES[name]: why for name, why in skipped.items()}
        if not record["presets"]:
            for answer in facts.values():
                record["versions_and_threads"] |= answer
            print(heading(record))
        record["presets"][preset.name] = seconds
        print(f"\n{table(preset.name, seconds)}", flush=True)
    print(f"\nwritten to {save(record, options.json)}")


@contextlib.contextmanager
def busy_processes(n: int) -> Iterator[None]:
    """While the block runs, n processes that never rest."""
    with contextlib.ExitStack() as stack:
        for _ in range(n):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(process.kill)
        yield


def table(preset: str, seconds: dict[int, dict[str, list[float]]]) -> str:
    """The seconds of the median epoch; alone in units of ours, beside others in units of the same one alone."""
    heads = "".join(f"{f'beside {n}' if n else 'alone':>10}{'× alone' if n else '/ ours':>9}" for n in seconds)
    lines = [f"{f'{preset}, seconds an epoch':<34}{heads}"]
    alone = {name: float(np.median(epochs)) for name, epochs in seconds[0].items()}
    for name in alone:
        cells = ""
        for n, of in seconds.items():
            now = float(np.median(of[name]))
            cells += f"{now:>10.2f}{now / alone[name if n else OURS]:>9.2f}"
        lines.append(f"{TITLES[name]:<34}{cells}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
