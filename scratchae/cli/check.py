"""`scratchae check`."""

from __future__ import annotations

import argparse


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "check",
        help="check the gradients of all layers and losses",
        description="Compare every gradient with central differences in float64, and print the largest relative errors.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="check only what begins with this name, in detail")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from ..study import check_catalogue

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
