"""`scratchae study`."""

from __future__ import annotations

import argparse
import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING

from .types import columns, positive

if TYPE_CHECKING:
    import numpy as np

    from ..models import Model
    from ..optimizers import Optimizer


def add(commands: argparse._SubParsersAction) -> None:
    from ..data import NAMES
    from ..presets import PRESETS

    tiny = ("tiny", "2-2-1-2-2, sigmoid: small enough to write out all of its arithmetic")
    presets = columns([tiny, *((preset.name, preset.summary) for preset in PRESETS.values())])
    parser = commands.add_parser(
        "study",
        help="every quantity of one training step: formula, numbers, finite differences",
        description="Run one forward and backward pass, a loss and an update, and show every tensor: name, formula, shape, "
        "numbers, and its gradient beside central differences. It computes in float64, and writes only the page.",
        epilog=f"presets:\n{presets}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "preset", metavar="PRESET", help="tiny, one of the presets below, or the folder or model file of a run"
    )
    parser.add_argument(
        "--html", metavar="FILE", help="instead of printing, write a page to step through, which needs no network"
    )
    parser.add_argument(
        "--data", choices=NAMES, help="the images (default: strokes, or the data that the run was trained on)"
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="folder of the MNIST files (default: $SCRATCHAE_DATA, or they are downloaded)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of weights and noise (default: 0)")
    parser.add_argument("--examples", type=positive(int), metavar="N", help="how many examples (default: 3)")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="where to compute (default: cpu)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    import numpy as np

    from ..arguments import whole
    from ..backend import device_module
    from ..study import trace

    whole("study", "seed", options.seed, least=0)
    device_module(options.device)  # report errors now, not after the data have been drawn
    name, model, x, optimizer = subject(options)
    found = trace(
        model.to(options.device),
        x,
        rng=np.random.default_rng([options.seed, 1]),
        optimizer=optimizer,
        seed=options.seed,
    )
    found = dataclasses.replace(found, title=f"{name}: {found.title}")
    if options.html is None:
        print(found.text())
    else:
        from ..study.tracing.text import verdict

        path = found.html(options.html)
        print(
            "\n".join(
                [
                    *verdict(found),
                    f"{path}, {path.stat().st_size / 1e6:.1f} MB: {len(found)} steps; open it in a browser",
                ]
            )
        )
    return 0 if found.passed else 1


def subject(options: argparse.Namespace) -> tuple[str, Model, np.ndarray, Optimizer]:
    """The preset's name, the model, its examples and its optimizer at the first step. Raises OptionError, RunError or CheckpointError."""
    import numpy as np

    from ..errors import OptionError
    from ..optimizers import SGD
    from ..presets import find_preset
    from ..study.tiny import LEARNING_RATE, tiny
    from ..training import load

    if options.preset == "tiny":
        if options.data or options.data_dir or options.examples:
            raise OptionError("tiny has its own example: leave out --data, --data-dir and --examples")
        return "tiny", *tiny(), SGD(LEARNING_RATE)
    name, data, file = options.preset, options.data, None
    path = Path(name)
    if path.exists():
        file, name, trained_on = trained(path)
        data = data or trained_on
    preset = find_preset(name)
    model = preset.build(np.random.default_rng(options.seed)) if file is None else load(file)
    examples = preset.examples(data, options.data_dir)
    steps = preset.epochs * math.ceil(len(examples.train) / preset.batch_size)
    return name, model, examples.test[: options.examples or 3], preset.optimizer(preset.lr, steps)


def trained(path: Path) -> tuple[Path, str, str | None]:
    """The model file of a run, its preset and its data, given the folder or the file. Raises RunError if it is not a run."""
    from ..errors import RunError
    from ..runs import MODEL, RECORD, read_record

    folder, file = (path, path / MODEL) if path.is_dir() else (path.parent, path)
    try:
        record = read_record(folder)
    except RunError:
        raise RunError(
            f"{path} is not a run: expected a folder that `scratchae train` wrote, or the model file in it, because "
            f"{RECORD} beside it says which data it was trained on; in Python, trace(load(file), x) takes any model"
        ) from None
    return file, record["preset"], None if record["data"] == "synthetic" else record["data"]
