"""A preset's step in scratchae and in its peers: first the same numbers, then who takes how long."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ..files import scratch_folder
from ..models import Model
from ..optimizers import Adam
from ..presets import Preset
from . import machine
from .agreement import Tensors, require_agreement
from .harness import WARM_UP, Worker, WorkerError, note, serve, statistics, time_rounds, time_steps
from .peers import PEERS, peers_of, require_translatable
from .peers.ours import LR
from .report import OURS
from .work import sizes, work

COMMAND = (sys.executable, "-m", __name__)  # what a worker runs, before its peer and its device
TOLERANCE = 1e-4  # relative, tensor by tensor: float32 rounds differently in every library
# A unit whose input is nearly 0 may be on the other side of ReLU's kink in another library. Among the million units of a
# convolutional batch there is one now and then, and Adam, which divides by a gradient's size, makes it visible
TOLERANCE_AFTER_STEPS = 1e-3
STEPS_COMPARED = 5
NOISE_SEED = 1  # of what the compared steps draw, the same in every library
AFTER_STEPS = f" after {STEPS_COMPARED} steps"


def model_of(preset: Preset) -> Model:
    """The preset's model with the weights that every peer starts from."""
    return preset.build(np.random.default_rng(0))


def rows(examples: np.ndarray, n: int) -> np.ndarray:
    """n examples, from the first one again where there are fewer."""
    return examples[np.arange(n) % len(examples)]


class StepWorker:
    """What a worker does for one peer on one device; the methods are the actions of `harness.serve`."""

    def __init__(self, name: str, device: str = "cpu"):
        self.name, self.device = name, device

    def actions(self) -> dict[str, Any]:
        return {"prepare": self.prepare, "compute": self.compute, "block": self.block, "roofs": machine.roofs}

    def prepare(self, preset: str, batch: str) -> dict[str, Any]:
        """Build the peer and take a step, which compiles what is to be compiled; its versions and threads."""
        from ..presets import find_preset

        self.build(model_of(find_preset(preset)), np.load(batch))
        self.peer.step()
        self.peer.finish()
        return self.peer.facts()

    def build(self, model: Model, x: np.ndarray) -> None:
        self.peer = PEERS[self.name].build(model, x, self.device)

    def compute(self, file: str) -> None:
        """Write to a file what the peers must agree in."""
        self.peer.reset(NOISE_SEED)
        loss, gradients = self.peer.gradients()
        self.peer.reset(NOISE_SEED)
        for _ in range(STEPS_COMPARED):
            self.peer.step()
        self.peer.finish()
        tensors = {f"gradient of {name}": gradient for name, gradient in gradients.items()}
        tensors |= {name + AFTER_STEPS: tensor for name, tensor in self.peer.parameters().items()}
        np.savez(file, loss=loss, **tensors)

    def block(self, warm_up: int, steps: int) -> list[float]:
        return time_steps(self.peer, warm_up, steps)


def compare_times(
    preset: Preset, batch_size: int, device: str, *, rounds: int, steps: int, chosen: Sequence[str] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A preset at one batch size on one device: everything about it, and the versions and threads of the libraries.

    `chosen`: these peers only, beside scratchae. Raises BenchmarkError if the model has no peers, DisagreementError if one
    computes something else.
    """
    model = model_of(preset)
    require_translatable(model)
    examples = preset.examples().train
    names = [name for name in peers_of(model, device) if chosen is None or name in (OURS, *chosen)]
    with scratch_folder() as folder, contextlib.ExitStack() as stack:
        np.save(f"{folder}/batch.npy", rows(examples, batch_size))
        note(f"{preset.name}, batch {batch_size}, {device.upper()}: preparing {', '.join(names)}")
        workers, facts, skipped = start(
            names, COMMAND, stack, device=device, preset=preset.name, batch=f"{folder}/batch.npy"
        )
        agreement = compare(workers, folder)
        times = time_rounds(workers, rounds, steps)
        roofs = workers[OURS].ask("roofs", device=device)
    figures = statistics(times, OURS)
    gflops = work(model, Adam(LR), examples, batch_size).gemm_flops / 1e9
    floor = 1e3 * gflops / roofs["gflops_per_second"]
    return {
        "model": repr(model),
        "sizes": sizes(model, examples),
        "parameters": model.parameter_count(),
        "batch_size": batch_size,
        "device": device,
        "agreement": agreement,
        "peers": {name: {"title": PEERS[name].title, **values} for name, values in figures.items()},
        "skipped": skipped,
        "roofs": roofs,
        "gemm_gflops": gflops,
        "gemm_floor_ms": floor,
        "times_the_floor": figures[OURS]["median_ms"] / floor,
    }, {key: value for answer in facts.values() for key, value in answer.items()}


def start(
    names: Sequence[str], command: Sequence[str], stack: contextlib.ExitStack, device: str = "cpu", **arguments: Any
) -> tuple[dict[str, Worker], dict[str, Any], dict[str, str]]:
    """A worker for each peer, prepared with these arguments, by name; what each answered; and why others are left out."""
    workers, answers, skipped = {}, {}, {}
    for name in names:
        worker = stack.enter_context(Worker(name, [*command, name, device]))
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
                found[name] = require_equal_steps(PEERS[name].title, dict(ours), dict(theirs))
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


def new_record(benchmark: str, **settings: Any) -> dict[str, Any]:
    """What a record begins with; the versions of the peers come with the workers."""
    return {
        "benchmark": benchmark,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.facts(),
        "versions_and_threads": {},
        "settings": {
            **settings,
            "warm_up": WARM_UP,
            "lr": LR,
            "tolerance": TOLERANCE,
            "tolerance_after_steps": TOLERANCE_AFTER_STEPS,
        },
    }


if __name__ == "__main__":
    serve(StepWorker(*sys.argv[1:]).actions())
