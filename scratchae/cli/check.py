"""`scratchae check`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from ..errors import OptionError
from .types import positive

GRACE = 5  # seconds after its limit in which a file can still say where it hangs


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "check",
        help="check the gradients of all layers and losses or of your own file, or check an exercise",
        description="Compare every gradient with central differences in float64, and print the largest relative errors. "
        "Given your own file, run it, check its layers and losses and say what is wrong with them; so it must be one that you trust. Given an exercise, such as "
        "02_dense, check your answer: exercises/02_dense.py or 02_dense.py in the current folder, or in a checkout "
        "tutorials/exercises/02_dense.py. If there is none, a copy is handed out.",
        epilog="in a file: classes with forward(self, x) and backward(self, dy), losses (prediction, target) -> (value, gradient); "
        "arrays and instances in the file serve as inputs and arguments, such as x = numpy.ones((4, 3)) and layer = MyLayer(3, 2)",
    )
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME|FILE.py|EXERCISE",
        help="check only entries whose names begin with this, in detail; or your file; or an exercise",
    )
    parser.add_argument(
        "--limit",
        type=positive(float),
        default=60,
        metavar="SECONDS",
        help="time that a file may take (default: 60)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.name is not None and (file := named(options.name)) is not None:
        return grade(file, options.limit)

    from ..study import check_catalogue
    from ..study.differences import not_compared

    reports = check_catalogue(options.name)
    if options.name is not None:
        print("\n".join(str(report) for report in reports.values()))
    else:
        print(f"{'':<27} {'gradients of':<52} {'largest relative error':>22}")
        for name, report in reports.items():
            tensors = ", ".join(check.name for check in report.checks)
            if len(tensors) > 52:
                tensors = f"{len(report.checks)} tensors, {report.checks[0].name} to {report.checks[-1].name}"
            print(
                f"{name:<27} {tensors:<52} {report.worst:>14.1e}  {'ok' if report.passed else 'FAILED'}{not_compared(report.checks)}"
            )
    failed = [name for name, report in reports.items() if not report.passed]
    print(
        f"{len(reports) - len(failed)} of {len(reports)} right: relative error at most 1e-7, central differences in float64"
    )
    return 1 if failed else 0


def named(name: str) -> Path | None:
    """The file or exercise of that name; None if it means a part of the library. Raises OptionError if there is no such file."""
    from ..tutorial.chapters import exercises, hand_out

    path = Path(name)
    if path.is_file():
        return path
    if path.stem in exercises():
        return hand_out(path.stem)
    if name.endswith(".py") or name[:1].isdigit():
        raise OptionError(
            f"check: there is no file or exercise {name}; the exercises are {', '.join(exercises())}; the chapters explain "
            "them, and `scratchae check 02_dense` hands one out"
        )
    return None


def grade(file: Path, limit: float) -> int:
    """Grade a file in a separate process, since it may hang, print or end Python."""
    command = [sys.executable, "-m", "scratchae.tutorial.grade", str(file), str(limit)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=limit + GRACE, check=False)
    except subprocess.TimeoutExpired:
        print(
            f"{file}: it was not done after {limit:g} seconds and could not be interrupted, so its process was ended"
        )
        return 2
    if done.returncode not in (0, 1, 2):
        print(f"{file}: the file itself ended Python, with exit code {done.returncode}")
        return 2
    return done.returncode
