"""`scratchae bench`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .types import whole_numbers

DEVICES = {"cpu": ("cpu",), "gpu": ("gpu",), "both": ("cpu", "gpu")}


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "bench",
        help="how fast the presets train here, on the CPU and on a GPU",
        description=(
            "Time a training step of presets at many batch sizes, on the CPU and on a GPU: examples per second, operations "
            "per second compared with the machine's limit, time by layer, and the batch size from which the GPU is faster."
        ),
        epilog="figures are worth keeping if the machine does nothing else meanwhile; --quick shows whether the command works",
    )
    parser.add_argument("presets", nargs="*", metavar="PRESET", help="default: simple deep science2006 conv vae-400")
    parser.add_argument(
        "--device", choices=DEVICES, default="both", help="default: both, if there is a GPU that can be used"
    )
    parser.add_argument("--batch-sizes", type=ascending, metavar="N,…", help="default: 32,128,512,2048,8192,16384")
    parser.add_argument(
        "--peers",
        action="store_true",
        help="also time PyTorch and JAX on the same work, at the given batch sizes or at 128 and 8192",
    )
    parser.add_argument("--quick", action="store_true", help="two presets, small batches, short measurements")
    parser.add_argument("--out", metavar="DIR", help="folder to write to (default: bench)")
    parser.set_defaults(run=run)


def ascending(text: str) -> list[int]:
    """Numbers above 0 with commas between them, each once, the smallest first, for argparse."""
    return sorted(set(whole_numbers(text)))


def run(options: argparse.Namespace) -> tuple[int, Any]:
    from ..bench.command import bench
    from ..presets import find_preset

    file = bench(
        [find_preset(name) for name in options.presets],
        devices=DEVICES[options.device],
        batch_sizes=options.batch_sizes,
        peers=options.peers,
        quick=options.quick,
        out=options.out,
    )
    return 0, json.loads(file.read_text(encoding="utf-8"))
