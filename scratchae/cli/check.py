"""`scratchae check`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..errors import OptionError
from .types import positive, spelled_out


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "check",
        help="check the gradients of all layers and losses or of your own files, or check an exercise",
        description="Compare every gradient with central differences in float64, and print the largest relative errors. "
        "Given files of your own, run them, check their layers, losses, optimizers and models under many conditions, and say what is wrong "
        "with them; so they must be files that you trust. Several files make a table. Given an exercise, such as 02_dense, check your "
        "answer: exercises/02_dense.py or 02_dense.py in the current folder, or in a checkout tutorials/exercises/02_dense.py. If there is "
        "none, a copy is handed out. The exit code is 0 if all is right, 1 if something is wrong, 2 if something could not be checked "
        "and nothing is wrong.",
        epilog="in a file: classes with forward(self, x) and backward(self, dy), losses (prediction, target) -> (value, gradient), "
        "optimizers with update(self, parameters, gradient); arrays and instances in the file serve as inputs and arguments, such as "
        "x = numpy.ones((4, 3)) and layer = MyLayer(3, 2)",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME|FILE.py|EXERCISE",
        help="check only entries whose names begin with this, in detail; or your files; or an exercise",
    )
    parser.add_argument(
        "--limit",
        type=positive(float),
        default=60,
        metavar="SECONDS",
        help="time that a file may take (default: 60)",
    )
    parser.add_argument("--junit", type=Path, metavar="FILE.xml", help="write the results of files as JUnit XML")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> tuple[int, Any]:
    names = spelled_out(options.names)
    several = len(names) > 1 or options.junit is not None
    listed = [several or (options.json and name.endswith(".py")) for name in names]
    files = [path_of(name) if row else named(name) for name, row in zip(names, listed, strict=True)]
    if not files and several:
        raise OptionError("check: --junit wants files: scratchae check a.py b.py --junit report.xml")
    if files and files[0] is not None:
        return check_files(files, options)

    from ..study import check_catalogue
    from ..study.differences import not_compared

    name = options.names[0] if options.names else None
    reports = check_catalogue(name)
    if name is not None:
        print("\n".join(str(report) for report in reports.values()))
    else:
        width = max(map(len, reports))
        print(f"{'':<{width}} {'gradients of':<52} {'largest relative error':>22}")
        for entry, report in reports.items():
            tensors = ", ".join(check.name for check in report.checks)
            if len(tensors) > 52:
                tensors = f"{len(report.checks)} tensors, {report.checks[0].name} to {report.checks[-1].name}"
            print(
                f"{entry:<{width}} {tensors:<52} {report.worst:>14.1e}  {'ok' if report.passed else 'FAILED'}{not_compared(report.checks)}"
            )
    failed = [entry for entry, report in reports.items() if not report.passed]
    print(
        f"{len(reports) - len(failed)} of {len(reports)} right: relative error at most 1e-7, central differences in float64"
    )
    figures = {
        entry: {
            "passed": report.passed,
            "largest_relative_error": report.worst,
            "tensors": {check.name: check.error for check in report.checks},
        }
        for entry, report in reports.items()
    }
    return 1 if failed else 0, figures


def path_of(name: str) -> Path:
    """The file of one name among several: what is no file is said in its row of the table, and hides no other."""
    try:
        return named(name) or Path(name)
    except OptionError:
        return Path(name)


def named(name: str) -> Path | None:
    """The file or exercise of that name; None if it means a part of the library. Raises OptionError if there is no such file."""
    from ..tutorial.chapters import exercises, hand_out

    path = Path(name)
    if path.is_file():
        return path
    if path.stem in exercises():
        return hand_out(path.stem)
    if path.is_dir():
        raise OptionError(f"check: {name} is a folder: name the files in it, such as {path / '*.py'}")
    if name.endswith(".py") or name[:1].isdigit():
        raise OptionError(
            f"check: there is no file or exercise {name}; the exercises are {', '.join(exercises())}; the chapters explain "
            "them, and `scratchae check 02_dense` hands one out"
        )
    return None


def check_files(files: list[Path], options: argparse.Namespace) -> tuple[int, Any]:
    from ..tutorial import homework

    alone = len(files) == 1
    graded = []
    for file in files:
        graded.append(homework.graded(file, options.limit, sys.stdout if alone else None))
        if alone:
            print(graded[0].text)
        else:
            print(homework.row(graded[-1], max(len(str(one)) for one in files)), flush=True)
    if not alone:
        print(homework.summary(graded))
    if options.junit is not None:
        homework.write_junit(graded, options.junit)
    return homework.overall(one.code for one in graded), [one.record() for one in graded]
