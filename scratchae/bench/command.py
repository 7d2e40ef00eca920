"""What `scratchae bench` does: measure, print, write, draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..backend import device_module
from ..errors import DeviceError
from ..presets import Preset, find_preset
from . import machine, pictures
from .comparison import compare_times, model_of, new_record
from .harness import RESULTS, note, save
from .peers import untranslatable
from .report import heading, table
from .summary import layer_table, sweep_table
from .sweep import sweep


@dataclass(frozen=True)
class Plan:
    """What is measured, and for how long."""

    presets: tuple[str, ...] = ("simple", "deep", "science2006", "conv", "vae-400")
    batch_sizes: tuple[int, ...] = (32, 128, 512, 2048, 8192, 16384)
    peer_batch_sizes: tuple[int, ...] = (128, 8192)
    seconds: float = 1.0  # of each point
    limit: float = 60.0  # seconds that the few steps which a point needs may take
    rounds: int = 9  # blocks of each peer
    steps: int = 50  # of a block, at most
    block_seconds: float = 5.0  # that a block may take; it has fewer steps then


FULL = Plan()
QUICK = Plan(
    presets=("deep", "conv"),
    batch_sizes=(32, 128, 512),
    peer_batch_sizes=(128,),
    seconds=0.5,
    limit=5.0,
    rounds=3,
    steps=10,
    block_seconds=1.0,
)


def bench(
    presets: Sequence[Preset] = (),
    *,
    devices: Sequence[str] = ("cpu", "gpu"),
    batch_sizes: Sequence[int] | None = None,
    peers: bool = False,
    quick: bool = False,
    out: str | Path | None = None,
) -> Path:
    """Measure presets (default: those of the plan), print the tables, and write record and pictures to a folder; the record.

    A GPU that cannot be used is left out and said so; but where no other device was asked for, it is a DeviceError.
    """
    plan = QUICK if quick else FULL
    presets = list(presets) or [find_preset(name) for name in plan.presets]
    record = new_record("bench", plan=asdict(plan), quick=quick) | {
        "roofs": {},
        "presets": {},
        "peers": [],
        "skipped": {},
    }
    record["versions_and_threads"] = {"scratchae": __version__, "numpy": np.__version__, "blas": machine.blas()}
    usable = []
    for device in devices:
        try:
            device_module(device)
        except DeviceError as error:
            if len(devices) == 1:
                raise
            record["skipped"][device.upper()] = str(error)
            continue
        usable.append(device)
        note(f"{device.upper()}: matrix products and memory")
        record["roofs"][device] = machine.roofs(device)
    if "gpu" in usable:
        record["machine"]["gpu"] = machine.gpu()
    note("")
    print(heading(record), flush=True)

    for preset in presets:
        result = sweep(
            preset,
            batch_sizes or plan.batch_sizes,
            usable,
            record["roofs"],
            seconds=plan.seconds,
            limit=plan.limit,
        )
        note("")
        record["presets"][preset.name] = result
        print("\n" + sweep_table(preset.name, result))
        for device in usable:
            print("\n" + layer_table(preset.name, device, result["by_layer"][device]), flush=True)
    if peers:
        for preset in presets:
            compare_peers(preset, batch_sizes or plan.peer_batch_sizes, usable, plan, record)
    return write(record, RESULTS if out is None else Path(out))


def compare_peers(
    preset: Preset, batch_sizes: Sequence[int], devices: Sequence[str], plan: Plan, record: dict[str, Any]
) -> None:
    """Add a preset's comparisons to the record, and print them; or why there are none."""
    if (reason := untranslatable(model_of(preset))) is not None:
        record["skipped"][f"peers of {preset.name}"] = reason
        print(f"\nskipped peers of {preset.name}: {reason}")
        return
    for device in devices:
        for n in batch_sizes:
            took = [
                point["median_ms"]
                for way in record["presets"][preset.name]["ways"].values()
                for point in way["points"]
                if way["device"] == device and point["batch_size"] == n
            ]
            steps = plan.steps if not took else max(5, min(plan.steps, int(1e3 * plan.block_seconds / min(took))))
            result, facts = compare_times(preset, n, device, rounds=plan.rounds, steps=steps)
            note("")
            record["versions_and_threads"] |= facts
            record["peers"].append({"preset": preset.name, "steps": steps, **result})
            print("\n" + table(preset.name, result), flush=True)


def write(record: dict[str, Any], folder: Path) -> Path:
    """The record and its pictures, beside each other."""
    file = save(record, None, folder)
    drawn = {"throughput": lambda path: pictures.throughput(record["presets"], path)}
    if any(
        "flops_per_byte" in p for r in record["presets"].values() for w in r["ways"].values() for p in w["points"]
    ):
        drawn["roofline"] = lambda path: pictures.roofline(record["presets"], record["roofs"], path)
    for device in record["roofs"]:
        if any(result["by_layer"][device] for result in record["presets"].values()):
            drawn[f"layers-{device}"] = lambda path, device=device: pictures.layers(record["presets"], device, path)
    if any(len(each["peers"]) > 1 for each in record["peers"]):
        compared = [each for each in record["peers"] if len(each["peers"]) > 1]
        drawn["peers"] = lambda path: pictures.peers(compared, path)
    print(f"\nwritten to {file}")
    for name, draw in drawn.items():
        path = file.with_name(f"{file.stem}-{name}.png")
        draw(path)
        print(f"drawn in   {path}")
    return file
