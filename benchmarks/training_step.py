"""The time of one training step (forward, loss, backward, Adam) in scratchae, PyTorch and JAX.

    python benchmarks/training_step.py [PRESET ...] [--device cpu|gpu] [--batch-size N] [--steps N] [--rounds N] [--json FILE]

First the peers must compute the same numbers as scratchae, then they are timed. README.md beside this file
tells how, and how to read the tables. It is the part of `scratchae bench --peers` that compares, with all its settings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from commandline import add_options, exit_code, positive

from scratchae.bench.comparison import compare_times, model_of, new_record
from scratchae.bench.harness import save
from scratchae.bench.peers import DEVICES, PEERS, require_translatable
from scratchae.bench.report import heading, table
from scratchae.presets import find_preset

DEFAULT_PRESETS = ("simple", "deep", "science2006", "conv", "vae-400")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    return exit_code("training_step", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="training_step.py", description="Time one training step in scratchae, PyTorch and JAX, in float32."
    )
    command.add_argument("presets", nargs="*", metavar="PRESET", help=f"default: {' '.join(DEFAULT_PRESETS)}")
    command.add_argument("--device", choices=DEVICES, default="cpu", help="default: cpu")
    command.add_argument("--batch-size", type=positive, metavar="N", help="examples a step (default: the preset's)")
    command.add_argument(
        "--peer",
        action="append",
        choices=PEERS,
        help="only this one beside scratchae; may be given again (default: all)",
    )
    add_options(command, "training_step", steps=100, rounds=15)
    return command


def run(options: argparse.Namespace) -> None:
    """Measure the presets, print a table for each, write everything to a file."""
    presets = [find_preset(name) for name in options.presets or DEFAULT_PRESETS]
    for preset in presets:
        require_translatable(model_of(preset))
    record = new_record("training_step", steps=options.steps, rounds=options.rounds) | {"presets": {}}
    for preset in presets:
        result, facts = compare_times(
            preset,
            options.batch_size or preset.batch_size,
            options.device,
            rounds=options.rounds,
            steps=options.steps,
            chosen=options.peer,
        )
        record["versions_and_threads"] |= facts
        if not record["presets"]:
            print(heading(record))
        record["presets"][preset.name] = result
        print("\n" + table(preset.name, result), flush=True)
    print(f"\nwritten to {save(record, options.json)}")


if __name__ == "__main__":
    sys.exit(main())
