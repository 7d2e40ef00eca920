"""`scratchae use`."""

from __future__ import annotations

import argparse
from typing import Any

from .types import ListBelow, add_data_dir, add_table, columns, given, positive


def add(commands: argparse._SubParsersAction) -> None:
    from ..plots import FORMATS
    from ..runs.jobs import JOBS
    from ..uses.anomaly import KINDS

    jobs = columns([(name, (job.__doc__ or "").strip().partition("\n")[0]) for name, job in JOBS.items()])
    parser = commands.add_parser(
        "use",
        help="use a trained model: rebuild, encode, generate, find what is unusual, …",
        description="Do a job with the model of a run, on the run's test examples or on your own data, which are scaled as the run's were.",
        epilog=f"jobs:\n{jobs}",
        formatter_class=ListBelow,
    )
    parser.add_argument("job", metavar="JOB", choices=JOBS, help="one of the jobs below")
    parser.add_argument("run_folder", metavar="RUN", help="the folder that `scratchae train` wrote")
    parser.add_argument(
        "--data", metavar="NAME|FILE|FOLDER", help="other examples (default: the test examples of the run)"
    )
    add_table(parser)
    add_data_dir(parser)
    parser.add_argument("--out", metavar="DIR", help="folder to write to (default: RUN/JOB)")
    parser.add_argument(
        "--normal",
        metavar="CLASS,…",
        help="score: the classes that are usual (default: those that the run was trained on)",
    )
    parser.add_argument(
        "--kind",
        choices=KINDS,
        help="score: by reconstruction error (the default), -ELBO (VAE) or free energy (RBM's default)",
    )
    parser.add_argument(
        "--quantile",
        type=share,
        metavar="Q",
        help="score: the limit, as a quantile of the validation scores (default: 0.99)",
    )
    parser.add_argument(
        "--step",
        type=positive(float),
        metavar="X",
        help="compress: how coarsely, from 0.1 for fine to 3 (default: 0.5)",
    )
    parser.add_argument("--count", type=positive(int), metavar="N", help="generate: how many examples (default: 100)")
    parser.add_argument(
        "--row", type=positive(int), metavar="N", help="traverse: the example to begin from (default: 1)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of what is drawn (default: 0)")
    parser.add_argument("--format", choices=FORMATS, default="png", help="format of the pictures (default: png)")
    parser.set_defaults(run=run)


def share(text: str) -> float:
    """A number between 0 and 1, for argparse."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a number between 0 and 1, such as 0.99")
    return value


def run(options: argparse.Namespace) -> tuple[int, Any]:
    from ..arguments import whole
    from ..runs.jobs import use

    whole("use", "seed", options.seed, least=0)
    task = use(options.job, options.run_folder, **given(options, "job", "run_folder"))
    files = [str(task.out / name) for name in task.written]
    return 0, {"job": options.job, "examples": len(task.x), **task.figures, "files": files}
