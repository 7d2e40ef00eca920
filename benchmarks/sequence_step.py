"""The time of one training step of the presets `sequence` and `sequence-gru` in scratchae and in PyTorch's eager mode, on the CPU.

    python benchmarks/sequence_step.py [PRESET ...] [--batch-size N] [--steps N] [--rounds N] [--json FILE]

28 rows of 28 pixels, hidden 128, code 32, float32; PyTorch by `nn.RNN` or `nn.GRU` and Adam in its default mode. Both begin at the same
weights, and must find the same loss and gradients before they are timed. `nn.RNN` and `nn.GRU` have a second bias where one would do:
its gradient is the first one's, so that the two libraries take different steps from there on, in time alike.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from commandline import add_options, exit_code, positive

import scratchae
from scratchae import GRU, Adam
from scratchae.backend import recycle_memory
from scratchae.bench import machine
from scratchae.bench.comparison import start
from scratchae.bench.harness import WARM_UP, BenchmarkError, note, save, serve, statistics, time_rounds, time_steps
from scratchae.bench.report import OURS, heading, span
from scratchae.presets import find_preset

HERE = Path(__file__).resolve()
PRESETS = ("sequence", "sequence-gru")
LR = 1e-3
TOLERANCE = 1e-4  # of losses and gradients in float32, relative


class Ours:
    """What `fit` does with a batch: `training_step`, the loss as a number, `Adam.update`."""

    device = "cpu"

    def __init__(self, preset: str, batch_size: int):
        recycle_memory()
        self.preset, self.x = find_preset(preset), find_preset(preset).examples().train[:batch_size]
        self.reset()

    def reset(self) -> None:
        self.model = self.preset.build(np.random.default_rng(0))
        self.optimizer, self.rng = Adam(LR), np.random.default_rng(0)

    def step(self) -> float:
        loss = float(self.model.training_step(self.x, self.rng)["loss"])
        self.optimizer.update(self.model.parameters, self.model.gradient)
        return loss

    def finish(self) -> None:
        """A step is over when it returns."""

    def gradients(self) -> tuple[float, list[float]]:
        """The loss, and the norm of each weight matrix's gradient."""
        loss = float(self.model.training_step(self.x, self.rng)["loss"])
        weights = [(layer, name) for _, layer, name in self.model.named_parameters() if name in "WU"]
        return loss, [float(np.linalg.norm(getattr(layer, "d" + name))) for layer, name in weights]

    def facts(self) -> dict[str, Any]:
        return {"scratchae": scratchae.__version__, "numpy": np.__version__, "blas": machine.blas()}


class Torch:
    """The same net as a user of PyTorch writes it."""

    device = "cpu"

    def __init__(self, preset: str, batch_size: int):
        import torch

        self.torch, self.ours = torch, Ours(preset, batch_size)
        self.x = torch.from_numpy(self.ours.x)
        kind = torch.nn.GRU if isinstance(self.ours.model.encoder.layers[0], GRU) else torch.nn.RNN
        self.read, self.write = kind(28, 128, batch_first=True), kind(32, 128, batch_first=True)
        self.code, self.out = torch.nn.Linear(128, 32), torch.nn.Linear(128, 28)
        self.nets = torch.nn.ModuleList([self.read, self.code, self.write, self.out])
        self.weights = [weight for name, weight in self.nets.named_parameters() if "weight" in name]
        self.reset()

    def reset(self) -> None:
        self.ours.reset()
        ours = [getattr(layer, name) for _, layer, name in self.ours.model.named_parameters() if name in "WU"]
        with self.torch.no_grad():
            for parameter in self.nets.parameters():
                parameter.zero_()
            for theirs, array in zip(self.weights, ours, strict=True):
                theirs.copy_(self.torch.from_numpy(array.T))
        self.optimizer = self.torch.optim.Adam(self.nets.parameters(), lr=LR)

    def backward(self) -> Any:
        self.optimizer.zero_grad()
        states, _ = self.read(self.x)
        z = self.code(states[:, -1])
        written, _ = self.write(z[:, None].expand(-1, self.x.shape[1], -1))
        loss = ((self.torch.sigmoid(self.out(written)) - self.x) ** 2).sum() / len(self.x)
        loss.backward()
        return loss.detach()

    def step(self) -> float:
        loss = self.backward()
        self.optimizer.step()
        return loss.item()

    def finish(self) -> None:
        """A step is over when it returns."""

    def gradients(self) -> tuple[float, list[float]]:
        """The loss, and the norm of each weight matrix's gradient."""
        return self.backward().item(), [weight.grad.norm().item() for weight in self.weights]

    def facts(self) -> dict[str, Any]:
        return {"torch": self.torch.__version__, "torch_threads": self.torch.get_num_threads()}


PEERS = {OURS: ("scratchae", Ours), "torch": ("PyTorch, eager", Torch)}  # name: (title, constructor)


class SequenceWorker:
    """What a worker does for one peer; the methods are the actions of `harness.serve`."""

    def __init__(self, name: str):
        self.name = name

    def actions(self) -> dict[str, Any]:
        return {"prepare": self.prepare, "gradients": lambda: self.peer.gradients(), "block": self.block}

    def prepare(self, preset: str, batch_size: int) -> dict[str, Any]:
        self.peer = PEERS[self.name][1](preset, batch_size)
        return self.peer.facts()

    def block(self, warm_up: int, steps: int) -> list[float]:
        return time_steps(self.peer, warm_up, steps)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    if options.worker:
        serve(SequenceWorker(options.worker[0]).actions())
        return 0
    return exit_code("sequence_step", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="sequence_step.py", description="Time a training step of the sequence presets in scratchae and PyTorch."
    )
    command.add_argument("presets", nargs="*", metavar="PRESET", help=f"default: {' '.join(PRESETS)}")
    command.add_argument(
        "--batch-size", type=positive, default=128, metavar="N", help="examples a step (default: 128)"
    )
    add_options(command, "sequence_step", steps=40, rounds=9)
    # what the command starts for each peer: it, and "cpu"
    command.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    return command


def run(options: argparse.Namespace) -> None:
    """Measure, print a table for each preset, write everything to a file."""
    record = {
        "benchmark": "sequence_step",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.facts(),
        "versions_and_threads": {},
        "settings": {"steps": options.steps, "rounds": options.rounds, "warm_up": WARM_UP, "lr": LR},
        "batch_size": options.batch_size,
        "presets": {},
    }
    if others := set(options.presets) - set(PRESETS):
        raise BenchmarkError(f"preset {min(others)!r}: expected one of {', '.join(PRESETS)}")
    for preset in options.presets or PRESETS:
        with contextlib.ExitStack() as stack:
            note(f"preparing {preset}")
            command = (sys.executable, str(HERE), "--worker")
            workers, facts, skipped = start(PEERS, command, stack, preset=preset, batch_size=options.batch_size)
            require_agreement({name: worker.ask("gradients") for name, worker in workers.items()})
            figures = statistics(time_rounds(workers, options.rounds, options.steps), OURS)
        record["versions_and_threads"] |= {key: value for answer in facts.values() for key, value in answer.items()}
        if not record["presets"]:
            print(heading(record))
        record["presets"][preset] = {"peers": figures, "skipped": skipped}
        print("\n" + table(preset, record), flush=True)
    print(f"\nwritten to {save(record, options.json)}")


def require_agreement(found: dict[str, tuple[float, list[float]]]) -> None:
    """Raise BenchmarkError unless all have the same loss and gradients."""
    expected = np.array([found[OURS][0], *found[OURS][1]])
    for name, (loss, norms) in found.items():
        if not np.allclose([loss, *norms], expected, rtol=TOLERANCE, atol=0):
            raise BenchmarkError(f"{name} computes something else: loss {loss:.6g}, ours {expected[0]:.6g}")


def table(preset: str, record: dict[str, Any]) -> str:
    """Who takes how long, the peers in units of ours."""
    result = record["presets"][preset]
    lines = [
        f"{preset}: 28 × 28, hidden 128, batch {record['batch_size']}, float32, CPU",
        f"{'':<20}{'ms a step':>10}  {'quartiles':<17}{'/ ours':>8}  quartiles",
    ]
    for who, peer in result["peers"].items():
        quartiles = "" if who == OURS else span(peer["ratio_quartiles"], 2)
        lines.append(
            f"{PEERS[who][0]:<20}{peer['median_ms']:>10.3f}  {span(peer['quartiles_ms'], 3):<17}{peer['ratio']:>8.2f}  {quartiles}"
        )
    lines += [f"skipped {PEERS[name][0]}: {why}" for name, why in result["skipped"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
