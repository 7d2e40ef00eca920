"""The time of one step of contrastive divergence of an RBM in scratchae and in scikit-learn on the CPU.

    python benchmarks/rbm_step.py [--batch-size N] [--steps N] [--rounds N] [--json FILE]

784-500, float32. scikit-learn's `BernoulliRBM.partial_fit` is persistent: its negative phase begins where the last step's
ended, with as many chains as the batch has rows. scratchae is measured with CD-1, from the data, and with the same PCD-1.
Each step of scikit-learn's and of CD-1 has five matrix products; PCD-1 has one more, for the reconstruction whose cross-entropy
`fit` reports. The steps sample, so that no two libraries compute the same numbers; what they learn is compared instead, as the
pseudo-log-likelihood of the batch after as many steps as a block has.
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

import numpy as np
from commandline import add_options, exit_code, positive

import scratchae
from scratchae import RBM, SGD
from scratchae.backend import recycle_memory
from scratchae.bench import machine
from scratchae.bench.comparison import start
from scratchae.bench.harness import WARM_UP, note, save, serve, statistics, time_rounds, time_steps
from scratchae.bench.report import OURS, heading, span
from scratchae.presets import find_preset

HERE = Path(__file__).resolve()
VISIBLE, HIDDEN, LR = 784, 500, 0.05


class Ours:
    """What `fit` does with a batch: `training_step`, the loss as a number, `SGD.update`."""

    device = "cpu"

    def __init__(self, x: np.ndarray, *, persistent: bool):
        recycle_memory()
        self.x, self.persistent = x, persistent
        self.reset()

    def reset(self) -> None:
        self.model = RBM(VISIBLE, HIDDEN, persistent=self.persistent, chains=len(self.x), rng=0)
        self.optimizer, self.rng = SGD(LR), np.random.default_rng(0)

    def step(self) -> float:
        loss = float(self.model.training_step(self.x, self.rng)["loss"])
        self.optimizer.update(self.model.parameters, self.model.gradient)
        return loss

    def finish(self) -> None:
        """A step is over when it returns."""

    def parameters(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        energy = self.model.energy
        return energy.W, energy.a, energy.b

    def facts(self) -> dict[str, Any]:
        return {"scratchae": scratchae.__version__, "numpy": np.__version__, "blas": machine.blas()}


class ScikitLearn:
    """`BernoulliRBM.partial_fit`, which measures no loss."""

    device = "cpu"

    def __init__(self, x: np.ndarray):
        import sklearn
        from sklearn.neural_network import BernoulliRBM

        self.x, self.kind, self.version = x, BernoulliRBM, sklearn.__version__
        self.reset()

    def reset(self) -> None:
        self.model = self.kind(HIDDEN, learning_rate=LR, batch_size=len(self.x), random_state=0)

    def step(self) -> None:
        self.model.partial_fit(self.x)

    def finish(self) -> None:
        """A step is over when it returns."""

    def parameters(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.model.components_.T, self.model.intercept_visible_, self.model.intercept_hidden_

    def facts(self) -> dict[str, Any]:
        return {"scikit-learn": self.version}


PEERS = {  # name: (title, constructor)
    OURS: ("scratchae, CD-1", lambda x: Ours(x, persistent=False)),
    "scratchae-pcd": ("scratchae, PCD-1", lambda x: Ours(x, persistent=True)),
    "scikit-learn": ("BernoulliRBM.partial_fit", ScikitLearn),
}


class RbmWorker:
    """What a worker does for one peer; the methods are the actions of `harness.serve`."""

    def __init__(self, name: str):
        self.name = name

    def actions(self) -> dict[str, Any]:
        return {"prepare": self.prepare, "learn": self.learn, "block": self.block}

    def prepare(self, batch: str) -> dict[str, Any]:
        self.peer = PEERS[self.name][1](np.load(batch))
        self.peer.step()
        return self.peer.facts()

    def learn(self, steps: int) -> float:
        """The pseudo-log-likelihood of the batch after so many steps from the start, by our formula."""
        self.peer.reset()
        for _ in range(steps):
            self.peer.step()
        model = RBM(VISIBLE, HIDDEN, rng=0)
        energy = model.energy
        energy.W[...], energy.a[...], energy.b[...] = self.peer.parameters()
        return float(model.pseudo_log_likelihood(self.peer.x).mean())

    def block(self, warm_up: int, steps: int) -> list[float]:
        return time_steps(self.peer, warm_up, steps)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    if options.worker:
        serve(RbmWorker(options.worker[0]).actions())
        return 0
    return exit_code("rbm_step", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="rbm_step.py", description="Time a step of contrastive divergence in scratchae and scikit-learn."
    )
    command.add_argument(
        "--batch-size", type=positive, default=128, metavar="N", help="examples a step (default: 128)"
    )
    add_options(command, "rbm_step", steps=100, rounds=11)
    # what the command starts for each peer: it, and "cpu"
    command.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    return command


def run(options: argparse.Namespace) -> None:
    """Measure, print a table, write everything to a file."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        np.save(f"{folder}/batch.npy", find_preset("rbm").examples().train[: options.batch_size])
        note(f"preparing {', '.join(PEERS)}")
        workers, facts, skipped = start(
            PEERS, (sys.executable, str(HERE), "--worker"), stack, batch=f"{folder}/batch.npy"
        )
        learnt = {name: worker.ask("learn", steps=options.steps) for name, worker in workers.items()}
        figures = statistics(time_rounds(workers, options.rounds, options.steps), OURS)
    record = {
        "benchmark": "rbm_step",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.facts(),
        "versions_and_threads": {key: value for answer in facts.values() for key, value in answer.items()},
        "settings": {"steps": options.steps, "rounds": options.rounds, "warm_up": WARM_UP, "lr": LR},
        "batch_size": options.batch_size,
        "peers": {
            name: {"title": PEERS[name][0], **values, "pseudo_log_likelihood": learnt[name]}
            for name, values in figures.items()
        },
        "skipped": skipped,
    }
    print(f"{heading(record)}\n\n{table(record)}\n\nwritten to {save(record, options.json)}")


def table(record: dict[str, Any]) -> str:
    """Who takes how long, the peers in units of ours, and what each has learnt."""
    known = record["versions_and_threads"]
    library = f"; scikit-learn {known['scikit-learn']}" if "scikit-learn" in known else ""
    lines = [
        f"RBM {VISIBLE}-{HIDDEN}, batch {record['batch_size']}, float32{library}",
        f"{'':<28}{'ms a step':>10}  {'quartiles':<17}{'/ ours':>8}  {'quartiles':<13}"
        f"log-PL after {record['settings']['steps']} steps",
    ]
    for who, peer in record["peers"].items():
        quartiles = "" if who == OURS else span(peer["ratio_quartiles"], 2)
        lines.append(
            f"{peer['title']:<28}{peer['median_ms']:>10.3f}  {span(peer['quartiles_ms'], 3):<17}"
            f"{peer['ratio']:>8.2f}  {quartiles:<13}{peer['pseudo_log_likelihood']:.1f}"
        )
    lines += [f"skipped {PEERS[name][0]}: {why}" for name, why in record["skipped"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
