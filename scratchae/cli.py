"""The command `scratchae`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import __version__
from .errors import ScratchaeError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Exit code 0; 1 where a check failed; 2 for a mistake of the caller; 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ScratchaeError, OSError) as error:  # the latter: a full disk, a folder that vanished
        print(f"scratchae: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nscratchae: interrupted", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    from .data import NAMES
    from .data.mnist import FILES
    from .presets import PRESETS

    presets = "\n".join(f"  {preset.name:<18}{preset.summary}" for preset in PRESETS.values())
    top = argparse.ArgumentParser(
        prog="scratchae",
        description="Autoencoders from scratch in NumPy: train them, look at them, check every gradient.",
        epilog="start with:  scratchae train deep",
    )
    top.add_argument("--version", action="version", version=f"scratchae {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    one = commands.add_parser(
        "train",
        help="train a preset; leaves a model, figures and pictures in a folder",
        description="Train a preset and leave the model, its figures and its pictures in a folder.",
        epilog=f"presets:\n{presets}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("preset", metavar="PRESET", help="one of the presets below")
    one.add_argument(
        "--data", choices=NAMES, help="the images (default: strokes, drawn by code; nothing to download)"
    )
    one.add_argument(
        "--data-dir",
        metavar="DIR",
        help="folder of the MNIST files (default: $SCRATCHAE_DATA, else downloaded)",
    )
    one.add_argument(
        "--epochs", type=positive(int), metavar="N", help="passes through the data (default: the preset's)"
    )
    one.add_argument("--batch-size", type=positive(int), metavar="N", help="examples a step (default: the preset's)")
    one.add_argument("--lr", type=positive(float), metavar="X", help="learning rate (default: the preset's)")
    one.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="where to compute (default: cpu)")
    one.add_argument("--seed", type=int, default=0, metavar="S", help="of weights, order and noise (default: 0)")
    one.add_argument("--out", metavar="RUN", help="folder to write to (default: a new one, runs/PRESET-DATA)")
    one.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in the folder, bit for bit as if never stopped",
    )
    one.set_defaults(run=train)

    two = commands.add_parser(
        "check",
        help="check the gradients of all layers and losses",
        description="Compare every gradient with central differences in float64, and print the largest relative errors.",
    )
    two.add_argument("name", nargs="?", metavar="NAME", help="check only what begins with this name, in detail")
    two.set_defaults(run=check)

    three = commands.add_parser(
        "data",
        help="download or verify MNIST and Fashion-MNIST",
        description="Download the original files of a dataset, or verify those that are there.",
    )
    three.add_argument("action", choices=("download", "verify"))
    three.add_argument("name", choices=tuple(FILES))
    three.add_argument(
        "--data-dir",
        metavar="DIR",
        help="their folder (default: $SCRATCHAE_DATA, else the user's cache folder)",
    )
    three.set_defaults(run=data)
    return top


def positive(kind: type) -> type:
    """A number above 0, for argparse."""

    def convert(text: str):
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text}: expected a number above 0")
        return value

    convert.__name__ = kind.__name__  # argparse says "invalid int value"
    return convert


def train(options: argparse.Namespace) -> int:
    from . import runs
    from .presets import find_preset

    arguments = {name: value for name, value in vars(options).items() if name not in ("run", "preset")}
    record = runs.train(find_preset(options.preset), **arguments)
    return 130 if record["status"] == "interrupted" else 0


def check(options: argparse.Namespace) -> int:
    from .study import check_catalogue

    reports = check_catalogue(options.name)
    if options.name is not None:
        print("\n".join(str(report) for report in reports.values()))
    else:
        print(f"{'':<27} {'gradients of':<52} {'largest relative error':>22}")
        for name, report in reports.items():
            tensors = ", ".join(check.name for check in report.checks)
            if len(tensors) > 52:
                tensors = f"{len(report.checks)} tensors, {report.checks[0].name} to {report.checks[-1].name}"
            print(f"{name:<27} {tensors:<52} {report.worst:>14.1e}  {'ok' if report.passed else 'FAILED'}")
    failed = [name for name, report in reports.items() if not report.passed]
    print(
        f"{len(reports) - len(failed)} of {len(reports)} right: relative error at most 1e-7, central differences in float64"
    )
    return 1 if failed else 0


def data(options: argparse.Namespace) -> int:
    from .data import mnist

    folder = mnist.given_folder(options.name, options.data_dir) or mnist.cache_folder(options.name)
    if options.action == "download":
        if folder.name != options.name:
            folder /= options.name  # the files of both datasets have the same names
        mnist.download(options.name, folder)
    for file in mnist.FILES[options.name]:
        path = mnist.checked(options.name, folder / file)
        print(f"{path}  {path.stat().st_size:,} bytes, SHA-256 as published")
    return 0
