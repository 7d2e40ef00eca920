"""`scratchae train`."""

from __future__ import annotations

import argparse
import contextlib
import os
import warnings
from typing import TYPE_CHECKING, Any

from ..errors import ScratchaeError
from .types import ListBelow, add_data_dir, add_own_data, columns, given, positive, whole_numbers

if TYPE_CHECKING:
    from ..models import Warmup


def add(commands: argparse._SubParsersAction) -> None:
    from ..plots import FORMATS
    from ..presets import PRESETS

    presets = columns([(preset.name, preset.summary) for preset in PRESETS.values()])
    parser = commands.add_parser(
        "train",
        help="train a preset, and write a model, figures and pictures to a folder",
        description="Train a preset, and write the model, its figures and its pictures to a folder.",
        epilog=f"presets:\n{presets}",
        formatter_class=ListBelow,
    )
    parser.add_argument("preset", metavar="PRESET", help="one of the presets below").completer = lambda **_: PRESETS
    parser.add_argument(
        "--data",
        metavar="NAME|FILE|FOLDER",
        help="strokes (the default, drawn by code; nothing to download), mnist, fashion-mnist, or your own: a .npy, .npz, .csv or IDX "
        "file, or a folder of images, with classes by subfolder",
    )
    add_own_data(parser)
    parser.add_argument(
        "--code", type=positive(int), metavar="N", help="how many numbers the code has (default: the preset's)"
    )
    parser.add_argument(
        "--hidden",
        type=whole_numbers,
        metavar="N,…",
        help="sizes of the layers before the code, such as 512,128 (default: the preset's)",
    )
    parser.add_argument(
        "--beta",
        type=beta,
        metavar="X|X:STEPS",
        help="weight of a variational autoencoder's KL term; 1:2000 lets it grow from 0 to 1 over the first 2,000 steps",
    )
    add_data_dir(parser)
    parser.add_argument(
        "--epochs", type=positive(int), metavar="N", help="passes through the data (default: the preset's)"
    )
    parser.add_argument(
        "--batch-size", type=positive(int), metavar="N", help="examples per step (default: the preset's)"
    )
    parser.add_argument("--lr", type=positive(float), metavar="X", help="learning rate (default: the preset's)")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="where to compute (default: cpu)")
    parser.add_argument(
        "--distributed",
        choices=("mpi", "nccl"),
        help="train in the processes that mpiexec has started, mpiexec -n 2 scratchae train …: mpi on CPUs, nccl on a GPU each. They share "
        "the examples, and the --batch-size of each step",
    )
    parser.add_argument(
        "--threads",
        type=positive(int),
        metavar="N",
        help="CPU threads (default: all cores, or one while other processes keep them busy)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="seed of weights, order and noise (default: 0)"
    )
    parser.add_argument("--out", metavar="RUN", help="folder to write to (default: a new one, runs/PRESET-DATA)")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue the run in the folder, with the same bits as if it had never stopped",
    )
    parser.add_argument(
        "--watch",
        dest="watched",
        action="store_true",
        help="also record how the gradients flow, layer by layer (gradient_flow, a picture and .csv), and say what is wrong",
    )
    parser.add_argument(
        "--compile",
        dest="compiled",
        action="store_true",
        help="let the C++ compiler g++ make the elementwise formulas faster on the CPU; they round differently, so a run ends at slightly different weights and figures, as with another seed",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="png",
        help="format of the pictures: png, or svg or pdf for print (default: png)",
    )
    parser.set_defaults(run=run)


def beta(text: str) -> float | Warmup:
    """β, or β:STEPS, for argparse."""
    weight, colon, steps = text.partition(":")
    try:
        value = float(weight)
        if not 0 <= value < float("inf") or (colon and int(steps) < 1):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text}: expected a number of at least 0, such as 4, or 1:2000 to let it grow"
        ) from None
    if not colon:
        return value
    from ..models import Warmup

    return Warmup(int(steps), value)


def run(options: argparse.Namespace) -> tuple[int, Any]:
    from .. import runs
    from ..backend import threads
    from ..presets import find_preset
    from ..training.distributed import end_unmet, group_for

    arguments = given(options, "preset", "threads", "distributed")
    group = None
    with contextlib.ExitStack() as stack:
        if options.threads is not None:
            stack.enter_context(threads(options.threads))
        try:
            group = group_for(options.distributed, options.device)
            if group.rank > 0:  # the first rank speaks for all
                nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
                stack.enter_context(contextlib.redirect_stdout(nowhere))
                stack.enter_context(warnings.catch_warnings(action="ignore"))
            record = runs.train(find_preset(options.preset), **arguments, distributed=group)
        except (ScratchaeError, OSError) as error:
            if group is None:
                end_unmet(error)
            elif group.rank != getattr(error, "speaker", 0):
                return 2, None
            raise
    return 130 if record["status"] == "interrupted" else 0, record if group.rank == 0 else None
