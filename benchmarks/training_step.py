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
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine
import numpy as np
from agreement import Tensors, require_agreement
from harness import (
    WARM_UP,
    BenchmarkError,
    Worker,
    WorkerError,
    add_options,
    exit_code,
    note,
    positive,
    save,
    serve,
    statistics,
    time_rounds,
    time_steps,
)
from peers import LR, PEERS, peers_of, require_translatable
from report import OURS, heading, table

from scratchae.layers import Conv2d, ConvTranspose2d, Dense, Layer
from scratchae.models import Model
from scratchae.presets import Preset, find_preset

HERE = Path(__file__).resolve()
DEFAULT_PRESETS = ("simple", "deep", "science2006", "conv")
TOLERANCE = 1e-4  # relative, tensor by tensor: float32 rounds differently in every library
# A unit whose input is nearly 0 may be on the other side of ReLU's kink in another library. Among the million units of a
# convolutional batch there is one now and then, and Adam, which divides by a gradient's size, makes it visible
TOLERANCE_AFTER_STEPS = 1e-3
STEPS_COMPARED = 5
NOISE_SEED = 1  # of what the compared steps draw, the same in every library
BESIDE = {"log_var"}  # parts that stand beside another of the same size
AFTER_STEPS = f" after {STEPS_COMPARED} steps"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    if options.worker:
        serve(StepWorker(options.worker).actions())
        return 0
    return exit_code("training_step", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="training_step.py",
        description="Time one training step in scratchae, PyTorch and JAX, in float32 on the CPU.",
    )
    command.add_argument("presets", nargs="*", metavar="PRESET", help=f"default: {' '.join(DEFAULT_PRESETS)}")
    command.add_argument("--batch-size", type=positive, metavar="N", help="examples a step (default: the preset's)")
    command.add_argument(
        "--peer",
        action="append",
        choices=PEERS,
        help="only this one beside scratchae; may be given again (default: all)",
    )
    add_options(command, "training_step", PEERS, steps=100, rounds=15)
    return command


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
        self.build(model_of(find_preset(preset)), np.load(batch))
        self.peer.step()
        return self.peer.facts()

    def build(self, model: Model, x: np.ndarray) -> None:
        _, constructor = PEERS[self.name]
        self.peer = constructor(model, x)

    def compute(self, file: str) -> None:
        """Write to a file what the peers must agree in."""
        self.peer.reset(NOISE_SEED)
        loss, gradients = self.peer.gradients()
        self.peer.reset(NOISE_SEED)
        for _ in range(STEPS_COMPARED):
            self.peer.step()
        tensors = {f"gradient of {name}": gradient for name, gradient in gradients.items()}
        tensors |= {name + AFTER_STEPS: tensor for name, tensor in self.peer.parameters().items()}
        np.savez(file, loss=loss, **tensors)

    def block(self, warm_up: int, steps: int) -> list[float]:
        return time_steps(self.peer, warm_up, steps)


def run(options: argparse.Namespace) -> None:
    """Measure the presets, print a table for each, write everything to a file."""
    presets = [find_preset(name) for name in options.presets or DEFAULT_PRESETS]
    for preset in presets:
        require_translatable(model_of(preset))
    record = new_record("training_step", options) | {"presets": {}}
    for preset in presets:
        result, facts = measure(preset, options)
        record["versions_and_threads"] |= facts
        if not record["presets"]:
            print(heading(record))
        record["presets"][preset.name] = result
        print("\n" + table(preset.name, result), flush=True)
    print(f"\nwritten to {save(record, options.json)}")


def new_record(benchmark: str, options: argparse.Namespace) -> dict[str, Any]:
    """What a record of training steps begins with; the versions come with the workers."""
    return {
        "benchmark": benchmark,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.facts(),
        "versions_and_threads": {},
        "settings": {
            "steps": options.steps,
            "rounds": options.rounds,
            "warm_up": WARM_UP,
            "lr": LR,
            "tolerance": TOLERANCE,
            "tolerance_after_steps": TOLERANCE_AFTER_STEPS,
        },
    }


def measure(preset: Preset, options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Everything about one preset, and the versions and threads of the libraries. Raises DisagreementError."""
    model = model_of(preset)
    size, examples = options.batch_size or preset.batch_size, preset.examples().train
    if size > len(examples):
        raise BenchmarkError(f"--batch-size {size}: {preset.name} has {len(examples)} training examples")
    names = [name for name in peers_of(model) if not options.peer or name in (OURS, *options.peer)]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        np.save(f"{folder}/batch.npy", examples[:size])
        note(f"{preset.name}: preparing {', '.join(names)}")
        workers, facts, skipped = start(names, HERE, stack, preset=preset.name, batch=f"{folder}/batch.npy")
        agreement = compare(workers, folder)
        times = time_rounds(workers, options.rounds, options.steps)
        sgemm = workers[OURS].ask("sgemm_rate")
    figures = statistics(times, OURS)
    gflops = gemm_flops(model, examples[:size]) / 1e9
    floor = 1e3 * gflops / sgemm["gflops_per_second"]
    return {
        "model": repr(model),
        "sizes": sizes(model, examples),
        "parameters": model.parameter_count(),
        "batch_size": size,
        "agreement": agreement,
        "peers": {name: {"title": PEERS[name][0], **values} for name, values in figures.items()},
        "skipped": skipped,
        "sgemm": sgemm,
        "gemm_gflops": gflops,
        "gemm_floor_ms": floor,
        "times_the_floor": figures[OURS]["median_ms"] / floor,
    }, {key: value for answer in facts.values() for key, value in answer.items()}


def start(
    names: Sequence[str], script: Path, stack: contextlib.ExitStack, **arguments: Any
) -> tuple[dict[str, Worker], dict[str, Any], dict[str, str]]:
    """A worker for each peer, prepared with these arguments, by name; what each answered; and why others are left out."""
    workers, answers, skipped = {}, {}, {}
    for name in names:
        worker = stack.enter_context(Worker(name, [sys.executable, str(script), "--worker", name]))
        try:
            answers[name] = worker.ask("prepare", **arguments)
            workers[name] = worker
        except WorkerError as error:
            if name == OURS:
                raise
            skipped[name] = error.reason
    return workers, answers, skipped


def compare(workers: dict[str, Worker], folder: str) -> dict[str, Any]:
    """How far each peer's numbers are from ours. Raises DisagreementError."""
    for name, worker in workers.items():
        worker.ask("compute", file=f"{folder}/{name}.npz")
    found = {}
    with np.load(f"{folder}/{OURS}.npz") as ours:
        for name in [name for name in workers if name != OURS]:
            with np.load(f"{folder}/{name}.npz") as theirs:
                found[name] = require_equal_steps(PEERS[name][0], dict(ours), dict(theirs))
    return found


def require_equal_steps(title: str, ours: Tensors, theirs: Tensors) -> dict[str, Any]:
    """What `require_agreement` finds in the tensors that `StepWorker.compute` writes, each held to its tolerance."""

    def some(tensors: Tensors, after: bool) -> Tensors:
        return {name: tensor for name, tensor in tensors.items() if name.endswith(AFTER_STEPS) == after}

    found = [
        require_agreement(title, some(ours, after), some(theirs, after), tolerance)
        for after, tolerance in ((False, TOLERANCE), (True, TOLERANCE_AFTER_STEPS))
    ]
    return max(found, key=lambda worst: worst["largest_relative_difference"])


def shapes(model: Model, examples: np.ndarray) -> dict[str, tuple[Layer, tuple[int, ...], tuple[int, ...]]]:
    """Each layer with parameters by name, in the order they run, and the shapes that one example has before and after it."""
    found = {}

    def watching(name: str, layer: Layer) -> Callable[..., np.ndarray]:
        forward = layer.forward

        def forward_and_note(x: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
            y = forward(x, rng)
            found[name] = layer, x.shape[1:], y.shape[1:]
            return y

        return forward_and_note

    watched = {name: layer for name, layer in model.leaves() if layer.parameter_names}
    for name, layer in watched.items():
        layer.forward = watching(name, layer)
    try:
        model.objective(examples[:1])
    finally:
        for layer in watched.values():
            del layer.forward
    return found


def sizes(model: Model, examples: np.ndarray) -> list[int | list[int]]:
    """The sizes of data, and of what each layer with parameters makes of it: a number for rows, [H, W, C] for images.

    The code of a VAE counts once, though two heads tell where it lies.
    """
    found = shapes(model, examples)
    (_, first, _), *_ = found.values()
    after = [after for name, (_, _, after) in found.items() if name.partition(".")[0] not in BESIDE]
    return [list(shape) if len(shape) > 1 else shape[0] for shape in (first, *after)]


def gemm_flops(model: Model, x: np.ndarray) -> int:
    """Floating-point operations of a step's matrix products for the batch x: forward, dW, and dx, which the first
    layer does not need; 2 for each product and its addition. Each number of W is used once for a row, once
    for each pixel of the smaller image in a convolution.
    """
    uses = {
        Dense: lambda before, after: 1,
        Conv2d: lambda before, after: after[0] * after[1],
        ConvTranspose2d: lambda before, after: before[0] * before[1],
    }
    return sum(
        2 * len(x) * layer.W.size * uses[type(layer)](before, after) * (3 if i else 2)
        for i, (layer, before, after) in enumerate(shapes(model, x).values())
    )


if __name__ == "__main__":
    sys.exit(main())
