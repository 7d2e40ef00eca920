"""How much a training step slows down beside busy processes, in scratchae, PyTorch and JAX, on the CPU.

    python benchmarks/busy.py [PRESET ...] [--beside N ...] [--peer NAME ...] [--steps N] [--rounds N] [--json FILE]

Busy processes do nothing but count. A step is the mean over a block, not a median: beside others most steps go as ever, and one in
some waits for a turn of the processor, which is what is lost. `fit` notices that others need the cores, and goes on with one thread
(scratchae/training/crowding.py); so its steps are measured too, as an epoch of so many.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from commandline import add_options, exit_code, positive

from scratchae import Adam, compile_kernels, fit
from scratchae.bench.comparison import COMMAND, compare, model_of, new_record, rows, start
from scratchae.bench.harness import save, serve, time_rounds
from scratchae.bench.peers import PEERS, peers_of, require_translatable
from scratchae.bench.peers.ours import LR
from scratchae.bench.report import OURS, heading
from scratchae.files import scratch_folder
from scratchae.presets import find_preset

HERE = Path(__file__).resolve()
BESIDE = (1, 2, 4)
FIT = {"fit": "scratchae, fit", "fit-compiled": "scratchae, fit, compiled kernels"}
DEFAULT_PEERS = ("scratchae-compiled", "torch", "torch-fused", "jax")


class FitWorker:
    """A worker that trains by `fit`; the methods are the actions of `harness.serve`."""

    def __init__(self, name: str):
        if name == "fit-compiled":
            compile_kernels()

    def actions(self) -> dict[str, Any]:
        return {"prepare": self.prepare, "block": self.block}

    def prepare(self, preset: str) -> None:
        self.preset = find_preset(preset)
        self.block(0, 3)

    def block(self, warm_up: int, steps: int) -> list[float]:
        """The milliseconds of a step, in an epoch of so many; `fit` warms up by itself."""
        x, size = self.preset.examples().train, self.preset.batch_size
        history = fit(
            model_of(self.preset),
            rows(x, steps * size),
            epochs=1,
            batch_size=size,
            optimizer=Adam(LR),
            progress=False,
        )
        return [1e3 * history["seconds"][0] / steps]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    if options.worker:
        serve(FitWorker(options.worker[0]).actions())
        return 0
    return exit_code("busy", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(prog="busy.py", description=__doc__.partition("\n")[0])
    command.add_argument("presets", nargs="*", metavar="PRESET", help="default: simple deep")
    command.add_argument(
        "--beside",
        nargs="*",
        type=positive,
        default=BESIDE,
        metavar="N",
        help="so many busy processes (default: 1 2 4)",
    )
    command.add_argument(
        "--peer", action="append", choices=PEERS, help=f"may be given again (default: {', '.join(DEFAULT_PEERS)})"
    )
    command.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    add_options(command, "busy", steps=200, rounds=5)
    return command


def run(options: argparse.Namespace) -> None:
    """Measure the presets, print a table for each, write everything to a file."""
    presets = [find_preset(name) for name in options.presets or ("simple", "deep")]
    for preset in presets:
        require_translatable(model_of(preset))
    record = new_record("busy", steps=options.steps, rounds=options.rounds) | {"presets": {}}
    for preset in presets:
        means: dict[int, dict[str, list[float]]] = {}
        wanted = (OURS, *(options.peer or DEFAULT_PEERS))
        names = [name for name in peers_of(model_of(preset), "cpu") if name in wanted]
        with scratch_folder() as folder, contextlib.ExitStack() as stack:
            np.save(f"{folder}/batch.npy", rows(preset.examples().train, preset.batch_size))
            workers, facts, _ = start(names, COMMAND, stack, preset=preset.name, batch=f"{folder}/batch.npy")
            compare(workers, folder)
            workers |= start(FIT, (sys.executable, str(HERE), "--worker"), stack, preset=preset.name)[0]
            for n in (0, *options.beside):
                with busy_processes(n):
                    times = time_rounds(workers, options.rounds, options.steps)
                means[n] = {name: [float(np.mean(block)) for block in blocks] for name, blocks in times.items()}
        if not record["presets"]:
            for answer in facts.values():
                record["versions_and_threads"] |= answer
            print(heading(record))
        record["presets"][preset.name] = means
        print("\n" + table(preset.name, means), flush=True)
    print(f"\nwritten to {save(record, options.json)}")


@contextlib.contextmanager
def busy_processes(n: int) -> Iterator[None]:
    """While the block runs, n processes that never rest."""
    with contextlib.ExitStack() as stack:
        for _ in range(n):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(process.kill)
        yield


def table(preset: str, means: dict[int, dict[str, list[float]]]) -> str:
    """The mean step of the median block in milliseconds, and how many times that is of the one beside nothing."""
    heads = "".join(f"{f'beside {n}' if n else 'alone':>20}" for n in means)
    lines = [f"{f'{preset}, ms a step':<35}{heads}"]
    for name in means[0]:
        alone, *_ = each = [float(np.median(beside[name])) for beside in means.values()]
        cells = "".join(f"{f'{ms:.2f}  {ms / alone:5.1f} ×':>20}" for ms in each)
        lines.append(f"{FIT.get(name) or PEERS[name].title:<35}{cells}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
