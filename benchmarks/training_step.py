"""The time of one training step (forward, loss, backward, Adam) in scratchae, PyTorch and JAX on the CPU.

    python benchmarks/training_step.py [PRESET ...] [--batch-size N] [--steps N] [--rounds N] [--json FILE]

First the peers must compute the same numbers as scratchae, then they are timed. README.md beside this file
tells how, and how to read the tables.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine
import numpy as np
from agreement import require_agreement
from harness import (
    WARM_UP,
    BenchmarkError,
    Worker,
    WorkerError,
    note,
    save,
    serve,
    statistics,
    time_rounds,
    time_steps,
)
from peers import LR, PEERS, require_translatable
from report import OURS, heading, table

from scratchae import ScratchaeError
from scratchae.layers import Dense
from scratchae.models import Model
from scratchae.presets import Preset, find_preset

HERE = Path(__file__).resolve()
DEFAULT_PRESETS = ("simple", "deep", "science2006")
TOLERANCE = 1e-4  # relative, tensor by tensor: float32 rounds differently in every library
STEPS_COMPARED = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    if options.worker:
        serve(StepWorker(options.worker).actions())
        return 0
    try:
        presets = [find_preset(name) for name in options.presets or DEFAULT_PRESETS]
        for preset in presets:
            require_translatable(model_of(preset))
        run(presets, options)
    except (BenchmarkError, ScratchaeError) as error:
        print(f"training_step: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntraining_step: interrupted, nothing was written", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="training_step.py",
        description="Time one training step in scratchae, PyTorch and JAX, in float32 on the CPU.",
    )
    command.add_argument("presets", nargs="*", metavar="PRESET", help=f"default: {' '.join(DEFAULT_PRESETS)}")
    command.add_argument("--batch-size", type=positive, metavar="N", help="examples a step (default: the preset's)")
    command.add_argument(
        "--steps", type=positive, default=100, metavar="N", help="timed steps a block (default: 100)"
    )
    command.add_argument("--rounds", type=positive, default=15, metavar="N", help="blocks of each peer (default: 15)")
    command.add_argument(
        "--peer",
        action="append",
        choices=PEERS,
        help="only this one beside scratchae; may be given again (default: all)",
    )
    command.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="where to write everything (default: benchmarks/results/training_step-DATE.json)",
    )
    # what this command starts for each peer
    command.add_argument("--worker", choices=PEERS, help=argparse.SUPPRESS)
    return command


def positive(text: str) -> int:
    """A whole number above 0, for argparse."""
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected at least 1")
    return value


def model_of(preset: Preset) -> Model:
    """The preset's model with the weights that every peer starts from."""
    return preset.build(np.random.default_rng(0))


class StepWorker:
    """What a worker does for one peer; the methods are the actions of `harness.serve`."""

    def __init__(self, name: str):
        self.name = name

    def actions(self) -> dict[str, Any]:
        return {
            "prepare": self.prepare,
            "compute": self.compute,
            "block": self.block,
            "sgemm_rate": machine.sgemm_rate,
        }

    def prepare(self, preset: str, batch: str) -> dict[str, Any]:
        """Build the peer and take a step, which compiles what is to be compiled; its versions and threads."""
        _, build = PEERS[self.name]
        self.peer = build(model_of(find_preset(preset)), np.load(batch))
        self.peer.step()
        return self.peer.facts()

    def compute(self, file: str) -> None:
        """Write to a file what the peers must agree in."""
        self.peer.reset()
        loss, gradients = self.peer.gradients()
        self.peer.reset()
        for _ in range(STEPS_COMPARED):
            self.peer.step()
        tensors = {f"gradient of {name}": gradient for name, gradient in gradients.items()}
        tensors |= {f"{name} after {STEPS_COMPARED} steps": tensor for name, tensor in self.peer.parameters().items()}
        np.savez(file, loss=loss, **tensors)

    def block(self, warm_up: int, steps: int) -> list[float]:
        return time_steps(self.peer, warm_up, steps)


def run(presets: list[Preset], options: argparse.Namespace) -> None:
    """Measure the presets, print a table for each, write everything to a file."""
    record: dict[str, Any] = {
        "benchmark": "training_step",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.facts(),
        "versions_and_threads": {},
        "settings": {
            "steps": options.steps,
            "rounds": options.rounds,
            "warm_up": WARM_UP,
            "lr": LR,
            "tolerance": TOLERANCE,
        },
        "presets": {},
    }
    for preset in presets:
        result, facts = measure(preset, options)
        record["versions_and_threads"] |= facts
        if not record["presets"]:
            print(heading(record))
        record["presets"][preset.name] = result
        print("\n" + table(preset.name, result), flush=True)
    print(f"\nwritten to {save(record, options.json)}")


def measure(preset: Preset, options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Everything about one preset, and the versions and threads of the libraries. Raises DisagreementError."""
    model = model_of(preset)
    size, examples = options.batch_size or preset.batch_size, preset.examples().train
    if size > len(examples):
        raise BenchmarkError(f"--batch-size {size}: {preset.name} has {len(examples)} training examples")
    names = [OURS, *(name for name in options.peer or PEERS if name != OURS)]
    workers, skipped, facts, agreement = {}, {}, {}, {}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        np.save(f"{folder}/batch.npy", examples[:size])
        for name in dict.fromkeys(names):
            note(f"{preset.name}: preparing {name}")
            worker = stack.enter_context(Worker(name, [sys.executable, str(HERE), "--worker", name]))
            try:
                facts |= worker.ask("prepare", preset=preset.name, batch=f"{folder}/batch.npy")
            except WorkerError as error:
                if name == OURS:
                    raise
                skipped[name] = error.reason
                continue
            workers[name] = worker
            worker.ask("compute", file=f"{folder}/{name}.npz")
            if name != OURS:
                with np.load(f"{folder}/{OURS}.npz") as ours, np.load(f"{folder}/{name}.npz") as theirs:
                    agreement[name] = require_agreement(PEERS[name][0], dict(ours), dict(theirs), TOLERANCE)
        times = time_rounds(workers, options.rounds, options.steps)
        sgemm = workers[OURS].ask("sgemm_rate")
    figures = statistics(times, OURS)
    dense = [layer for _, layer in model.leaves() if isinstance(layer, Dense)]
    gflops = gemm_flops(dense, size) / 1e9
    floor = 1e3 * gflops / sgemm["gflops_per_second"]
    return {
        "model": repr(model),
        "sizes": [layer.inputs for layer in dense] + [dense[-1].outputs],
        "parameters": model.parameter_count(),
        "batch_size": size,
        "agreement": agreement,
        "peers": {name: {"title": PEERS[name][0], **values} for name, values in figures.items()},
        "skipped": skipped,
        "sgemm": sgemm,
        "gemm_gflops": gflops,
        "gemm_floor_ms": floor,
        "times_the_floor": figures[OURS]["median_ms"] / floor,
    }, facts


def gemm_flops(dense: list[Dense], n: int) -> int:
    """Floating-point operations of a step's matrix products, for n examples: forward, dW, and dx, which the
    first layer does not need; 2 for each product and its addition.
    """
    return sum(2 * n * layer.inputs * layer.outputs * (3 if i else 2) for i, layer in enumerate(dense))


if __name__ == "__main__":
    sys.exit(main())
